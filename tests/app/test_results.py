"""What a run writes of its cells: tiles, the words of the gallery, files that are whole or not there."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
import pytest

from cxpath.app import results
from cxpath.app.results import (
    PACKAGES,
    CellFiles,
    TileColumns,
    _caption,
    _effect,
    _versions,
    tile_rows,
    write_tile_table,
)
from cxpath.data.cells import CellTable
from cxpath.data.slide_info import TileFrame
from cxpath.io.cells import read_cells
from cxpath.pipeline import TilePlan
from cxpath.pipeline.tiles import PlannedTile
from cxpath.report import INFLUENCE
from cxpath.scores.counts import CalledCells
from cxpath.scores.score import call_within
from cxpath.slide import Slide
from tests.synthetic_cells import synthetic_cells

THRESHOLD = 0.5


def plan(*excluded: str) -> TilePlan:
    """Return a row of tiles of 100 px with a halo of 10, one for every reason; "" is read."""
    tiles = tuple(
        PlannedTile(TileFrame(number, 200.0 * number - 20.0, -20.0, 2.0, 100, 10), 0.5 + number / 10, why)
        for number, why in enumerate(excluded)
    )
    return TilePlan(0.5, tiles, len(tiles))


def called(picture: str, *tiles: int) -> CalledCells:
    cells = replace(synthetic_cells(picture), tile=np.array(tiles, np.int32))
    return call_within(cells, THRESHOLD, np.zeros(len(cells)), 1.0)


def test_cells_are_counted_in_the_tile_that_found_them() -> None:
    rows = tile_rows(plan("", "glass", ""), called("T+ T- L+ L- P+ T-", 0, 0, 0, 2, 2, 2))
    assert rows["tumour_positive"].tolist() == [1, 0, 0]
    assert rows["tumour_negative"].tolist() == [1, 0, 1]
    assert rows["immune_positive"].tolist() == [1, 0, 0]
    assert rows["immune_negative"].tolist() == [0, 0, 1]
    assert rows["other"].tolist() == [0, 0, 1]
    np.testing.assert_allclose(rows["cps"], [100.0, np.nan, 0.0])
    assert rows["excluded"].tolist() == ["", "glass", ""]


def test_a_stained_immune_cell_away_from_tumour_is_in_no_column_of_its_tile() -> None:
    cells = replace(synthetic_cells("T- L+"), tile=np.array([0, 0], np.int32))
    far = call_within(cells, THRESHOLD, np.array([np.inf, 900.0]), 500.0)
    rows = tile_rows(plan(""), far)
    assert (rows["immune_positive"][0], rows["immune_negative"][0], rows["cps"][0]) == (0, 0, 0.0)


def test_a_tile_is_placed_by_its_core_and_numbered_as_in_the_plan() -> None:
    rows = tile_rows(plan("", ""), called("T+", 1))
    assert list(rows) == list(TileColumns.__annotations__)
    assert rows["tile"].tolist() == [0, 1]
    assert rows["x_px"].tolist() == [0.0, 200.0]
    assert rows["y_px"].tolist() == [0.0, 0.0]
    assert rows["size_px"].tolist() == [200.0, 200.0]
    assert rows["tissue_share"].tolist() == pytest.approx([0.5, 0.6])
    assert {name: column.dtype.str for name, column in rows.items() if name in {"tile", "x_px", "cps"}} == {
        "tile": "<i4",
        "x_px": "<f8",
        "cps": "<f4",
    }


def test_the_table_states_its_schema_and_leaves_a_score_without_tumour_empty(tmp_path: Path) -> None:
    write_tile_table(tmp_path, plan("", ""), called("T+", 0))
    table = pq.read_table(tmp_path / "tiles.parquet")
    assert b"cxpath/tiles/1" in b"".join(table.schema.metadata.values())
    assert table["cps"].to_pylist() == [100.0, None]


@pytest.mark.parametrize(
    ("influence", "bucket", "words", "effect"),
    [
        (1.234, INFLUENCE, "raises the CPS by 1.2", 1),
        (-0.0444, INFLUENCE, "lowers the CPS by 0.044", -1),
        (0.0, INFLUENCE, "does not move the CPS", 0),
        (float("inf"), INFLUENCE, "contains all tumour cells", 0),
        (5.0, "1 to below 10", "sampled at random", 0),
    ],
)
def test_the_gallery_says_what_a_field_does_to_the_score(
    influence: float, bucket: str, words: str, effect: int
) -> None:
    assert (_caption(influence, bucket), _effect(influence, bucket)) == (words, effect)


SLIDE = cast("Slide", SimpleNamespace(info=SimpleNamespace(bounds_px=(0, 0, 100_000, 100_000))))


def cells_of(picture: str) -> CellTable:
    return synthetic_cells(picture)


def test_cells_that_come_in_parts_are_one_table_in_their_order(tmp_path: Path) -> None:
    parts = cells_of("T+ T- L+"), cells_of("P- L-")
    with CellFiles(tmp_path, SLIDE) as files:
        for part in parts:
            files.keep(part)
        assert not (tmp_path / "cells.parquet").exists(), "half a table is not under its name"
    assert read_cells(tmp_path / "cells.parquet") == CellTable.concatenate(parts)
    assert (tmp_path / "cells.geojson.gz").is_file()


def test_a_run_that_finds_no_cell_leaves_empty_files_all_the_same(tmp_path: Path) -> None:
    with CellFiles(tmp_path, SLIDE) as files:
        files.keep(cells_of("T+").take(slice(0, 0)))
    assert len(read_cells(tmp_path / "cells.parquet")) == 0


def _break_off(files: CellFiles, stop: BaseException) -> None:
    with files:
        files.keep(cells_of("T+ T-"))
        raise stop


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError("tile 7")])
def test_a_run_that_breaks_off_leaves_no_file_of_cells(tmp_path: Path, stop: BaseException) -> None:
    with pytest.raises((KeyboardInterrupt, ValueError)):
        _break_off(CellFiles(tmp_path, SLIDE), cast("Any", stop))
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_is_not_there_is_said_to_be_so_and_an_optional_one_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(results, "version", nothing)
    found = _versions()
    assert {found[package] for package in PACKAGES} == {"not installed"}
    assert "openvino" not in found
    assert {"cxpath", "python"} <= found.keys()
