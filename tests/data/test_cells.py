from dataclasses import replace

import numpy as np
import pytest

from cxpath.data.cells import CellTable, CellTableFacts
from tests.synthetic_cells import synthetic_cells


def test_unknown_columns_are_refused() -> None:
    facts = CellTableFacts(mpp=0.5, width_px=10, height_px=10)
    with pytest.raises(ValueError, match="pd_l1"):
        CellTable.from_columns(facts, x_px=[1.0], y_px=[1.0], pd_l1=[1])


def test_columns_left_out_are_unknown_and_a_named_kind_is_certain() -> None:
    cells = synthetic_cells("T+ L- P+")
    assert np.isnan(cells.diameter_um).all()
    assert cells.p_tumour.tolist() == [1.0, 0.0, 0.0]
    assert cells.p_immune.tolist() == [0.0, 1.0, 0.0]


def test_taking_and_joining_is_the_identity() -> None:
    cells = synthetic_cells("T+ L- P+ T-")
    first = np.array([True, True, False, False])
    assert CellTable.concatenate([cells.take(first), cells.take(~first)]) == cells
    assert cells.take(first) != cells


def embedded(rows: list[int]) -> CellTable:
    """Return cells whose embeddings are all of one byte each; 0 is an unknown one."""
    facts = CellTableFacts(mpp=0.5, width_px=10, height_px=10)
    bytes_of = np.repeat(np.array(rows, np.uint8)[:, None], 16, axis=1)
    return CellTable.from_columns(
        facts, x_px=np.arange(len(rows)), y_px=np.arange(len(rows)), embedding=bytes_of
    )


def test_an_embedding_follows_its_cells() -> None:
    cells = embedded([3, 9, 0, 5])
    assert cells.embedded.tolist() == [True, True, False, True]
    first = np.array([True, False, True, False])
    taken = cells.take(first)
    assert taken.embedding is not None
    assert taken.embedding[:, 0].tolist() == [3, 0]
    assert CellTable.concatenate([cells.take(slice(0, 2)), cells.take(slice(2, None))]) == cells


def test_cells_without_an_embedding_stay_without_one_among_others() -> None:
    cells = embedded([3, 9])
    bare = replace(cells, embedding=None)
    assert bare != cells
    assert bare.embedded.tolist() == [False, False]
    joined = CellTable.concatenate([bare, cells])
    assert joined.embedded.tolist() == [False, False, True, True]
    assert CellTable.concatenate([bare, bare]).embedding is None


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 15), np.uint8), np.zeros((3, 16), np.uint8), np.zeros((2, 16))]
)
def test_an_embedding_of_another_form_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(2, 16\)"):
        replace(embedded([3, 9]), embedding=wrong)
