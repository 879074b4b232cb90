"""What `cxpath doctor` looks at. Every check runs, whatever the ones before it found."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter

import numpy as np

from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model_store import list_models, load_model
from cxpath.runs.documents import PACKAGES
from cxpath.training.synthetic.field import draw_field
from cxpath.training.synthetic.recipe import random_recipe
from cxpath.values.errors import CxpathError
from cxpath.values.stains import StainBasis
from cxpath.version import __version__

SELF_TEST_SEED = 20261123
SELF_TEST_SIDE_PX = 512
SELF_TEST_MARGIN = 0.4


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what, what was found, and whether that is fine."""

    what: str
    found: str
    fine: bool


def examine(device: str = "auto") -> Iterator[Finding]:
    """Look at everything that scoring a slide needs.

    Parameters
    ----------
    device : str
        "auto", "cpu" or "cuda".

    Yields
    ------
    Finding
    """
    yield Finding("cxpath", __version__, fine=True)
    yield Finding("python", platform.python_version(), fine=True)
    for package in PACKAGES:
        yield _package(package)
    yield _checked("device", lambda: choose_device(device).describe())
    yield _checked("models", _models)
    yield _checked("one tile", lambda: _one_tile(device))


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name), fine=True)
    except PackageNotFoundError:
        return Finding(name, "not installed: pip install cxpath again", fine=False)


def _checked(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look(), fine=True)
    except CxpathError as error:
        return Finding(what, str(error), fine=False)


def _models() -> str:
    cards = list_models()
    for card in cards:
        load_model(card.name)  # proves the digest
    return ", ".join(f"{card.name} {card.version}" for card in cards)


def _one_tile(device: str) -> str:
    """Find the cells of a drawn tile and compare their number with the truth."""
    rng = np.random.default_rng(SELF_TEST_SEED)
    recipe = random_recipe(rng, size_px=(SELF_TEST_SIDE_PX, SELF_TEST_SIDE_PX), mpp=0.5)
    field = draw_field(recipe, rng)
    detector = Detector(load_model("small"), choose_device(device), StainBasis())
    started = perf_counter()
    (peaks,) = detector.detect(field.rgb[None])
    seconds = perf_counter() - started
    words = f"{len(peaks)} cells found, {len(field.cells)} drawn, {seconds:.2f} s"
    if abs(len(peaks) - len(field.cells)) > SELF_TEST_MARGIN * len(field.cells):
        raise CxpathError(words, "the network does not see what it should: reinstall, or try --device cpu")
    return words
