"""A batch from what the user asked for to what it leaves: plan it, run it, sum it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cxpath.network.gpus import visible_gpus
from cxpath.network.model_store import load_card
from cxpath.runs.batch.attempt import Attempt, Patience
from cxpath.runs.batch.check_worklist import Problem, contradictions
from cxpath.runs.batch.cohort import fill_database, write_cohort
from cxpath.runs.batch.dask_cluster import connected, read_queue_settings
from cxpath.runs.batch.dask_engine import DaskEngine
from cxpath.runs.batch.drift import read_baseline
from cxpath.runs.batch.engine import Engine
from cxpath.runs.batch.in_process import InProcess
from cxpath.runs.batch.local_workers import LocalWorkers
from cxpath.runs.batch.manifest import write_manifest
from cxpath.runs.batch.run_batch import Listener, run_batch
from cxpath.runs.batch.saved_worklist import save_worklist
from cxpath.runs.batch.slide_cache import SlideCache
from cxpath.runs.batch.slide_task import SlideTask
from cxpath.runs.batch.state_folder import StateFolder
from cxpath.runs.batch.worklist import read_worklist
from cxpath.runs.results_database.database import ResultsDatabase
from cxpath.runs.score_request import ScoreRequest
from cxpath.runs.score_slide import score_slide
from cxpath.values.errors import ConfigurationError, WorklistError


@dataclass(frozen=True)
class BatchRequest:
    """Many slides and how to score them.

    Parameters
    ----------
    source : str
        Folder, pattern, table or slide.
    out : Path
        The batch's folder.
    template : ScoreRequest
        How to score a slide whose row does not say otherwise.
    workers : int
        Worker processes on this machine; 0 scores in this process.
    dask : str
        Address of a Dask scheduler, or "slurm"; empty for this machine alone.
    dask_config : Path, optional
        Queue settings.
    patience : Patience
    cache : SlideCache, optional
    baseline : Path, optional
        Cohort that drift is judged against.
    database : str, optional
        URL of a shared results database.
    """

    source: str
    out: Path
    template: ScoreRequest
    workers: int = 1
    dask: str = ""
    dask_config: Path | None = None
    patience: Patience = field(default_factory=Patience)
    cache: SlideCache | None = None
    baseline: Path | None = None
    database: str | None = None

    def engine(self) -> Engine:
        """Return where the slides are to be scored.

        Raises
        ------
        ConfigurationError
            When the number of workers or the queue's settings make no sense.
        """
        attempt = Attempt(self.out.absolute(), score_slide, self.patience, self.cache)
        if self.dask:
            settings = read_queue_settings(self.dask_config)
            needs_gpu = settings.gpus > 0 or self.template.device == "cuda"
            return DaskEngine(attempt, connected(self.dask, settings), needs_gpu, self.dask)
        if self.workers < 0:
            raise ConfigurationError(f"--workers {self.workers} makes no sense", "give 1 or more")
        if self.workers == 0:
            return InProcess(attempt)
        gpus = visible_gpus() if self.template.device != "cpu" else ()
        return LocalWorkers(attempt, self.workers, gpus)


def plan_batch(request: BatchRequest) -> tuple[list[SlideTask], list[Problem]]:
    """Read the worklist; return its slides and what keeps it from starting.

    Raises
    ------
    MissingFileError, WorklistError, ModelError
        When there is no worklist to speak of, or no such model.
    """
    digest = load_card(request.template.model).digest
    tasks = read_worklist(request.source, request.template, request.out, digest)
    return tasks, contradictions(tasks)


def conduct_batch(
    request: BatchRequest, tasks: Sequence[SlideTask], listen: Listener | None = None
) -> dict[str, Any]:
    """Run a batch and leave its cohort; returns the manifest.

    Raises
    ------
    WorklistError
        When a results folder of the worklist holds something else.
    OutputError, BatchError
        As `run_batch` does.
    DatabaseError
        When the files are written but the database could not be.
    """
    engine, started, state = request.engine(), datetime.now(UTC), StateFolder(request.out)
    baseline = read_baseline(request.baseline) if request.baseline else None
    if request.database:
        with ResultsDatabase(request.database):  # out of reach now: better said tonight than tomorrow
            pass
    state.create()
    with state.run_lock():
        _refuse_foreign_results(state, tasks)
        save_worklist(state, tasks)
        result = run_batch(tasks, request.out, engine, listen)
        rows = write_cohort(request.out, tasks, result.outcomes, baseline)
        manifest = write_manifest(request.out, request.template, result, rows, engine.name, started)
        fill_database(request.out, rows, request.database)
        return manifest


def _refuse_foreign_results(state: StateFolder, tasks: Sequence[SlideTask]) -> None:
    """Refuse to overwrite results that no batch made."""
    for task in tasks:
        if (task.folder / "score.json").exists() and state.read(task.id) is None:
            raise WorklistError(
                f"{task.folder}: holds a result that this batch did not make", "choose another --out"
            )
