"""From the files of a batch to its tables, `cohort.csv` and `cohort.parquet`: nothing is kept elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cxpath.exchange.safe_rows import write_rows
from cxpath.exchange.whole_file import whole_file
from cxpath.runs.batch.cohort_columns import COLUMNS, Row, SlideRecord, row_of
from cxpath.runs.batch.outcome import Outcome
from cxpath.runs.batch.slide_task import SlideTask

SCHEMA = "cxpath/cohort/1"
_TYPES = {"text": pa.string(), "number": pa.float64(), "whole": pa.int64(), "yes/no": pa.bool_()}


def cohort_rows(tasks: Sequence[SlideTask], outcomes: Sequence[Outcome]) -> list[Row]:
    """Return a row a slide, in the worklist's order; read from each slide's own files."""
    return [
        row_of(_record(task, outcome)) | _notes(task) for task, outcome in zip(tasks, outcomes, strict=True)
    ]


def write_tables(folder: Path, rows: Sequence[Row]) -> None:
    """Write `cohort.csv` and `cohort.parquet`.

    Raises
    ------
    OutputError
        When the operating system refuses.
    """
    names = [column.name for column in COLUMNS]
    notes = list(dict.fromkeys(name for row in rows for name in row if name not in set(names)))
    header = [*names, *notes]
    write_rows(folder / "cohort.csv", header, [[_entry(row.get(name)) for name in header] for row in rows])
    fields = [pa.field(column.name, _TYPES[column.kind]) for column in COLUMNS]
    schema = pa.schema([*fields, *(pa.field(note, pa.string()) for note in notes)], {"schema": SCHEMA})
    table = pa.table({name: [row.get(name) for row in rows] for name in header}, schema=schema)
    with whole_file(folder / "cohort.parquet") as partial:
        pq.write_table(table, partial)


def _record(task: SlideTask, outcome: Outcome) -> SlideRecord:
    if not outcome.is_final:  # its folder may still hold the result of other settings
        return SlideRecord(task, outcome, {}, {})
    return SlideRecord(task, outcome, _read(task.folder / "score.json"), _read(task.folder / "run.json"))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _notes(task: SlideTask) -> Row:
    return {name: entry for name, entry in task.facts.items() if name.startswith("note")}


def _entry(value: Any) -> str | int | float | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value  # type: ignore[no-any-return]
