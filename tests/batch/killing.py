"""Killing batches: a batch of fake slides in a process of its own, ended again and again until it is done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from cxpath.batch.cohort import cohort_rows
from cxpath.batch.run import BatchResult
from cxpath.batch.task import StateFolder
from cxpath.documents.batch import Outcome
from tests.batch.fake_batches import run, tasks_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300.0
SAME = ("id", "status", "reason", "hint", "error", "cps", "slide_digest", "not_evaluable_because")
"""What must not depend on how often the batch was killed; times and workers may."""


def run_killed(
    slides: Path, batch: Path, workers: int, kills: int, chance: random.Random, *, of_workers: bool = True
) -> BatchResult:
    """Run a batch, kill its parent at random moments and its workers in between, then let it end."""
    for _ in range(kills):
        target = _settled(batch) + chance.randint(1, 4)
        process = _start(slides, batch, workers)
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None and _settled(batch) < target and time.monotonic() < deadline:
            time.sleep(0.02)
            if of_workers and chance.random() < 0.02:
                _kill_a_worker(process.pid, chance)
        time.sleep(chance.random() * 0.3)
        process.kill()
        process.wait()
    return run(slides, batch, workers)


def table(slides: Path, batch: Path, outcomes: tuple[Outcome, ...]) -> list[dict[str, Any]]:
    """The cohort table, without times and names of workers."""
    return [
        {name: getattr(row, name) for name in SAME} for row in cohort_rows(tasks_of(slides, batch), outcomes)
    ]


def _start(slides: Path, batch: Path, workers: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, "-m", "tests.batch.fake_batches", str(slides), str(batch), str(workers)]
    return subprocess.Popen(command, cwd=ROOT, env=environment)


def _settled(batch: Path) -> int:
    return sum(outcome.is_final for outcome in StateFolder(batch).read_all())


def _kill_a_worker(parent: int, chance: random.Random) -> None:
    try:
        children = [
            one for one in psutil.Process(parent).children() if "spawn_main" in " ".join(one.cmdline())
        ]
        if children:
            os.kill(chance.choice(children).pid, signal.SIGKILL)
    except (psutil.Error, ProcessLookupError):
        return
