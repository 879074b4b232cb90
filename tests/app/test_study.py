from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cxpath.agreement.base import AgreementSettings
from cxpath.app.agree import AgreementRequest, compare, run_agreement
from cxpath.app.study import (
    ANSWERS,
    EXPORT,
    HEAD,
    READS,
    RECORD,
    SOFTWARE_READS,
    STUDY,
    StudyFolder,
    export_study,
    read_study,
    reads_of,
    renew_token,
    require_slides,
    study_status,
)
from cxpath.documents.study import (
    ExportDocument,
)
from cxpath.errors import ConfigurationError, DocumentError, MissingFileError, OutputError
from cxpath.io.reads import read_reads
from cxpath.io.tables import plain_table
from cxpath.review.events import ReviewError
from cxpath.review.study_design import Assignment, reader_of
from tests.app.studies import begun, read_at_once, read_by, read_by_all
from tests.review.study_designs import SAME_SITTING, START, UNAIDED, answer, design

NO_QUESTIONS = {"adequacy": False, "sides": False, "confidence": False, "comment": False}


def by_slide(reader: str, read: Assignment) -> Mapping[str, Any]:
    """Answer with the slide's number, half as much again for the second reader, and s4 not at all."""
    number = int(read.slide[1:])
    if number == 4:
        return {"adequate": False, "confidence": 2, "comment": "necrosis"}
    return answer(number * (1.5 if reader == "r2" else 1))


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """A study of two rounds that two readers have finished."""
    found = begun(tmp_path / "study", design())
    read_by_all(found, by_slide)
    return found


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_what_was_read_is_read_back(study: StudyFolder) -> None:
    state = read_study(study.path).record("r1").state
    assert len(state.submitted) == 8
    assert state.next is None


def test_a_torn_line_was_never_acknowledged_and_is_put_aside(study: StudyFolder) -> None:
    path = study.record("r1").path
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"action":"submit","act')
    again = read_study(study.path).record("r1")
    assert len(again.state.submitted) == 8
    assert path.read_bytes() == whole
    assert (path.parent / "torn-line.txt").read_bytes() == b'{"action":"submit","act'


def test_a_cut_tail_is_found(study: StudyFolder) -> None:
    path = study.record("r1").path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(ReviewError, match=f"line {len(lines)} is missing: {HEAD} states {len(lines)} events"):
        read_study(study.path).record("r1").events  # noqa: B018


def test_a_tail_written_anew_is_found(study: StudyFolder) -> None:
    other = begun(study.path.parent / "other", design())
    read_by(other, "r1", lambda _, __: answer(7))
    path = study.record("r1").path
    path.write_bytes(other.record("r1").path.read_bytes())
    with pytest.raises(ReviewError, match=r"is not the one that head\.json states"):
        read_study(study.path).record("r1").events  # noqa: B018


def test_a_design_changed_after_the_first_read_is_refused(study: StudyFolder) -> None:
    path = study.path / STUDY
    path.write_text(path.read_text().replace("wash_out_days = 14.0", "wash_out_days = 0.0"))
    with pytest.raises(ReviewError, match=r"study\.toml.*was changed after the study began"):
        study_status(read_study(study.path))


def test_a_comment_in_the_design_changes_nothing(study: StudyFolder) -> None:
    path = study.path / STUDY
    path.write_text(f"# checked by the organiser\n{path.read_text()}")
    assert study_status(read_study(study.path)).reads == 16


def test_the_status_says_nothing_of_answers(study: StudyFolder) -> None:
    status = study_status(study)
    assert (status.reads, status.planned) == (16, 16)
    assert [one.stage for one in status.readers] == ["done", "done"]
    text = status.text()
    for word in ("software", "necrosis", "4.5", "s1", "score"):
        assert word not in text


