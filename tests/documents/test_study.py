"""The documents of a reader study come back as they were written; one that was tampered with is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cxpath.agreement.base import AgreementSettings
from cxpath.documents.base import File
from cxpath.documents.study import (
    ArmEntry,
    ArmsTestEntry,
    ChecklistEntry,
    ComponentsEntry,
    ExportDocument,
    HeadDocument,
    ReaderProgress,
    RecordEntry,
    RoundProgress,
    StudyReportDocument,
    StudyStatus,
    TokensDocument,
)
from cxpath.errors import DocumentError, MissingFileError

HASH = "ab" * 32
TOKENS = TokensDocument(tokens={"R1": HASH, "R2": "cd" * 32})
HEAD = HeadDocument(events=7, head_hash=HASH)
STATUS = StudyStatus(
    study="pilot", design=HASH, reads=3, planned=80,
    readers=(
        ReaderProgress(
            reader="R1", stage="wash-out",
            rounds=(RoundProgress(round=1, arm="unaided", read=3, planned=40),),
            sessions=2, last_utc="2026-11-30T09:00:00Z", opens_utc="2026-12-28T09:00:00Z", events=7,
            head_hash=HASH,
        ),
        ReaderProgress(
            reader="R2", stage="reading", rounds=(), sessions=0, last_utc=None, opens_utc=None, events=0,
            head_hash=None,
        ),
    ),
)  # fmt: skip
EXPORT = ExportDocument(
    study="pilot", design=HASH, utc="2026-11-30T09:00:00Z", complete=False, reads=3, planned=80,
    records=(RecordEntry(reader="R1", file="R1.ndjson", events=7, head_hash=HASH, sha256=HASH),),
    files={"reads.csv": HASH}, cxpath="0.3",
)  # fmt: skip
TESTED = ArmsTestEntry(
    figure="agreement", cutoff="1", cases=40, left_out=2, why="", difference=0.05, standard_error=0.02,
    interval=(0.01, 0.09), f=6.25, degrees=None, p_value=0.02,
    arms=(ArmEntry(arm="aided", mean=0.9, standard_error=0.01, degrees=None, interval=(0.88, 0.92)),),
    components=ComponentsEntry(
        reader=0.001, arm_reader=-0.0002, error=0.004, cov1=0.002, cov2=0.001, cov3=0.001, cases=40
    ),
)  # fmt: skip
REPORT = StudyReportDocument(
    study="pilot", design=HASH, score="cps", readers=("R1", "R2"), cases=42, patients=40,
    rounds=("unaided", "aided"), reads=160, planned=168, not_evaluable=1, reference="consensus",
    settings=AgreementSettings(), statistics=(), tests=(TESTED,),
    checklist=(ChecklistEntry(guideline="GRRAS", item="7", asks="numbers of readers", filled="2"),),
    methods=("Two readers read 42 cases.",), warnings=(), cxpath="0.3",
)  # fmt: skip


@pytest.mark.parametrize("document", [TOKENS, HEAD, STATUS, EXPORT, REPORT])
def test_a_document_comes_back_as_it_was_written(document: File, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    document.write(path)
    assert type(document).read(path) == document
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == document.schema_of()


def test_every_kind_of_document_has_a_schema_of_its_own() -> None:
    documents: list[File] = [TOKENS, HEAD, STATUS, EXPORT, REPORT]
    assert len({document.schema_of() for document in documents}) == len(documents)


@pytest.mark.parametrize(
    ("document", "changes", "wrong"),
    [
        (HEAD, {"head_hash": HASH.upper()}, "head_hash: String should match pattern"),
        (HEAD, {"head_hash": HASH[:-1]}, "head_hash: String should match pattern"),
        (HEAD, {"events": 0}, "events: Input should be greater than or equal to 1"),
        (TOKENS, {"tokens": ["R1"]}, "tokens: Input should be an object"),
        (TOKENS, {"token": "secret"}, "token: is not a key of this document"),
        (STATUS, {"readers": [{"reader": "R1"}]}, "readers.0.stage: is missing"),
        (EXPORT, {"complete": "no"}, "complete: Input should be a valid boolean"),
        (EXPORT, {"files": {"reads.csv": 1}}, "files.reads.csv: Input should be a valid string"),
        (REPORT, {"schema": "cxpath/study-report/0"}, "schema is 'cxpath/study-report/0', not"),
        (REPORT, {"tests": [{"figure": "agreement"}]}, "tests.0.cutoff: is missing"),
    ],
)  # fmt: skip
def test_a_document_that_was_tampered_with_names_file_field_and_remedy(
    document: File, changes: dict[str, Any], wrong: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    document.write(path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        type(document).read(path)
    assert str(caught.value).startswith(f"{path}: {wrong}")
    assert caught.value.hint == document.HINT
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        (TokensDocument, "cxpath study token"),
        (HeadDocument, "backup"),
        (ExportDocument, "cxpath study export"),
    ],
)
def test_a_missing_document_says_what_to_do(kind: type[File], remedy: str, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=remedy):
        kind.read(tmp_path / "a.json")


def test_what_is_not_finite_is_null_and_never_a_number() -> None:
    """Infinite degrees of freedom are null: JSON has no word for them."""
    with pytest.raises(ValidationError, match="degrees"):
        ArmsTestEntry(figure="f", cutoff="1", cases=1, left_out=0, why="", degrees=float("inf"))
    assert json.loads(REPORT.text())["tests"][0]["degrees"] is None


def test_a_figure_without_a_test_has_a_reason_and_no_numbers() -> None:
    entry = ArmsTestEntry(figure="f", cutoff="1", cases=3, left_out=0, why="too few cases")
    stated = entry.model_dump()
    assert {stated[name] for name in ("difference", "standard_error", "interval", "f", "p_value")} == {None}
    assert entry.arms == ()
