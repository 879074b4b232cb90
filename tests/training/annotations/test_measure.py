"""Figures against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cxpath.network.card import Metric
from cxpath.network.model_store import load_card
from cxpath.training.annotations.annotated_field import STAIN_UNKNOWN, AnnotatedCells
from cxpath.training.annotations.measure import FIGURES, metrics
from cxpath.training.annotations.seen_windows import Seen
from cxpath.training.fine_labels import ANY_IMMUNE, ANY_OTHER, TUMOUR, UNLABELLED
from cxpath.values.cell_peaks import FINE_CLASSES
from cxpath.values.cell_table import Kind

FIBROBLAST, MACROPHAGE = FINE_CLASSES.index("fibroblast"), FINE_CLASSES.index("macrophage")


def seen(
    marked: list[tuple[float, float, int, int, bool]], found: list[tuple[float, float, bool, Kind, bool]]
) -> Seen:
    """Marked: x, y, fine, stained, complete; found: x, y, complete, kind, stained."""
    x, y, fine, stained, complete = (np.array(column) for column in zip(*marked, strict=True))
    cells = AnnotatedCells(x.astype(float), y.astype(float), fine.astype(np.int64), stained.astype(np.int8))
    places = np.array([row[:2] for row in found], dtype=np.float64).reshape(-1, 2)
    inside, kind, called = (np.array([row[n] for row in found]) for n in (2, 3, 4))
    return Seen(cells, complete, places, inside.astype(bool), kind.astype(np.int64), called.astype(bool))


def figures(*images: Seen) -> dict[str, Metric]:
    return metrics(list(images), load_card("small"), 6.0, "trial")


IMAGE = seen(
    [
        (100, 100, TUMOUR, 1, True),  # found, kind right, called negative
        (150, 100, ANY_IMMUNE, 0, True),  # found, called tumour and positive
        (200, 100, UNLABELLED, 1, True),  # found, only its stain is known: right
        (250, 100, FIBROBLAST, STAIN_UNKNOWN, True),  # missed
        (900, 100, MACROPHAGE, STAIN_UNKNOWN, False),  # found as immune, where absence is not known
    ],
    [
        (102, 101, True, Kind.TUMOUR, False),
        (150, 104, True, Kind.TUMOUR, True),
        (200, 100, True, Kind.OTHER, True),
        (400, 400, True, Kind.TUMOUR, True),  # invented, where every cell was marked
        (900, 104, False, Kind.IMMUNE, True),
        (905, 300, False, Kind.IMMUNE, True),  # perhaps a cell: nobody marked anything there
    ],
)


def test_every_figure_is_the_ratio_that_it_says() -> None:
    values = {name: metric.value for name, metric in figures(IMAGE).items()}
    assert values == pytest.approx(
        {
            "found_recall": 4 / 5,
            "found_f1": 2 * 3 / (2 * 3 + 1 + 1),
            "kind_recall": 2 / 4,
            "kind_accuracy": 2 / 3,
            "stained_accuracy": 1 / 3,
            "stained_recall": 1 / 2,
            "stained_specificity": 0.0,
        },
        abs=1e-3,
    )
    assert set(values) == set(FIGURES)


def test_every_figure_says_how_many_cells_it_rests_on() -> None:
    counts = {name: metric.count for name, metric in figures(IMAGE).items()}
    assert counts == {
        "found_recall": 5, "found_f1": 4, "kind_recall": 4, "kind_accuracy": 3, "stained_accuracy": 3,
        "stained_recall": 2, "stained_specificity": 1,
    }  # fmt: skip


def test_what_cannot_be_known_is_left_out() -> None:
    bare = seen([(10, 10, UNLABELLED, STAIN_UNKNOWN, False)], [(10, 10, False, Kind.TUMOUR, True)])
    assert set(figures(bare)) == {"found_recall"}


@pytest.mark.parametrize("fine", range(ANY_OTHER + 1))
def test_every_label_has_its_kind(fine: int) -> None:
    immune = {FINE_CLASSES.index("lymphocyte"), MACROPHAGE, ANY_IMMUNE}
    kind = Kind.TUMOUR if fine == TUMOUR else Kind.IMMUNE if fine in immune else Kind.OTHER
    for called in Kind:
        image = seen([(10, 10, fine, 1, False)], [(10, 10, False, called, True)])
        assert figures(image)["kind_accuracy"].value == float(called == kind)


def test_pairs_lie_within_six_micrometres() -> None:
    near = seen([(10, 10, TUMOUR, 1, False)], [(21.9, 10, False, Kind.TUMOUR, True)])
    far = seen([(10, 10, TUMOUR, 1, False)], [(22.1, 10, False, Kind.TUMOUR, True)])
    assert figures(near)["found_recall"].value == 1.0
    assert figures(far)["found_recall"].value == 0.0


def test_few_images_are_drawn_again_by_blocks_and_many_by_image() -> None:
    few, many = figures(IMAGE)["found_recall"], figures(*[IMAGE] * 10)["found_recall"]
    assert "100 µm blocks" in few.method
    assert few.low is not None
    assert few.low < few.value
    assert "over images" in many.method
    assert (many.low, many.value, many.high) == (0.8, 0.8, 0.8)


def test_nothing_found_is_nought() -> None:
    assert figures(seen([(10, 10, TUMOUR, 1, True)], []))["found_f1"].value == 0.0
