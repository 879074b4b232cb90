"""Tiles and crops as JPEG, and the binary table of cells."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from cxpath.data.cells import CellTable, TissueRegion
from cxpath.review.cells import reviewed_cells
from cxpath.review.state import ReviewState
from cxpath.slide.open import open_slide
from cxpath.viewer.canvas import (
    COARSEST_PX,
    HIDDEN,
    CellMarks,
    Flag,
    NoTileError,
    SlideTiles,
    cell_grid,
    cell_marks,
    encode_cells,
    shown_levels,
)
from tests.conftest import SyntheticSlide
from tests.review.reviewed import THRESHOLD, random_state, small_slide
from tests.viewer.reviews import DecodedCells, decode_cells


def pixels(content: bytes) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_a_stored_tile_leaves_with_the_bytes_of_the_file(synthetic_slide: SyntheticSlide) -> None:
    content = synthetic_slide.path.read_bytes()
    with open_slide(synthetic_slide.path) as slide:
        tiles = SlideTiles(slide)
        tile, stored = tiles.tile(0, 5, 3), slide.stored_tile(0, 5, 3)
    assert tile == stored
    assert tile[-1_000:] in content  # its head is completed, its compressed pixels are the scanner's


def test_a_stored_tile_shows_what_the_reader_shows(synthetic_slide: SyntheticSlide) -> None:
    with open_slide(synthetic_slide.path) as slide:
        tiles = SlideTiles(slide)
        level = tiles.levels[0]
        shown = pixels(tiles.tile(0, 5, 3))
        x_px, y_px = 5 * level.tile_width_px, 3 * level.tile_height_px
        read = slide.read(x_px, y_px, level.tile_width_px, level.tile_height_px, slide.mpp)
    assert np.abs(shown.astype(int) - read).mean() < 1.0


def test_every_level_shows_the_same_tissue_in_the_same_place(synthetic_slide: SyntheticSlide) -> None:
    with open_slide(synthetic_slide.path) as slide:
        tiles = SlideTiles(slide)
        for level in tiles.levels:
            shown = pixels(tiles.tile(level.index, 0, 0))
            read = slide.read(0, 0, shown.shape[1], shown.shape[0], slide.mpp * level.downsample)
            assert np.abs(shown.astype(int) - read).mean() < 3.0, level


def test_a_tile_at_the_edge_ends_with_the_slide(tmp_path: Path) -> None:
    picture = tmp_path / "slide.png"
    Image.fromarray(np.full((700, 1100, 3), 200, dtype=np.uint8)).save(picture)
    with open_slide(picture, 0.5) as slide:
        tiles = SlideTiles(slide)
        level = tiles.levels[0]
        assert (level.across, level.down) == (3, 2)
        assert pixels(tiles.tile(0, 2, 1)).shape == (700 - 512, 1100 - 1024, 3)
        assert slide.stored_tile(0, 0, 0) is None
        assert slide.tile_size(0) is None


def test_a_slide_without_small_levels_gets_computed_ones(tmp_path: Path) -> None:
    picture = tmp_path / "slide.png"
    Image.fromarray(np.full((1000, 5000, 3), 200, dtype=np.uint8)).save(picture)
    with open_slide(picture, 0.5) as slide:
        levels = shown_levels(slide)
    assert [level.downsample for level in levels] == [1, 2, 4, 8]
    assert max(levels[-1].width_px, levels[-1].height_px) <= COARSEST_PX


@pytest.mark.parametrize("place", [(0, 99, 0), (0, 0, 99), (0, -1, 0), (9, 0, 0), (-1, 0, 0)])
def test_a_tile_that_is_not_there_is_refused(
    synthetic_slide: SyntheticSlide, place: tuple[int, int, int]
) -> None:
    with open_slide(synthetic_slide.path) as slide, pytest.raises(NoTileError):
        SlideTiles(slide).tile(*place)


def test_a_crop_has_its_place_in_the_middle_and_its_size_in_micrometres(tmp_path: Path) -> None:
    rgb = np.full((400, 400, 3), 255, dtype=np.uint8)
    rgb[196:204, 296:304] = 0
    picture = tmp_path / "slide.png"
    Image.fromarray(rgb).save(picture)
    with open_slide(picture, 0.5) as slide:
        tiles = SlideTiles(slide)
        crop, beyond = pixels(tiles.crop(300.0, 200.0, 20.0, 80)), pixels(tiles.crop(0.0, 0.0, 20.0, 80))
    dark = np.argwhere(crop.mean(axis=2) < 128)
    assert dark.mean(axis=0) == pytest.approx([39.5, 39.5], abs=0.6)
    assert len(dark) == pytest.approx(16**2, rel=0.1)
    assert beyond.min() > 250  # white where there is no slide


NETWORK = small_slide()
GRID = cell_grid(NETWORK, 150.0)
NONE = np.zeros(0, dtype=np.int64)


def marks(state: ReviewState, hidden: np.ndarray[tuple[int], np.dtype[np.int64]] = NONE) -> CellMarks:
    cells = reviewed_cells(NETWORK, state, THRESHOLD, 500.0)
    return cell_marks(cells, NETWORK.stained, GRID, THRESHOLD, hidden)


def encoded(state: ReviewState) -> DecodedCells:
    cells = reviewed_cells(NETWORK, state, THRESHOLD, 500.0)
    return decode_cells(encode_cells(cells.table, marks(state), GRID, 7))


def test_the_file_says_what_the_table_says() -> None:
    found = encoded(ReviewState())
    assert (found.cells, found.network, found.events) == (len(NETWORK), len(NETWORK), 7)
    assert np.array_equal(found.x_px, NETWORK.x_px[GRID.row_of_id].astype(np.float32))
    assert np.array_equal(found.class_of, NETWORK.kind[GRID.row_of_id])
    stained = (found.flags & Flag.STAINED) > 0
    assert np.array_equal(stained, NETWORK.stained[GRID.row_of_id] >= THRESHOLD)
    necrosis = (found.flags & Flag.NEVER_COUNTED) > 0
    assert np.array_equal(necrosis, NETWORK.region[GRID.row_of_id] == TissueRegion.NECROSIS)


def test_every_cell_lies_in_the_square_that_lists_it() -> None:
    found = encoded(ReviewState())
    assert found.offsets[0] == 0
    assert found.offsets[-1] == found.network
    for square in range(found.columns * found.rows):
        ids = slice(int(found.offsets[square]), int(found.offsets[square + 1]))
        assert (found.x_px[ids] // found.side_px == square % found.columns).all()
        assert (found.y_px[ids] // found.side_px == square // found.columns).all()


@given(st.integers(0, 10_000))
def test_ids_and_rows_are_two_names_of_the_same_cells(seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, len(NETWORK) + 5, 20)
    assert np.array_equal(GRID.rows_of(GRID.ids_of(rows)), rows)


def test_the_grid_of_a_table_is_always_the_same() -> None:
    again = cell_grid(small_slide(), 150.0)
    assert np.array_equal(again.row_of_id, GRID.row_of_id)


@given(st.integers(0, 10_000))
def test_patches_lead_from_any_state_to_any_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    earlier, later = marks(random_state(NETWORK, rng)), marks(random_state(NETWORK, rng))
    changed = later.changed_since(earlier)
    for before, now in ((earlier.class_of, later.class_of), (earlier.flags, later.flags)):
        patched = np.resize(before, len(now)).copy()
        patched[changed] = now[changed]
        assert np.array_equal(patched, now)


def test_flags_say_what_a_person_did() -> None:
    row, gone, added = 3, 4, len(NETWORK)
    place = {"x_px": 10.0, "y_px": 20.0}
    edits: dict[int, dict[str, object]] = {
        row: {"class": "immune", "stained": True},
        gone: {"removed": True},
        added: {"class": "tumour", "stained": False, **place},
    }
    found = marks(ReviewState(edits=edits))
    ids = GRID.ids_of(np.array([row, gone, added]))
    assert found.class_of[ids].tolist() == [1, 3, 0]
    assert (found.flags[ids] & Flag.EDITED > 0).all()
    assert (found.flags[ids] & Flag.ADDED > 0).tolist() == [False, False, True]
    assert found.flags[ids[0]] & Flag.STAINED


def test_a_hidden_cell_shows_neither_class_nor_staining() -> None:
    rows = np.flatnonzero(NETWORK.stained >= THRESHOLD)[:5]
    found = marks(ReviewState(), rows)
    ids = GRID.ids_of(rows)
    assert (found.class_of[ids] == HIDDEN).all()
    assert (found.flags[ids] == 0).all()


def test_near_the_threshold_is_stated_of_the_networks_calls_alone() -> None:
    near = CellTable.from_columns(
        NETWORK.facts, x_px=[10.0, 20.0], y_px=[10.0, 20.0], kind=[0, 0], stained=[0.3, 0.3]
    )
    state = ReviewState(edits={1: {"class": "tumour", "stained": False, "confirmed": True}})
    cells, grid = reviewed_cells(near, state, THRESHOLD, 500.0), cell_grid(near)
    found = cell_marks(cells, near.stained, grid, THRESHOLD, NONE)
    assert (found.flags & Flag.NEAR_THRESHOLD > 0).tolist() == [True, False]
