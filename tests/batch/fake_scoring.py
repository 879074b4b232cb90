"""A scorer that scores nothing: it reads what to do from the slide, so that batches run in milliseconds.

A fake slide is a text file: its first line says what happens and how many seconds it takes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import signal
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cxpath.app.configuration import ScoreRequest
from cxpath.documents.base import ResultsFolder
from cxpath.errors import MissingFileError, OutputError, ResolutionError, UnreadableSlideError
from cxpath.slide.identity import printable
from tests.report.run_folders import RUN, coded, normal_score

BROKEN = {
    "missing": MissingFileError("{}: no such file", "check the path"),
    "empty": UnreadableSlideError("{}: the file is empty", "copy it again"),
    "damaged": UnreadableSlideError("{}: is damaged at tile 7", "scan it again"),
    "no-mpp": ResolutionError("{}: the file does not say its µm per pixel", "pass --mpp"),
    "locked": UnreadableSlideError("{}: cannot be read: Permission denied", "check its permissions"),
    "in-the-way": OutputError("{}: is a file, not a folder", "choose another --out"),
}
FAULTS = {"divides": ZeroDivisionError("division by zero"), "memory": MemoryError(), "odd": KeyError("level")}


def fake_score(request: ScoreRequest, _progress: object) -> None:
    """Do what the slide says."""
    try:
        words = request.slide.read_text(encoding="utf-8").splitlines()[0].split()
    except FileNotFoundError as error:
        raise MissingFileError(f"{request.slide}: no such file", "check the path") from error
    kind, seconds = words[0], float(words[1]) if len(words) > 1 else 0.0
    count(request.slide)
    with ResultsFolder(request.folder, overwrite=request.overwrite) as results:
        time.sleep(seconds)
        _misbehave(kind, request.slide)
        score = normal_score()
        score["slide"] |= {"name": printable(request.slide.name), "digest": digest_of(request.slide)}
        score["cps"]["value"] = float(int(digest_of(request.slide)[:4], 16) % 100)
        if kind == "not-evaluable":
            score |= {
                "evaluable": False,
                "not_evaluable_because": [coded("no_tissue", "no tissue was found")],
                "cps": None,
                "tps": None,
            }
        pq.write_table(pa.table({"x_px": [1.0], "y_px": [2.0]}), results.partial / "cells.parquet")
        (results.partial / "run.json").write_text(json.dumps(RUN), encoding="utf-8")
        (results.partial / "score.json").write_text(json.dumps(score), encoding="utf-8")
        results.commit()


def _misbehave(kind: str, slide: Path) -> None:
    if kind in BROKEN:
        error = BROKEN[kind]
        raise type(error)(error.message.format(slide), error.hint)
    if kind in FAULTS:
        raise FAULTS[kind]
    if kind == "crash":
        signal.raise_signal(signal.SIGSEGV)
    if kind == "flaky" and attempts(slide) < 3:
        raise UnreadableSlideError(f"{slide}: cannot be read") from OSError(errno.ESTALE, "Stale file handle")
    if kind == "full":
        raise OutputError(f"{slide}: cannot be written") from OSError(errno.ENOSPC, "No space left on device")
    if kind == "crash-once" and attempts(slide) < 2:
        signal.raise_signal(signal.SIGKILL)


def digest_of(slide: Path) -> str:
    """SHA-256 of the slide."""
    return hashlib.sha256(slide.read_bytes()).hexdigest()


def count(slide: Path) -> None:
    """Note that the slide is being scored."""
    with Path(f"{slide}.attempts").open("a", encoding="ascii") as file:
        file.write("x")


def attempts(slide: Path) -> int:
    """How often it was."""
    path = Path(f"{slide}.attempts")
    return len(path.read_text(encoding="ascii")) if path.exists() else 0
