"""Whole slides: `cxpath score` against bare reading and forward on the same tiles; start-up; threads.

Speed is megapixels of scored tile cores (at 0.5 µm per pixel) a second; everything a run writes is included,
start-up is not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch

import cxpath
from benchmarks.rounds import Job, ratio, take_turns
from benchmarks.thread_times import thread_times
from cxpath.app.configuration import Configuration, load_configuration
from cxpath.app.slide_cells import choose_engine
from cxpath.data.settings import usable_cores
from cxpath.network.device import choose_device
from cxpath.network.model import load_model
from cxpath.pipeline.tiles import TilePlan, plan_tiles
from cxpath.tissue.tissue import find_tissue

ROUNDS = 3
BARE, WHOLE = "bare reading and forward", "cxpath score, everything"


def settings_of(engine: str, precision: str, threads: int) -> Configuration:
    """Return the configuration of a run on one engine with a number of threads."""
    return load_configuration(
        None,
        [
            f"network.engine={engine}",
            f"network.precision={precision}",
            f"network.threads={threads}",
            f"tiles.reader_threads={threads}",
        ],
    )


def plan_of(path: Path, configuration: Configuration) -> TilePlan:
    """Return the tiles that a run would read."""
    card = load_model("small").card
    with cxpath.open_slide(path) as slide:
        tissue = find_tissue(slide, configuration.tissue)
        tiles = configuration.tiles
        return plan_tiles(slide.info, tissue, card.mpp, card.halo_px, card.stride_px, tiles)


def megapixels(plan: TilePlan) -> float:
    """Return the size of the tile cores that are read."""
    return sum(tile.frame.core_px**2 for tile in plan.with_tissue) / 1e6


def bare(path: Path, plan: TilePlan, configuration: Configuration, device: str) -> Callable[[], Job]:
    """Read every tile with its halo and run the network on it, one after the other; nothing else."""
    network = configuration.network
    chosen = choose_device(device, precision=network.precision, threads=network.threads)
    engine = choose_engine(load_model("small"), chosen, network)

    def job() -> float:
        with cxpath.open_slide(path) as slide:
            for tile in plan.with_tissue:
                frame = tile.frame
                rgb = slide.read(frame.x_px, frame.y_px, frame.side_px, frame.side_px, plan.mpp)
                engine.run(rgb[None])
        if device == "cuda":
            torch.cuda.synchronize()
        return megapixels(plan)

    return lambda: job


def whole(
    path: Path,
    out: Path,
    plan: TilePlan,
    configuration: Configuration,
    device: str,
    spent: Counter[str] | None = None,
) -> Callable[[], Job]:
    """Score the slide and leave every file; `spent` receives the last run's processor time by thread."""

    def job() -> float:
        with thread_times() as found:
            cxpath.score_slide(path, out, overwrite=True, device=device, configuration=configuration)
        if spent is not None:
            spent.clear()
            spent.update(found)
        return megapixels(plan)

    return lambda: job


def on_one_core(opened: Callable[[], Job]) -> Callable[[], Job]:
    """Return the job for a single core: with one thread for the network, other stages use a second core."""

    def job() -> float:
        cores = usable_cores()
        os.sched_setaffinity(0, {min(cores)})  # for this thread and all that it starts
        try:
            return opened()()
        finally:
            os.sched_setaffinity(0, cores)

    return lambda: job


