from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cxpath.cli.output import FAILED, USAGE
from cxpath.data.cells import Kind
from cxpath.io.cells import read_cells, write_cells
from scripts.studies.measure_audit import KnownSlide
from tests.app.reviewed_slides import fill_in, scored_slide
from tests.cli.command import cxpath

READER = "Dr A. Reader"


@pytest.fixture
def slide(tmp_path: Path) -> tuple[Path, Path, KnownSlide]:
    return scored_slide(tmp_path)


def test_a_review_from_the_sheet_to_the_signature(
    slide: tuple[Path, Path, KnownSlide], tmp_path: Path
) -> None:
    picture, results, known = slide
    drawn = cxpath("review", "audit", results, "--slide", picture, "--cells", "60", "--json")
    assert drawn.returncode == 0, drawn.stderr
    told = json.loads(drawn.stdout)
    assert (told["cells"], told["squares"]) == (60, 0)
    assert Path(told["sheet"]).is_file()
    answers = fill_in(results, known, tmp_path / "answers.csv")
    scored = cxpath("review", "audit", results, "--answers", answers, "--reviewer", READER)
    assert scored.returncode == 0, scored.stderr
    assert re.search(r"audited  CPS [\d.<]+ .*95% interval", scored.stdout)
    assert f"60 by {READER}" in scored.stdout
    signed = cxpath("review", "sign", results, "--reviewer", READER, "--meaning", "approved")
    assert f"approved by {READER}" in signed.stdout
    checked = cxpath("review", "verify", results)
    assert checked.returncode == 0
    assert "unbroken: 63 events" in checked.stdout
    assert f"approved by {READER}" in checked.stdout
    document = json.loads(cxpath("review", "verify", results, "--json").stdout)
    assert (document["events"], document["answers"], document["edits"]) == (63, 60, 0)
    assert document["signature"]["name"] == READER
    assert f"audit by {READER}: 60 answered, 0 open" in checked.stdout
    undone = cxpath("review", "undo", results, "--event", "5", "--reviewer", READER)
    assert undone.returncode == 0, undone.stderr
    assert "undone   event 5" in undone.stdout
    later = cxpath("review", "verify", results).stdout
    assert f"audit by {READER}: 59 answered, 1 open" in later
    assert "no valid signature" in later
    assert (
        "undone already" in cxpath("review", "undo", results, "--event", "5", "--reviewer", READER).only_line
    )
    again = cxpath("review", "audit", results, "--answers", answers, "--reviewer", READER, "--json")
    assert json.loads(again.stdout)["events"] == 62, "the same answers: the score of then is valid again"


def test_answers_adapt_the_network_leave_as_points_and_stay_on_the_report(
    slide: tuple[Path, Path, KnownSlide], tmp_path: Path
) -> None:
    picture, results, known = slide
    cxpath("review", "audit", results, "--slide", picture, "--cells", "60")
    answers = fill_in(results, known, tmp_path / "answers.csv")
    cxpath("review", "audit", results, "--answers", answers, "--reviewer", READER)
    adapted = cxpath("review", "adapt", results)
    assert adapted.returncode == 0, adapted.stderr
    assert re.search(r"tumour   (not )?offered: held-out log loss", adapted.stdout)
    assert "network, adapted; 95% interval" in adapted.stdout
    target = tmp_path / "slide.geojson"
    exported = cxpath("review", "export", results, "--to", target, "--json")
    assert sum(json.loads(exported.stdout)["cells"].values()) == 60
    assert "is there already" in cxpath("review", "export", results, "--to", target).only_line
    (results / "report.html").unlink()
    assert cxpath("report", results).returncode == 0
    assert "Audited by Dr A. Reader" in (results / "report.html").read_text(encoding="utf-8")


def test_an_edited_table_is_applied_and_a_broken_record_named(
    slide: tuple[Path, Path, KnownSlide], tmp_path: Path
) -> None:
    _, results, _ = slide
    cells = read_cells(results / "cells.parquet")
    cells.kind[:30] = Kind.OTHER
    write_cells(cells, tmp_path / "edited.parquet")
    done = cxpath("review", "apply", results, "--cells", tmp_path / "edited.parquet", "--reviewer", READER)
    assert done.returncode == 0, done.stderr
    assert re.search(r"edited   \d+ cells changed, 0 added, 0 removed", done.stdout)
    assert "CPS      " in done.stdout
    (record,) = results.glob("review/*/events.ndjson")
    record.write_bytes(record.read_bytes()[:-1])
    broken = cxpath("review", "verify", results)
    assert broken.returncode == FAILED
    assert re.search(r"events\.ndjson: line \d+ breaks off", broken.only_line)


def test_what_cannot_be_done_is_one_line(slide: tuple[Path, Path, KnownSlide], tmp_path: Path) -> None:
    picture, results, _ = slide
    assert "there is no review" in cxpath("review", "verify", results).only_line
    assert "there is no review" in cxpath("review", "sign", results, "--reviewer", READER).only_line
    assert "no such folder" in cxpath("review", "audit", tmp_path / "none").only_line
    assert "pass --slide" in cxpath("review", "audit", results).only_line
    assert "too few" in cxpath("review", "audit", results, "--slide", picture, "--cells", "3").only_line
    nameless = cxpath("review", "audit", results, "--answers", tmp_path / "answers.csv")
    assert nameless.returncode == USAGE
    assert "--reviewer" in nameless.only_line
    missing = ("review", "audit", results, "--answers", tmp_path / "none.csv", "--reviewer", READER)
    assert cxpath(*missing).returncode == FAILED
