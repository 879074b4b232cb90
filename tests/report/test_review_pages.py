"""The contact sheet, answered in a real browser by a script that stands for a reader's hand."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxpath.report.review_pages import CROP_UM, CellCrop, SquareCrop, audit_page
from tests.browser import seen_after

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
