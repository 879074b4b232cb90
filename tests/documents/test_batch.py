"""The files of a batch: read as they were written, or refused in one line; the row of a cohort."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cxpath.documents.batch import (
    FINAL,
    BatchDocument,
    BatchProgress,
    CohortRow,
    Outcome,
    SavedWorklist,
    SlideInHand,
    Status,
    WorklistEntry,
    failures_of,
)
from cxpath.errors import DocumentError, MissingFileError

FAILED = Outcome(
    id="b", status=Status.FAILED, slide="b.svs", reason="is damaged", hint="scan it again", error="SlideError"
)
SCORED = Outcome(
    id="a", status=Status.SCORED, slide="a.svs", attempts=2, seconds=41.5, slide_digest="ab" * 32
)
ENTRY = WorklistEntry(
    id="a", slide="a.svs", assay="22c3", tumour="cervix", marker="pdl1", facts={"case": "17", "note": "α"}
)
PROGRESS = BatchProgress(
    slides=4,
    done=2,
    kept=1,
    scored=1,
    not_evaluable=0,
    failed=1,
    worker_deaths=0,
    slides_per_hour=12.5,
    seconds_left=None,
    seconds=60.0,
    in_hand=(SlideInHand(worker="1", id="c", seconds=3.0, tiles_done=1, tiles=9),),
)


@pytest.mark.parametrize("document", [SCORED, FAILED, SavedWorklist(slides=(ENTRY,)), PROGRESS])
def test_a_file_comes_back_as_it_was_written(document: BatchDocument, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    document.write(path)
    assert type(document).read(path) == document
    assert json.loads(path.read_text(encoding="utf-8")) == document.as_dict()
    assert document.as_dict()["schema"] == document.schema_of()


def stated(**changes: Any) -> str:
    return json.dumps(SCORED.as_dict() | changes)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("{", "not readable JSON"),
        ("[]", "schema is None, not 'cxpath/outcome/1'"),
        (stated(schema="cxpath/outcome/0"), "schema is 'cxpath/outcome/0', not 'cxpath/outcome/1'"),
        (stated(atempts=1), "atempts: is not a key of this document"),
        (stated(status="done"), "status: Input should be 'running', 'scored', 'not evaluable' or 'failed'"),
        (stated(attempts=-1), "attempts: Input should be greater than or equal to 0"),
        (stated(seconds="41"), "seconds: Input should be a valid number"),
    ],
)
def test_a_damaged_file_is_one_line_that_says_what_to_do(content: str, wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        Outcome.read(path)
    assert str(caught.value) == f"{path}: {wrong} (run the same cxpath batch run again)"


def test_a_file_that_is_not_there_or_is_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        Outcome.read(tmp_path / "a.json")
    with pytest.raises(DocumentError, match="cannot be read: Is a directory"):
        Outcome.read(tmp_path)


def test_changed_fields_are_checked_like_all_others() -> None:
    changed = SCORED.updated(status=Status.FAILED, reason="is damaged")
    assert (changed.status, changed.reason, changed.attempts) == (Status.FAILED, "is damaged", 2)
    assert PROGRESS.updated(done=3).in_hand == PROGRESS.in_hand
    with pytest.raises(ValidationError, match="attempts"):
        SCORED.updated(attempts=-1)
    with pytest.raises(ValidationError, match="atempts"):
        SCORED.updated(atempts=1)


def test_only_a_result_is_final_and_only_what_was_tried_failed() -> None:
    assert {status for status in Status if Outcome(id="a", status=status).is_final} == FINAL
    (failure,) = failures_of((SCORED, FAILED))
    assert failure.as_dict() == {
        "id": "b", "slide": "b.svs", "reason": "is damaged", "hint": "scan it again", "error": "SlideError"
    }  # fmt: skip


ROW = CohortRow(
    id="a",
    slide="a.svs",
    status=Status.SCORED,
    cps=4.25,
    borderline=False,
    attempts=1,
    notes={"note": "mine"},
)


def test_columns_have_the_kind_of_their_field() -> None:
    kinds = dict(CohortRow.columns())
    assert [kinds[name] for name in ("id", "status", "cps", "attempts", "borderline", "cps_at_least_1")] == [
        "text",
        "text",
        "number",
        "whole",
        "yes/no",
        "yes/no",
    ]
    assert next(iter(kinds)) == "id"
    assert "notes" not in kinds


def test_entries_are_those_of_the_columns_in_their_order() -> None:
    entries = ROW.entries()
    assert list(entries) == [column.name for column in CohortRow.columns()]
    assert {name: entry for name, entry in entries.items() if entry is not None} == {
        "id": "a", "slide": "a.svs", "status": "scored", "cps": 4.25, "borderline": False, "attempts": 1
    }  # fmt: skip
    assert type(entries["status"]) is str, "SQL and Parquet take no enumeration"


@pytest.mark.parametrize(
    "changes", [{"cps": float("nan")}, {"cps": "high"}, {"viable_tumour_cells": 1.5}, {"cps_": 1.0}]
)
def test_a_row_contains_only_what_its_columns_mean(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        CohortRow(id="a", slide="a.svs", status=Status.SCORED, **changes)
