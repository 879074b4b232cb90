from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cxpath.data.cells import Kind
from cxpath.errors import OutputError
from cxpath.report.html import POSITIVE
from scripts.studies.contact_sheet import (
    CAPTION_PX,
    GAP_PX,
    HEADING_PX,
    LEGEND_PX,
    Panel,
    ShownCells,
    contact_sheet,
    marked_panels,
    write_small,
)

GREY = np.full((100, 100, 3), 200, np.uint8)


def cells(*rows: tuple[float, float, Kind, bool]) -> ShownCells:
    x_px, y_px, kind, positive = (np.array(column) for column in zip(*rows, strict=True))
    return ShownCells(x_px.astype(float), y_px.astype(float), kind.astype(np.uint8), positive.astype(bool))


def orange(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(pixels.astype(int) - POSITIVE) < 12).all(axis=-1))


def test_cells_lie_where_they_are_on_their_panel_and_nowhere_else() -> None:
    shown = cells((25.0, 75.0, Kind.TUMOUR, True))
    sheet = contact_sheet({"plain": [Panel(GREY)], "marked": [Panel(GREY, cells=shown)]}, 0.5, panel_px=400)
    pixels = np.asarray(sheet)
    first, second = HEADING_PX, 2 * HEADING_PX + 400 + CAPTION_PX
    assert not orange(pixels[first : first + 400, GAP_PX : GAP_PX + 400]).any()
    rows, columns = np.nonzero(orange(pixels[second : second + 400, GAP_PX : GAP_PX + 400]))
    assert columns.mean() == pytest.approx(100, abs=1.5)
    assert rows.mean() == pytest.approx(300, abs=1.5)


@pytest.mark.parametrize(("columns", "legend_rows"), [(1, 6), (2, 2), (4, 1)])
def test_the_sheet_grows_with_its_panels_and_the_legend_wraps(columns: int, legend_rows: int) -> None:
    sheet = contact_sheet({"a": [Panel(GREY)] * columns, "b": [Panel(GREY)]}, 0.5, panel_px=320)
    assert sheet.width == GAP_PX + columns * (320 + GAP_PX)
    assert sheet.height == 2 * (HEADING_PX + 320 + CAPTION_PX) + legend_rows * LEGEND_PX
    legend = np.asarray(sheet)[-legend_rows * LEGEND_PX :]
    assert orange(legend).sum() > 150, "two filled marks"
    assert (legend[:, -4:] == 255).all(), "nothing is cut off at the right"


def test_fewer_columns_have_larger_pictures() -> None:
    one, three = (contact_sheet({"a": [Panel(GREY)] * columns}, 0.5) for columns in (1, 3))
    assert one.width - 2 * GAP_PX == 640
    assert (three.width - 4 * GAP_PX) // 3 == 480


def test_a_caption_says_the_cps_of_the_marked_cells() -> None:
    shown = cells(
        (1, 1, Kind.TUMOUR, True), (2, 2, Kind.TUMOUR, False), (3, 3, Kind.TUMOUR, False),
        (4, 4, Kind.IMMUNE, True), (5, 5, Kind.OTHER, True),
    )  # fmt: skip
    assert marked_panels([GREY], [shown], "true CPS")[0].caption == "true CPS 66.7"
    assert cells((1, 1, Kind.TUMOUR, True), (2, 2, Kind.IMMUNE, True)).cps == 100.0
    assert cells((1, 1, Kind.OTHER, True)).cps == 0.0


def test_a_sheet_is_written_as_good_as_its_size_allows(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    sheet = Image.fromarray(noise)
    fine = write_small(sheet, tmp_path / "fine.webp")
    limit = (tmp_path / "fine.webp").stat().st_size * 3 // 4
    assert write_small(sheet, tmp_path / "small.webp", limit) < fine
    assert (tmp_path / "small.webp").stat().st_size <= limit
    with Image.open(tmp_path / "small.webp") as opened:
        assert opened.size == (200, 200)


def test_a_sheet_that_cannot_be_small_or_written_is_not_there(tmp_path: Path) -> None:
    sheet = Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8))
    with pytest.raises(OutputError, match="show fewer pictures"):
        write_small(sheet, tmp_path / "a.webp", largest_bytes=1000)
    with pytest.raises(OutputError, match="cannot be written"):
        write_small(sheet, tmp_path / "none" / "a.webp")
    assert list(tmp_path.iterdir()) == []
