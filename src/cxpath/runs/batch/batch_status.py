"""How a batch stands, from its folder alone, whether it runs or not."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from cxpath.runs.batch.outcome import Status
from cxpath.runs.batch.saved_worklist import read_batch, slides_in
from cxpath.runs.batch.state_folder import StateFolder

SCHEMA = "cxpath/batch-status/1"


def batch_status(folder: Path) -> dict[str, Any]:
    """Return the state of affairs; the outcomes on disk are the truth, `progress.json` adds what is in hand.

    Raises
    ------
    MissingFileError, BatchError
        When the folder holds no batch.
    """
    state, slides = StateFolder(folder), slides_in(folder)
    _, outcomes = read_batch(folder)
    counts = Counter(outcome.status for outcome in outcomes)
    progress, running = _progress(state.progress), state.is_running()
    return {
        "schema": SCHEMA,
        "running": running,
        "slides": slides,
        "left": slides - len(outcomes),
        "scored": counts[Status.SCORED],
        "not_evaluable": counts[Status.NOT_EVALUABLE],
        "failed": counts[Status.FAILED],
        "failures": [
            {"id": one.id, "reason": one.reason, "hint": one.hint}
            for one in outcomes
            if one.status is Status.FAILED
        ],
        "engine": progress.get("engine"),
        "host": progress.get("host"),
        "process": progress.get("process"),
        "started": progress.get("started"),
        "written": progress.get("written"),
        "slides_per_hour": progress.get("slides_per_hour") if running else None,
        "seconds_left": progress.get("seconds_left") if running else None,
        "in_hand": progress.get("in_hand", []) if running else [],
    }


def _progress(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
