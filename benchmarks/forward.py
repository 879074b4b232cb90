"""The network alone, engine by engine, on tiles as the pipeline reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from time import process_time

import numpy as np
from numpy.typing import NDArray

from benchmarks.end_to_end import settings_of
from benchmarks.rounds import Job, ratio, take_turns
from cxpath.app.slide_cells import choose_engine
from cxpath.errors import DeviceError
from cxpath.network.device import choose_device
from cxpath.network.engines import Engine
from cxpath.network.model import load_model
from cxpath.synth.field import make_field
from cxpath.synth.recipe import random_recipe

SIDE_PX = 1152
TILES = 4


def print_forward(engines: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Run every engine that is installed; print and return its speed in Mpx/s."""
    tiles = _tiles()
    jobs: dict[str, Callable[[], Job]] = {}
    for name, precision in engines:
        network = settings_of(name, precision, 1).network
        device = choose_device("cpu", precision=precision, threads=1)  # type: ignore[arg-type]
        try:
            engine = choose_engine(load_model("small"), device, network)
        except DeviceError as error:
            print(f"  {name} {precision}: {error}")
            continue
        engine.run(tiles[:1])  # compiles
        jobs[f"{name} {'int8' if precision == 'int8' else device.precision}"] = partial(_job, engine, tiles)
    found = take_turns(jobs, process_time)
    first = next(iter(found))
    for name, speeds in found.items():
        print(f"  {name:20} {median(speeds):7.2f} Mpx/s {ratio(found, name, first):6.2f} x {first}")
    return {name: median(speeds) for name, speeds in found.items()}


def _job(engine: Engine, tiles: NDArray[np.uint8]) -> Job:
    def job() -> float:
        for tile in tiles:
            engine.run(tile[None])
        return tiles.size / 3e6

    return job


def _tiles() -> NDArray[np.uint8]:
    rng = np.random.default_rng(4)
    field = make_field(random_recipe(rng, size_px=(SIDE_PX // 2, SIDE_PX // 2), mpp=0.5), rng).rgb
    tile = np.tile(field, (2, 2, 1))
    return np.ascontiguousarray(np.broadcast_to(tile, (TILES, *tile.shape)))
