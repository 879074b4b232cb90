"""Which engine runs the network: torch, or OpenVINO with a network that was quantised once and kept.

A network is quantised on synthetic tissue of fixed seeds, so that every machine gets the same one and no
slide calibrates its own score.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.errors import OutputError
from cxpath.network import (
    Device,
    Engine,
    Model,
    NetworkSettings,
    OpenvinoEngine,
    TorchEngine,
    openvino_version,
    quantise,
    resolve_engine,
)
from cxpath.slide import cache_path
from cxpath.synth import make_field, random_recipe

CALIBRATION_FIELDS = 24
CALIBRATION_SIDE_PX = 512
FIRST_SEED = 41_000
RECIPE = "1"
"""Change it when the lines above or `EXACT_LAYERS` change: kept networks are made again."""

_log = logging.getLogger(__name__)


def choose_engine(model: Model, device: Device, settings: NetworkSettings) -> Engine:
    """Return the engine that the settings name, or the quickest for "auto".

    Raises
    ------
    DeviceError
        When it is not installed or does not run on the device.
    """
    settings = resolve_engine(settings, device, model.card.validated_precisions)
    if settings.engine == "torch":
        return TorchEngine(model, device)
    return OpenvinoEngine(model, device, quantised_network(model) if settings.precision == "int8" else None)


def quantised_network(model: Model) -> Path:
    """Return the model's network in int8, from the cache or made now (about a minute, once for a model)."""
    key = f"{model.card.digest[:16]}-openvino-{openvino_version().split('-')[0]}-recipe-{RECIPE}"
    folder = cache_path().parent / "quantised" / key
    if not (folder / "network.xml").is_file():
        _log.info("quantising %s %s, once", model.card.name, model.card.version)
        _make(model, folder)
    return folder / "network.xml"


def calibration_tiles(mpp: float) -> list[NDArray[np.uint8]]:
    """Make the tissue that networks are quantised on; never made elsewhere."""
    tiles = []
    for seed in range(FIRST_SEED, FIRST_SEED + CALIBRATION_FIELDS):
        rng = np.random.default_rng(seed)
        recipe = random_recipe(rng, size_px=(CALIBRATION_SIDE_PX, CALIBRATION_SIDE_PX), mpp=mpp)
        tiles.append(np.ascontiguousarray(make_field(recipe, rng).rgb))
    return tiles


def _make(model: Model, folder: Path) -> None:
    """Write the network next to its place and move it there whole; who comes second keeps the first's."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written: {error.strerror}", "set XDG_CACHE_HOME to a folder that can"
        ) from error
    try:
        quantise(model, calibration_tiles(model.card.mpp), partial / "network.xml")
        if not folder.exists():
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
