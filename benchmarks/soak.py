"""The long tests of batches: `make soak`. Prints the figures of docs/notebook/batches.md and asserts no time.

contract    500 slides of which 5 % are broken in ten ways; the parent killed ten times, workers at random
throughput  two workers against one on slides of 4 mm², where two cores are free
memory      resident memory of a worker over 200 slides, and its slope
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import numpy as np
import psutil

from benchmarks.repeated_slide import repeat_slide, synthetic_slide
from cxpath.app.configuration import ScoreRequest
from cxpath.app.score_slide import score_slide
from cxpath.batch.attempt import Attempt
from cxpath.batch.run import BatchResult, Listener, Tally, run_batch
from cxpath.batch.task import Event, Finished, SlideTask, StateFolder
from cxpath.batch.workers import local_engine
from cxpath.documents.batch import Status
from cxpath.synth.slide import write_synthetic_slide
from tests.batch.fake_batches import run, write_slides
from tests.batch.killing import run_killed, table

BROKEN = (
    "missing",
    "empty",
    "damaged",
    "no-mpp",
    "locked",
    "in-the-way",
    "divides",
    "memory",
    "odd",
    "crash",
)
SIDE_PX = 2048
RESECTION_PX = 8192
THROUGHPUT_ROUNDS = 2


def contract(folder: Path, slides: int) -> None:
    """Kill a large batch ten times and compare it with an undisturbed one."""
    broken = slides // 20
    kinds = {f"s{number:04d}": "fine 0.02" for number in range(slides - broken)}
    kinds |= {f"t{number:04d}": BROKEN[number % len(BROKEN)] for number in range(broken)}
    source, chance = write_slides(folder / "fake", **kinds), random.Random(11)
    undisturbed = run(source, folder / "undisturbed", workers=2)
    killed = run_killed(source, folder / "killed", 2, kills=10, chance=chance)
    same = table(source, folder / "killed", killed.outcomes) == table(
        source, folder / "undisturbed", undisturbed.outcomes
    )
    failures, reasons = killed.count(Status.FAILED), {one.reason for one in killed.outcomes if one.reason}
    print(f"contract: {slides} slides, {failures} failed of {broken} broken, {len(reasons)} reasons")
    print(f"contract: after ten kills of the parent and random kills of workers, the same: {same}")


def throughput(folder: Path, slides: int) -> None:
    """Score the same slides in turn with one worker on one core, one on two, and two on two.

    Starting the workers is counted.
    """
    tasks, cores = _resections(folder, slides), sorted(os.sched_getaffinity(0))[:2]
    seconds: dict[tuple[int, int], float] = dict.fromkeys(((1, 1), (1, 2), (2, 2)), 0.0)
    for turn in range(THROUGHPUT_ROUNDS):
        for workers, number in seconds:
            os.sched_setaffinity(0, cores[:number])  # the workers inherit it, and count their threads by it
            before = monotonic()
            _score(tasks, folder / f"workers-{workers}-{number}-{turn}", workers, None)
            seconds[workers, number] += monotonic() - before
    os.sched_setaffinity(0, cores)
    for (workers, number), total in seconds.items():
        per_hour = THROUGHPUT_ROUNDS * slides / total * 3600
        print(f"throughput: {workers} worker(s) on {number} core(s): {per_hour:.0f} slides/h")
    for one in ((1, 1), (1, 2)):
        print(f"throughput: two against one on {one[1]} core(s): {seconds[one] / seconds[2, 2]:.2f}")


def memory(folder: Path, slides: int) -> None:
    """Watch the memory of one worker over many slides."""
    tasks, seen_mib = _drawn(folder, slides), list[float]()

    def watch(event: Event | None, _tally: Tally) -> None:
        if isinstance(event, Finished):
            children = psutil.Process().children()
            seen_mib.append(max(child.memory_info().rss for child in children) / 2**20)

    _score(tasks, folder / "memory", 1, watch)
    settled = seen_mib[len(seen_mib) // 10 :]
    slope = float(np.polyfit(np.arange(len(settled)), settled, 1)[0])
    print(f"memory: {slides} slides: {settled[0]:.0f} to {settled[-1]:.0f} MiB, {slope:+.3f} MiB a slide")


def _drawn(folder: Path, number: int) -> list[SlideTask]:
    """Draw one slide a ten; the others are the same under other names: only time and memory are asked for."""
    home, tasks = folder / "drawn", []
    home.mkdir(exist_ok=True)
    for place in range(number):
        path = home / f"d{place:03d}.svs"
        if not path.exists() and place < 10:
            write_synthetic_slide(path, seed=place, cps=10.0, width_px=SIDE_PX, height_px=SIDE_PX, workers=1)
        elif not path.exists():
            shutil.copy(home / f"d{place % 10:03d}.svs", path)
        tasks.append(SlideTask(path.stem, ScoreRequest(path, device="cpu"), request_digest="soak"))
    return tasks


def _resections(folder: Path, number: int) -> list[SlideTask]:
    """Repeat one drawn slide to the size of a piece of tissue, 4 mm², under several names."""
    home = folder / "resections"
    home.mkdir(exist_ok=True)
    first = repeat_slide(synthetic_slide(folder), home / "r000.svs", RESECTION_PX)
    paths = [first, *(home / f"r{place:03d}.svs" for place in range(1, number))]
    for path in paths[1:]:
        shutil.copy(first, path)
    return [SlideTask(path.stem, ScoreRequest(path, device="cpu"), request_digest="soak") for path in paths]


def _score(tasks: list[SlideTask], batch: Path, workers: int, listen: Listener | None) -> BatchResult:
    state = StateFolder(batch)
    state.create()
    placed = [
        SlideTask(task.id, ScoreRequest(task.request.slide, batch / task.id, device="cpu"), {}, "soak")
        for task in tasks
    ]
    return run_batch(placed, batch, local_engine(Attempt(batch, score_slide), workers), listen)


PARTS: dict[str, tuple[Callable[[Path, int], None], int]] = {
    "contract": (contract, 500),
    "throughput": (throughput, 12),
    "memory": (memory, 200),
}


def main() -> None:
    """Run the parts named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), choices=[*PARTS, []])
    parser.add_argument("--slides", type=int, help="fewer or more slides than the part asks for")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.parts:
            part, slides = PARTS[name]
            part(Path(folder), chosen.slides or slides)


if __name__ == "__main__":
    main()
