"""Batches of fake slides, and a command that runs one, to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from cxpath.app.configuration import ScoreRequest
from cxpath.batch.attempt import Attempt, Patience
from cxpath.batch.run import BatchResult, InProcess, run_batch
from cxpath.batch.task import SlideTask, StateFolder
from cxpath.batch.workers import local_engine
from cxpath.documents.batch import Outcome
from tests.batch.fake_scoring import fake_score

QUICK = Patience(retries=3, first_wait_s=0.001)


def tasks_of(slides: Path, batch: Path) -> list[SlideTask]:
    """One task a fake slide."""
    paths = sorted(slides.glob("*.fake"))
    return [
        SlideTask(path.stem, ScoreRequest(path, batch.absolute() / path.stem), request_digest="as asked")
        for path in paths
    ]


def write_slides(folder: Path, **kinds: str) -> Path:
    """Write fake slides: `a="fine"` becomes `a.fake`."""
    folder.mkdir(exist_ok=True, parents=True)
    for name, kind in kinds.items():
        (folder / f"{name}.fake").write_text(f"{kind} \n{name}", encoding="utf-8")
    return folder


def attempt_of(batch: Path) -> Attempt:
    """The fake scorer, with little patience."""
    return Attempt(batch, fake_score, QUICK)


def run(slides: Path, batch: Path, workers: int = 0) -> BatchResult:
    """Run a batch of fake slides; 0 workers: in this process."""
    state = StateFolder(batch)
    state.create()
    attempt = attempt_of(batch)
    engine = local_engine(attempt, workers) if workers else InProcess(attempt)
    with state.run_lock():
        return run_batch(tasks_of(slides, batch), batch, engine)


def by_id(result: BatchResult) -> dict[str, Outcome]:
    """The outcomes by id."""
    return {outcome.id: outcome for outcome in result.outcomes}


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