def print_end_to_end(
    path: Path,
    folder: Path,
    engines: Sequence[tuple[str, str]],
    device: str = "cpu",
    rounds: int = ROUNDS,
    wanted: float = 0.5,
) -> dict[str, Any]:
    """Measure with one thread, processor time on a CPU; print and return the figures.

    `wanted` is the share of bare reading and forward that a slide of this size should reach.
    """
    clock = process_time if device == "cpu" else perf_counter
    figures: dict[str, Any] = {}
    for engine, precision in engines:
        configuration = settings_of(engine, precision, 1)
        plan = plan_of(path, configuration)
        out = folder / f"out-{engine}-{precision}"
        spent: Counter[str] = Counter()
        jobs = {
            BARE: bare(path, plan, configuration, device),
            WHOLE: whole(path, out, plan, configuration, device, spent),
        }
        found = take_turns(jobs, clock, rounds)
        speed = {name: float(np.median(values)) for name, values in found.items()}
        share = ratio(found, WHOLE, BARE)
        run = json.loads((out / "run.json").read_text())
        print(f"{engine} {run['precision']}, {device}: {megapixels(plan):.0f} Mpx")
        for name, value in speed.items():
            print(f"  {name:28} {value:7.2f} Mpx/s")
        print(f"  {'of bare':28} {share:7.2f}    (wanted: {wanted:.2f})")
        print(f"  seconds: {run['timings_s']}; slowest stage: {run['bottleneck']}")
        for name, times in run["stages"].items():
            print(
                f"    {name:8} at work {times['busy_share']:6.1%}, "
                f"waited for input {times['waited_for_input_s']} s"
            )
        print_where(spent, megapixels(plan) / speed[BARE], megapixels(plan) / speed[WHOLE])
        figures[f"{engine} {run['precision']}"] = speed | {
            "of bare": share,
            "processor_s": {name: round(value, 2) for name, value in spent.most_common()},
            "megapixels": megapixels(plan),
            "run": run["timings_s"],
        }
    return figures


def print_where(spent: Counter[str], bare_s: float, whole_s: float) -> None:
    """Say what a run spends the processor's time on besides bare reading and forward."""
    parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in spent.most_common() if seconds >= 0.05)
    print(f"  processor seconds: {whole_s:.1f}, of which bare {bare_s:.1f}; by thread: {parts}")


def print_threads(path: Path, folder: Path) -> dict[str, float]:
    """Score on one core, then with one thread for the network, two, ... by the clock."""
    counts = [count for count in (1, 2, 4, 8) if count <= len(usable_cores())]
    plan = plan_of(path, settings_of("torch", "auto", 1))
    jobs = {
        str(count): whole(path, folder / "out", plan, settings_of("torch", "auto", count), "cpu")
        for count in counts
    }
    base = "1"
    if hasattr(os, "sched_setaffinity"):
        base = "one core, 1"
        jobs = {base: on_one_core(jobs["1"])} | jobs
    found = take_turns(jobs, perf_counter, ROUNDS)
    gains = {name: ratio(found, name, base) for name in jobs}
    for name, gain in gains.items():
        print(f"  {name} threads: {float(np.median(found[name])):6.2f} Mpx/s, {gain:.2f} x {base}")
    return gains


def print_command(path: Path, folder: Path) -> dict[str, float]:
    """Score a small slide by the command, with the machine's own threads; print the medians of three runs."""
    command = [sys.executable, "-m", "cxpath", "score", str(path), "--out", str(folder / "command")]
    runs = []
    for _ in range(ROUNDS):
        started, used = perf_counter(), _children_s()
        subprocess.run([*command, "--overwrite"], check=True, capture_output=True)
        runs.append((perf_counter() - started, _children_s() - used))
    clock, processor = (float(value) for value in np.median(runs, axis=0))
    print(f"  command to report: {clock:.1f} s by the clock, {processor:.1f} s of the processor (wanted: 8)")
    return {"clock_s": clock, "processor_s": processor}


def _children_s() -> float:
    spent = os.times()
    return spent.children_user + spent.children_system


_TO_FIRST_TILE = """
import sys
import cxpath
class Done(Exception): pass
def tell(done, of):
    print("first tile", flush=True)
    raise Done
try:
    cxpath.score_slide(sys.argv[1], sys.argv[2], overwrite=True, device="cpu", progress=tell)
except Done:
    pass
"""


def start_up_s(path: Path, folder: Path) -> float:
    """Return the seconds from starting Python to the first tile done; median of five.

    Files are cached and modules compiled, as `pip install` leaves them. What a run needs to stop, tiles in
    progress among them, is not counted.
    """
    command = [sys.executable, "-c", _TO_FIRST_TILE, str(path), str(folder / "started")]
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    compiled["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    seconds = [_first_line_s(command, compiled) for _ in range(6)]
    return float(np.median(seconds[1:]))


def _first_line_s(command: Sequence[str], environment: dict[str, str]) -> float:
    started = perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        if not child.stdout.readline():
            raise RuntimeError("the run ended before its first tile")
        return perf_counter() - started
