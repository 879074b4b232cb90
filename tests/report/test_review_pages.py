"""The contact sheet, answered in a real browser by a script that stands for a reader's hand."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cxpath.report.review_pages import CROP_UM, CellCrop, SquareCrop, audit_page, moment, reviewed_section
from tests.browser import seen_after
from tests.report.run_folders import document_of, normal_score, not_evaluable_score

GREY = np.full((152, 152, 3), 128, dtype=np.uint8)


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    cells = [CellCrop("C001", GREY, asks_stained=True), CellCrop("C002", GREY, asks_stained=False)]
    squares = [SquareCrop("S1", GREY, 0.1, np.array([[0.5, 0.25]]))]
    page = tmp_path / "sheet.html"
    page.write_text(
        audit_page("a<b>.svs", "0123456789ab", cells, squares, "For Research Use Only."), encoding="utf-8"
    )
    return page


def _pictures(page: Path) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    coded = re.findall(r'data:image/jpeg;base64,([^"]+)', page.read_text(encoding="utf-8"))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in coded]


def test_the_cell_and_what_surrounds_it_stay_free_of_marks(sheet: Path) -> None:
    cell = _pictures(sheet)[0].astype(int)
    marked = np.abs(cell - 128).max(axis=2) > 40
    down, across = np.nonzero(marked)
    middle = cell.shape[0] / 2
    away_um = np.hypot(down - middle, across - middle) * CROP_UM / cell.shape[0]
    assert away_um.min() > 10.0
    assert marked.mean() < 0.02


def test_found_cells_of_a_square_carry_rings_and_its_frame_lies_at_the_margin(sheet: Path) -> None:
    square = _pictures(sheet)[2].astype(int)
    marked = np.abs(square - 128).max(axis=2) > 60
    side = square.shape[0]
    assert marked[round(0.25 * side) - 6 : round(0.25 * side) + 6, side // 2 - 6 : side // 2 + 6].any()
    assert not marked[round(0.6 * side), side // 3 : side // 2].any()
    assert marked[side // 2, round(0.1 * side) - 2 : round(0.1 * side) + 3].any()


def test_the_sheet_counts_what_is_left_and_makes_the_table(sheet: Path) -> None:
    script = """
      const find = (name, more = "") => document.querySelector(`input[name="${name}"]${more}`);
      const press = (name, value) => find(name, `[value="${value}"]`).click();
      const left = () => document.getElementById("left").textContent;
      const told = [left()];
      press("C001-class", "tumour"); told.push(left());
      press("C001-stained", "no"); told.push(left());
      press("C002-class", "not a cell"); told.push(left());
      for (const name of missed) {
        const box = document.querySelector(`input[name="S1-${name}"]`);
        box.value = "2"; box.dispatchEvent(new Event("input", {bubbles: true}));
      }
      told.push(left());
      const rows = [...document.querySelectorAll(".question")].map(row).map(cells => cells.join(","));
      document.body.insertAdjacentHTML("beforeend", "<pre id=told></pre>");
      document.getElementById("told").textContent = [...told, ...rows].join("|");
    """
    document = seen_after(sheet, script)
    found = re.search(r'<pre id="told">(.*?)</pre>', document)
    assert found is not None
    assert found.group(1).split("|") == [
        "3 left",
        "3 left",
        "2 left",
        "1 left",
        "all answered",
        "0123456789ab,C001,tumour,yes,no,,,",
        "0123456789ab,C002,not a cell,no,,,,",
        "0123456789ab,S1,,,,2,2,2",
    ]
    assert "a&lt;b&gt;.svs" in document


# The section of the slide's report.


def estimate(value: float, reported: str) -> dict[str, Any]:
    plain: dict[str, Any] = normal_score()["cps"]
    return plain | {
        "value": value,
        "reported": reported,
        "interval_slide": [value - 0.5, value + 0.5],
        "interval_tissue": [value - 1.0, value + 1.0],
    }


def stratum(name: str, cells: int, answered: int, unsure: int = 0) -> dict[str, Any]:
    return {
        "name": name, "cells": cells, "answered": answered, "cannot_tell": unsure, "in_numerator": 3,
        "in_denominator": 4,
    }  # fmt: skip


AUDITED: dict[str, Any] = {
    "cps": 9.5, "interval": [8.0, 11.0], "interval_tissue": [7.5, 12.0], "level": 0.95, "bounds": [9.1, 10.2],
    "n": 60, "cannot_tell": 2, "answers": [stratum("tumour stained", 4102, 30, 2), stratum("empty", 0, 0)],
    "tumour_cells": 48_000.0, "hidden_cells": 0.0, "squares": 0, "reviewer": "Dr Ada Example",
    "utc": "2026-11-23T09:14:05Z", "seed": 7, "events": 61, "head_hash": "ab" * 32, "method": "blind answers",
    "cutoffs": {}, "warnings": ["few answers"],
}  # fmt: skip
EDITED: dict[str, Any] = {
    "estimate": estimate(11.0, "11"), "not_evaluable_because": [], "changed": 1, "added": 0, "removed": 1200,
    "accepted_fields": 1, "regions": 2, "reviewer": "Dr Bo Example",
}  # fmt: skip
ADAPTED: dict[str, Any] = {
    "estimate": estimate(12.0, "12"), "offered": False, "tumour_shift": 0.0, "tumour_scale": 1.0,
    "stained_threshold": 0.5, "tumour_gain": None, "stained_gain": None, "reviewer": "Dr Ada Example",
}  # fmt: skip
RECORD: dict[str, Any] = {"edits": 0, "events": 1204, "head_hash": "cd" * 32}


def section(score: dict[str, Any] | None = None, **stated: Any) -> dict[str, Any]:
    found = reviewed_section(document_of((score or normal_score()) | {"review": RECORD} | stated))
    assert found is not None
    return dict(found)


def test_without_a_review_the_report_has_no_such_section() -> None:
    assert reviewed_section(document_of(normal_score())) is None


def test_a_review_that_was_only_begun_shows_the_networks_score_which_decides() -> None:
    found = section()
    assert found["rows"] == [
        {
            "name": "Network", "cps": "12 (12.34)", "tissue": "10 to 14", "slide": "11 to 13",
            "decides": True,
        }
    ]  # fmt: skip
    assert (found["basis"], found["changes"], found["audit"], found["signature"]) == (
        "the network's own",
        "",
        None,
        "",
    )
    assert (found["events"], found["head_hash"]) == ("1\u202f204", "cd" * 32)


def test_scores_stand_side_by_side_and_one_decides() -> None:
    review = RECORD | {"edited": EDITED, "adapted": ADAPTED}
    rows = section(audited=AUDITED, review=review)["rows"]
    assert [(row["name"], row["cps"], row["decides"]) for row in rows] == [
        ("Network", "12 (12.34)", False),
        ("Network, adapted to Dr Ada Example's answers: no gain, as the network", "12 (12.00)", False),
        ("After edits by Dr Bo Example", "11 (11.00)", False),
        ("Audited by Dr Ada Example, 23 November 2026, 09:14 UTC", "9.5 (9.50)", True),
    ]
    edited = section(review=RECORD | {"edited": EDITED, "adapted": ADAPTED | {"offered": True}})
    assert [row["decides"] for row in edited["rows"]] == [False, False, True]
    assert edited["rows"][1]["name"] == "Network, adapted to Dr Ada Example's answers"
    assert edited["basis"] == "after a person's edits"


def test_too_few_cells_after_edits_are_not_evaluable_and_never_0() -> None:
    gone = EDITED | {"estimate": None, "not_evaluable_because": ["12 viable tumour cells"]}
    row = section(review=RECORD | {"edited": gone})["rows"][-1]
    assert row == {
        "name": "After edits by Dr Bo Example", "cps": "not evaluable", "tissue": "–", "slide": "–",
        "decides": True,
    }  # fmt: skip


def test_answers_do_not_make_a_slide_evaluable() -> None:
    rows = section(not_evaluable_score(), audited=AUDITED)["rows"]
    assert [(row["cps"], row["decides"]) for row in rows] == [("not evaluable", True), ("9.5 (9.50)", False)]


def test_changes_are_counted_with_the_words_that_agree_and_what_did_not_change_is_left_out() -> None:
    said = section(review=RECORD | {"edited": EDITED})["changes"]
    assert said == "1 cell changed, 1\u202f200 cells removed, 1 field accepted, 2 regions drawn"


def test_the_audit_leaves_out_empty_strata_and_states_both_ways_of_what_nobody_could_tell() -> None:
    found = section(audited=AUDITED)["audit"]
    assert [one["name"] for one in found["strata"]] == ["tumour stained"]
    assert (found["strata"][0]["cells"], found["strata"][0]["cannot_tell"]) == ("4\u202f102", "2")
    assert (found["answers"], found["cannot_tell"], found["bounds"]) == ("60", "2", "9.10 and 10.20")
    assert (found["seed"], found["warnings"]) == ("7", ["few answers"])
    sure = section(audited=AUDITED | {"cannot_tell": 0})["audit"]
    assert (sure["cannot_tell"], sure["bounds"]) == (None, None)


def test_a_signature_says_who_when_and_what_for() -> None:
    signed = {"name": "Dr Ada Example", "utc": "2026-12-01T00:30:00+02:00", "meaning": "approved"}
    found = section(review=RECORD | {"signature": signed})
    assert found["signature"] == "approved by Dr Ada Example, 30 November 2026, 22:30 UTC"


def test_a_moment_that_is_none_stays_as_it_was_written() -> None:
    assert moment("yesterday") == "yesterday"
    assert moment("2026-01-05T07:08:09Z") == "5 January 2026, 07:08 UTC"
