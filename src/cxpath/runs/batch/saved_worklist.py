"""The worklist as a batch keeps it, so that tables can be rebuilt from the folder alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cxpath.runs.batch.outcome import Outcome, Status
from cxpath.runs.batch.slide_task import SlideTask
from cxpath.runs.batch.state_folder import StateFolder
from cxpath.runs.score_request import ScoreRequest
from cxpath.values.errors import BatchError, MissingFileError

SCHEMA = "cxpath/worklist/1"
_HINT = "give the --out folder of cxpath batch run"


def save_worklist(state: StateFolder, tasks: Sequence[SlideTask]) -> None:
    """Keep what the tables need of the worklist; no path of a slide, which may tell a patient's name."""
    entries = [
        {
            "id": task.id,
            "slide": task.shown_name,
            "assay": task.request.assay,
            "tumour": task.request.tumour,
            "marker": task.request.marker,
            "facts": dict(task.facts),
        }
        for task in tasks
    ]
    state.write_document(state.folder / "worklist.json", {"schema": SCHEMA, "slides": entries})


def read_batch(folder: Path) -> tuple[list[SlideTask], list[Outcome]]:
    """Return the slides of a batch and what became of each; only those that have an outcome.

    Raises
    ------
    MissingFileError
        When the folder is none, or holds no batch.
    BatchError
        When its worklist is damaged.
    """
    state = StateFolder(folder)
    path = state.folder / "worklist.json"
    if not path.is_file():
        raise MissingFileError(f"{folder}: holds no batch", _HINT)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["slides"]
        tasks = [_task(folder, entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BatchError(f"{path}: is damaged", "run the same cxpath batch run again") from error
    known = {task.id: state.read(task.id) for task in tasks}
    settled = [(task, outcome) for task in tasks if (outcome := known[task.id]) and _ended(outcome)]
    return [task for task, _ in settled], [outcome for _, outcome in settled]


def slides_in(folder: Path) -> int:
    """Return how many slides the worklist of a batch names; raises as `read_batch` does."""
    path = StateFolder(folder).folder / "worklist.json"
    try:
        return len(json.loads(path.read_text(encoding="utf-8"))["slides"])
    except FileNotFoundError as error:
        raise MissingFileError(f"{folder}: holds no batch", _HINT) from error
    except (OSError, ValueError, KeyError) as error:
        raise BatchError(f"{path}: is damaged", "run the same cxpath batch run again") from error


def _ended(outcome: Outcome) -> bool:
    return outcome.status is not Status.RUNNING


def _task(folder: Path, entry: dict[str, Any]) -> SlideTask:
    request = ScoreRequest(
        Path(entry["slide"]),
        folder.absolute() / entry["id"],
        assay=entry["assay"],
        tumour=entry["tumour"],
        marker=entry["marker"],
    )
    return SlideTask(entry["id"], request, entry["facts"])
