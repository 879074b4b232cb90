from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from cxpath.data.cells import CellTable, TissueRegion
from cxpath.review.cells import reviewed_cells
from cxpath.review.state import ReviewState
from cxpath.viewer.cells_binary import HIDDEN, CellMarks, Flag, cell_grid, cell_marks, encode_cells
from tests.review.reviewed import THRESHOLD, random_state, small_slide
from tests.viewer.reviews import DecodedCells, decode_cells

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
