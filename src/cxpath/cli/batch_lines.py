"""What `cxpath batch` prints for a person: what a batch left, and how one stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cxpath.cli.batch_progress import duration

SHOWN = 20
"""Slides that are named at most; a batch of thousands must not flood a terminal."""


def summary_lines(manifest: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Yield the lines for a finished batch: `batch.json` in short."""
    yield f"slides   {manifest['slides']}  ({manifest['kept']} done before)"
    yield from _counts(manifest)
    yield from _failures(manifest["failures"][:SHOWN])
    if len(manifest["failures"]) > SHOWN:
        yield f"         and {len(manifest['failures']) - SHOWN} more: see cohort.csv"
    for same in manifest["same_content"]:
        yield f"warning  the same slide under different names: {', '.join(same)}"
    yield f"cohort   {folder / 'cohort.html'}"
    yield str(manifest["research_use"])


def status_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines for a batch that is running or was left: `cxpath/batch-status/1` in short."""
    done = found["slides"] - found["left"]
    if found["running"]:
        yield f"running  {found['engine']} on {found['host']}, since {found['started']}"
    elif found["left"]:
        yield "stopped  not running; the same cxpath batch run goes on where it was left"
    else:
        yield "done     not running, nothing left"
    yield f"slides   {done} of {found['slides']}"
    yield from _counts(found)
    yield from _failures(found["failures"][-SHOWN:])
    if found["slides_per_hour"]:
        yield f"speed    {found['slides_per_hour']:.0f} slides/h, {duration(found['seconds_left'])} left"
    for held in found["in_hand"]:
        tiles = f"  {held['tiles_done']}/{held['tiles']} tiles" if held["tiles"] else ""
        yield f"in hand  {held['worker']}: {held['id']}{tiles}  {duration(held['seconds'])}"


def _counts(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"scored   {document['scored']}"
    yield f"not evaluable  {document['not_evaluable']}"
    yield f"failed   {document['failed']}"


def _failures(failures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from (f"         {one['id']}: {one['reason']}" for one in failures)