def test_the_status_names_the_end_of_the_wash_out(tmp_path: Path) -> None:
    found = begun(tmp_path, design())
    now = read_by(found, "r1", until=4)
    one, other = study_status(found, now).readers
    assert (one.stage, one.opens_utc) == ("wash-out", "2026-12-14T09:02:04Z")
    assert [(part.read, part.planned) for part in one.rounds] == [(4, 4), (0, 4)]
    assert (other.stage, other.last_utc, other.events) == ("reading", None, 0)


def test_the_export_is_what_agree_reads(study: StudyFolder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    document = export_study(study, out, now=START)
    table = read_reads(out / READS)
    assert not [warning for warning in table.warnings if "not used" in warning]
    unnumbered = [{**vars(read), "row": 0, "groups": {}} for read in table.reads]
    assert sorted(map(str, unnumbered)) == sorted(
        str({**vars(read), "groups": {}}) for read in reads_of(study)
    )
    assert {(read.round, read.arm) for read in table.reads} == {(1, "unaided"), (2, "aided")}
    assert document.complete
    assert ExportDocument.read(out / EXPORT) == document


def test_agree_takes_rounds_and_arms_from_the_export(study: StudyFolder, tmp_path: Path) -> None:
    export_study(study, tmp_path / "out")
    settings = AgreementSettings(replicates=100)
    request = AgreementRequest((tmp_path / "out" / READS,), settings=settings)
    run_agreement(request, tmp_path / "agreement")
    stated = json.loads((tmp_path / "agreement" / "agreement.json").read_text())
    assert [(one["round"], one["arm"]) for one in stated["rounds"]] == [(1, "unaided"), (2, "aided")]
    assert stated["rounds"][0]["not_evaluable"] == 2
    assert "In round 2 (aided)" in (tmp_path / "agreement" / "report.html").read_text()


def test_software_can_be_compared_from_the_export(study: StudyFolder, tmp_path: Path) -> None:
    export_study(study, tmp_path / "out")
    tables = (tmp_path / "out" / READS, tmp_path / "out" / SOFTWARE_READS)
    settings = AgreementSettings(replicates=100)
    found, _ = compare(AgreementRequest(tables, software="software", settings=settings))
    assert found.rounds[1].software is not None
    assert found.rounds[1].software.values.tolist() == [
        float(unit[1][1:]) for unit in found.rounds[1].readers.units
    ]


def test_answers_hold_everything_that_was_said(study: StudyFolder, tmp_path: Path) -> None:
    export_study(study, tmp_path / "out")
    answers = rows(tmp_path / "out" / ANSWERS)
    assert len(answers) == 16
    folded = next(one for one in answers if one["slide"] == "s4" and one["round"] == "2")
    assert (folded["adequate"], folded["CPS"], folded["comment"], folded["software shown"]) == (
        "no",
        "",
        "necrosis",
        "4",
    )
    first = next(one for one in answers if one["slide"] == "s1" and one["round"] == "1")
    assert (first["reaches 1"], first["reaches 10"], first["confidence"], first["seconds"]) == (
        "yes",
        "no",
        "4",
        "30.0",
    )
    assert first["software shown"] == ""


def test_comments_cannot_become_formulas(tmp_path: Path) -> None:
    found = begun(tmp_path / "study", design(slides=1, rounds=[UNAIDED]))
    read_by_all(found, lambda _, __: answer(3, comment='=HYPERLINK("x")'))
    export_study(found, tmp_path / "out")
    assert rows(tmp_path / "out" / ANSWERS)[0]["comment"].startswith("'=")


def test_practice_is_never_exported(tmp_path: Path) -> None:
    slides = [
        {"id": "s1", "file": "a", "software": 1.0, "practice": True},
        {"id": "s2", "file": "b", "software": 2.0},
    ]
    found = begun(tmp_path / "study", design(slides=slides, rounds=[UNAIDED, SAME_SITTING]))
    read_by_all(found)
    document = export_study(found, tmp_path / "out")
    assert (document.reads, document.planned) == (4, 4)
    assert "s1" not in (tmp_path / "out" / READS).read_text(encoding="utf-8-sig")


def test_an_unfinished_study_can_be_exported_and_says_so(tmp_path: Path) -> None:
    found = begun(tmp_path / "study", design())
    read_by(found, "r1", until=2)
    document = export_study(found, tmp_path / "out")
    assert (document.complete, document.reads, document.planned) == (False, 2, 16)


def test_nothing_read_is_nothing_to_export(tmp_path: Path) -> None:
    found = begun(tmp_path / "study", design())
    with pytest.raises(ReviewError, match="no slide was read yet"):
        export_study(found, tmp_path / "out")


def test_an_export_is_not_replaced_unasked(study: StudyFolder, tmp_path: Path) -> None:
    export_study(study, tmp_path / "out")
    with pytest.raises(OutputError, match="contains an export already"):
        export_study(study, tmp_path / "out")
    export_study(study, tmp_path / "out", overwrite=True)


def test_the_audit_log_is_the_record(study: StudyFolder, tmp_path: Path) -> None:
    document = export_study(study, tmp_path / "out")
    for entry in document.records:
        copied = (tmp_path / "out" / entry.file).read_bytes()
        assert copied == (study.path / "readers" / entry.reader / RECORD).read_bytes()
        assert entry.events == copied.count(b"\n")


def test_a_new_token_voids_the_old_one(tmp_path: Path) -> None:
    found = begun(tmp_path, design())
    old = renew_token(found, "r1")
    assert reader_of(old, found.tokens()) == "r1"
    new = renew_token(found, "r1")
    assert reader_of(old, found.tokens()) is None
    assert reader_of(new, found.tokens()) == "r1"
    with pytest.raises(ReviewError, match="no reader 'nobody'"):
        renew_token(found, "nobody")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    found = begun(tmp_path, design())
    with pytest.raises(MissingFileError, match=r"s1\.svs: no such file"):
        require_slides(found)
    (tmp_path / "tokens.json").write_text("{}")
    with pytest.raises(DocumentError, match=r"tokens\.json"):
        found.tokens()
    (tmp_path / STUDY).write_text("name = ")
    with pytest.raises(ConfigurationError, match=r"study\.toml"):
        read_study(tmp_path)


@pytest.mark.parametrize(("ring", "agreement", "consistency"), [(1, 0.5900, 0.6738), (2, 0.6677, 0.7359)])
def test_the_rings_of_31_readers_come_out_as_published(
    data_dir: Path, tmp_path: Path, ring: int, agreement: float, consistency: float
) -> None:
    """109 cases × 31 readers (Wang et al. 2021), answered in a study, exported, and studied by agree."""
    table = plain_table(data_dir / "stats" / "pdl1_sp142_31readers" / f"ring{ring}_continue.csv").rows
    names = [name for name in table[0][1] if name]
    scores = {row[0]: dict(zip(names, map(float, row[1:]), strict=True)) for _, row in table[1:]}
    of = design(
        slides=[{"id": case, "file": "x.svs"} for case in scores],
        readers=[{"id": name} for name in names],
        rounds=[UNAIDED],
        score="IC",
        questions=NO_QUESTIONS,
    )
    found = begun(tmp_path / "study", of)
    for name in names:
        read_at_once(found, name, lambda reader, read: {"score": scores[read.slide][reader]})
    document = export_study(found, tmp_path / "out")
    assert (document.reads, document.complete) == (109 * 31, True)
    settings = AgreementSettings(replicates=100, orders=20)
    studied, _ = compare(AgreementRequest((tmp_path / "out" / READS,), settings=settings))
    for key, value in (("icc_a1", agreement), ("icc_c1", consistency)):
        one = studied.find(key, analysis="between readers", scale="raw")
        assert one is not None
        assert one.value == pytest.approx(value, abs=5e-5)
