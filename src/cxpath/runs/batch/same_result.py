"""Whether a slide needs scoring: resume by content, not by names or dates alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cxpath.runs.batch.outcome import Outcome
from cxpath.runs.batch.slide_task import SlideTask
from cxpath.runs.results_folder import COMMIT_MARK
from cxpath.runs.score_request import ScoreRequest
from cxpath.slide.open_slide import open_slide
from cxpath.slide.slide_files import files_of
from cxpath.version import __version__

_VENDORS = {".mrxs": "mirax", ".dcm": "dicom", ".vms": "hamamatsu", ".vmu": "hamamatsu"}


def request_digest(request: ScoreRequest, model_digest: str) -> str:
    """Return the SHA-256 of all that decides a result beside the slide: model, settings, options, version.

    Files that the request names count by their content; the device does not count. Empty when one of them
    cannot be read: scoring will say so.
    """
    try:
        files = [_file_digest(path) for path in (request.roi, request.cells, request.cell_classes)]
    except OSError:
        return ""
    parts = {
        "version": __version__,
        "model": model_digest,
        "configuration": request.configuration.digest(),
        "mpp": request.mpp,
        "assay": request.assay.lower(),
        "tumour": request.tumour,
        "research": request.research,
        "marker": request.marker,
        "name": request.shown_name or request.slide.name,
        "files": files,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def files_beside(path: Path) -> tuple[Path, ...]:
    """Return the files that belong to a slide, told by its suffix alone: nothing is opened but DICOM."""
    return files_of(path, _VENDORS.get(path.suffix.lower(), ""))


def slide_stamp(path: Path) -> str:
    """Return a hash of size and modification time of the slide's files; empty when they cannot be seen."""
    try:
        states = [(file.name, file.stat()) for file in files_beside(path)]
    except OSError:
        return ""
    facts = "".join(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n" for name, state in states)
    return hashlib.sha256(facts.encode(errors="surrogateescape")).hexdigest()


def is_untouched(task: SlideTask, outcome: Outcome | None) -> bool:
    """Say whether there is a result and nothing that decides it changed, by a look that opens no slide."""
    return (
        outcome is not None
        and _stands(task, outcome)
        and outcome.slide_stamp != ""
        and outcome.slide_stamp == slide_stamp(task.request.slide)
    )


def is_same_content(task: SlideTask, outcome: Outcome | None) -> bool:
    """Say the same of a slide whose file was copied or touched: reads it whole to compare its digest."""
    if outcome is None or not _stands(task, outcome):
        return False
    request = task.request
    try:
        with open_slide(request.slide, request.mpp, name=request.shown_name) as slide:
            return slide.info.digest == outcome.slide_digest
    except Exception:  # noqa: BLE001  # whatever it is, scoring it will say so
        return False


def _stands(task: SlideTask, outcome: Outcome) -> bool:
    same_request = task.request_digest != "" and outcome.request_digest == task.request_digest
    return same_request and outcome.is_final and (task.folder / COMMIT_MARK).is_file()


def _file_digest(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
