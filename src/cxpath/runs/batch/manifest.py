"""`batch.json`: how a batch was run, enough to run it again, and what came of it."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cxpath.runs.batch.cohort_columns import Row
from cxpath.runs.batch.outcome import Status
from cxpath.runs.batch.run_batch import BatchResult
from cxpath.runs.documents import RESEARCH_USE, write_json
from cxpath.runs.score_request import ScoreRequest
from cxpath.version import __version__

SCHEMA = "cxpath/batch/1"
NAME = "batch.json"


def write_manifest(
    folder: Path,
    template: ScoreRequest,
    result: BatchResult,
    rows: Sequence[Row],
    engine: str,
    started: datetime,
) -> dict[str, Any]:
    """Write and return the manifest of a run of a batch.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    template : ScoreRequest
        Options that hold for all slides; a worklist may have overruled some of them.
    result : BatchResult
    rows : sequence of Row
        The cohort table.
    engine : str
    started : datetime
    """
    document = {
        "schema": SCHEMA,
        "research_use": RESEARCH_USE,
        "cxpath": __version__,
        "python": platform.python_version(),
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": result.seconds,
        "engine": engine,
        "options": {
            "assay": template.assay,
            "tumour": template.tumour,
            "marker": template.marker,
            "research": template.research,
            "mpp": template.mpp,
            "model": Path(template.model).name,
            "device": template.device,
            "pseudonym": template.pseudonym,
        },
        "configuration": template.configuration.model_dump(mode="json"),
        "configuration_digest": template.configuration.digest(),
        "slides": len(result.outcomes),
        "kept": result.kept,
        "scored": result.count(Status.SCORED),
        "not_evaluable": result.count(Status.NOT_EVALUABLE),
        "failed": result.count(Status.FAILED),
        "worker_deaths": result.worker_deaths,
        "failures": [
            {"id": one.id, "slide": one.slide, "reason": one.reason, "hint": one.hint, "error": one.error}
            for one in result.outcomes
            if one.status is Status.FAILED
        ],
        "same_content": same_content(rows),
    }
    write_json(folder / NAME, document)
    return document


def same_content(rows: Sequence[Row]) -> list[list[str]]:
    """Return the ids of slides whose files are the same under different names: one too many in a study."""
    counts = Counter(row["slide_digest"] for row in rows if row["slide_digest"])
    twice = [digest for digest, number in counts.items() if number > 1]
    return [[str(row["id"]) for row in rows if row["slide_digest"] == digest] for digest in twice]
