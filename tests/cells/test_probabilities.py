import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cxpath.cells.probabilities import name_cells, positive_probability, stained_probability
from cxpath.values.calibration import Calibration
from cxpath.values.cell_peaks import FINE_CLASSES
from cxpath.values.cell_table import Kind, Subkind

PLAIN = Calibration()


def logits(**chosen: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    row = np.full((1, len(FINE_CLASSES)), -9.0, dtype=np.float32)
    for name, value in chosen.items():
        row[0, FINE_CLASSES.index(name)] = value
    return row


@pytest.mark.parametrize(
    ("fine", "kind", "subkind"),
    [
        ("tumour", Kind.TUMOUR, Subkind.UNKNOWN),
        ("lymphocyte", Kind.IMMUNE, Subkind.LYMPHOCYTE),
        ("macrophage", Kind.IMMUNE, Subkind.MACROPHAGE),
        ("plasma", Kind.OTHER, Subkind.PLASMA),
        ("neutrophil", Kind.OTHER, Subkind.NEUTROPHIL),
        ("benign_epithelium", Kind.OTHER, Subkind.BENIGN_EPITHELIUM),
    ],
)
def test_fine_classes_have_the_kind_that_the_rule_gives_them(fine: str, kind: Kind, subkind: Subkind) -> None:
    names = name_cells(logits(**{fine: 9.0}), PLAIN)
    assert names.kind[0] == kind
    assert names.subkind[0] == subkind


def test_certainty_is_that_of_the_kind_called() -> None:
    names = name_cells(
        np.concatenate([logits(plasma=1.0, neutrophil=1.0), logits(tumour=2.0, plasma=0.0)]), PLAIN
    )
    assert names.certainty == pytest.approx(np.array([names.p_other[0], names.p_tumour[1]]))
    assert names.certainty[0] > 0.99


def test_a_cell_split_between_excluded_classes_is_excluded() -> None:
    names = name_cells(logits(tumour=1.0, plasma=0.8, neutrophil=0.8), PLAIN)
    assert names.kind[0] == Kind.OTHER
    assert names.subkind[0] == Subkind.PLASMA


@given(st.lists(st.floats(-20, 20, width=32), min_size=10, max_size=10), st.floats(0.2, 5))
def test_probabilities_add_up_to_one(values: list[float], temperature: float) -> None:
    names = name_cells(np.array([values], dtype=np.float32), Calibration(kind_temperature=temperature))
    total = names.p_tumour + names.p_immune + names.p_other
    assert total[0] == pytest.approx(1.0, abs=1e-5)


def test_biases_move_cells_between_kinds() -> None:
    values = logits(tumour=1.0, plasma=1.4)
    biases = [0.0] * len(FINE_CLASSES)
    biases[0] = 1.0
    assert name_cells(values, PLAIN).kind[0] == Kind.OTHER
    moved = name_cells(values, Calibration(kind_biases=tuple(biases)))
    assert moved.kind[0] == Kind.TUMOUR
    assert moved.p_tumour[0] == pytest.approx(1 / (1 + np.exp(1.4 - 2.0)), abs=1e-3)


def test_tumour_needs_membrane_and_immune_cells_do_not() -> None:
    cytoplasm_only = np.array([[-5.0, 5.0]] * 3, dtype=np.float32)
    kinds = np.array([Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER], dtype=np.uint8)
    assert (stained_probability(cytoplasm_only, kinds, PLAIN) > 0.5).tolist() == [False, True, True]


def test_calibration_moves_probabilities_as_stated() -> None:
    raw = np.array([[2.0, 2.0]], dtype=np.float32)
    tumour = np.array([Kind.TUMOUR], dtype=np.uint8)
    softer = Calibration(membrane_temperature=2.0, membrane_bias=-1.0)
    assert stained_probability(raw, tumour, softer)[0] == pytest.approx(0.5)


def test_no_cells_are_fine() -> None:
    empty = np.zeros((0, 10), dtype=np.float32)
    assert len(name_cells(empty, PLAIN).kind) == 0
    assert len(stained_probability(empty[:, :2], np.zeros(0, np.uint8), PLAIN)) == 0


def test_doubt_about_the_kind_is_doubt_about_the_positive_cell() -> None:
    sure, doubtful = logits(lymphocyte=9.0), logits(lymphocyte=1.0, plasma=0.9)
    brown = np.array([[0.0, 6.0]], dtype=np.float32)
    of_sure, of_doubtful = (
        positive_probability(brown, name_cells(one, PLAIN), PLAIN)[0] for one in (sure, doubtful)
    )
    assert of_sure > 0.95
    assert of_doubtful < 0.6


@given(arrays(np.float32, (5, 12), elements=st.floats(-20, 20, width=32)))
def test_it_is_never_more_than_either_alone(values: NDArray[np.float32]) -> None:
    names = name_cells(values[:, 2:], PLAIN)
    both = positive_probability(values[:, :2], names, PLAIN)
    stained = stained_probability(values[:, :2], names.kind, PLAIN)
    assert (both <= stained + 1e-6).all()
    assert (both <= names.certainty + 1e-6).all()
