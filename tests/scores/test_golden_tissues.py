"""Tissues small enough to count by hand, drawn as text, with every number that follows from them."""

from __future__ import annotations

import pytest

from cxpath.data.cells import TissueRegion
from cxpath.data.slide_info import TissueAreas
from cxpath.scores.score import SlideScore, score_cells
from cxpath.scores.settings import Cutoff, ScoringSettings
from tests.synthetic_cells import synthetic_cells

FAR = " .." * 50
"""Fifty places of 12 µm: 600 µm of nothing, beyond the association distance."""


def score(picture: str) -> SlideScore:
    settings = ScoringSettings(minimum_tumour_cells=1)
    cutoffs = (Cutoff(1.0, "label"), Cutoff(10.0, "trial stratum, not a label"))
    return score_cells(synthetic_cells(picture), settings, cutoffs, areas=TissueAreas(99.0))


@pytest.mark.parametrize(
    ("picture", "cps", "tps", "ic_cells"),
    [
        ("T+ T- T- T-", 25.0, 25.0, None),
        ("T+ T- L+ M+\nT- T- L- M-", 75.0, 25.0, 50.0),
        ("T- T- T- T-\nL+ L+ M- L-", 50.0, 0.0, 50.0),
        ("T+ T+ L+ L+\nM+ M+ M+ L+", 100.0, 100.0, 100.0),
        ("T- P+ N+ E+\nT- F+ X+ B+", 0.0, 0.0, None),
        ("T+ T- T- T-" + FAR + " L+ M+ L-", 25.0, 25.0, None),
        ("T- T- M+ T-" + FAR + " T- L+", 50.0, 0.0, 100.0),
        ("T+ .. .. ..\n.. T- .. L+\n.. .. P+ ..", 100.0, 50.0, 100.0),
    ],
)
def test_scores_of_cells(picture: str, cps: float, tps: float, ic_cells: float | None) -> None:
    """CPS = 100 (T+ + I+) / T, at most 100; TPS = 100 T+ / T; IC of cells = 100 I+ / I with the tumour."""
    found = score(picture)
    assert found.cps is not None
    assert found.tps is not None
    assert (found.cps.value, found.tps.value) == pytest.approx((cps, tps))
    assert found.others.get("ic_cells") == (None if ic_cells is None else pytest.approx(ic_cells))


@pytest.mark.parametrize(
    ("picture", "ic_area", "tap"),
    [
        ("T+ T- L+ L-", 25.0, 50.0),
        ("T+ T- P+ L-", 0.0, 25.0),
        ("T- T- M+ L+", 50.0, 50.0),
        # Two squares of 50 µm hold four places each and a bit: (1/4 + 1/1) / 2 of the area is immune.
        ("T- T- T- L+ .. L+", 100 * (1 / 4 + 1) / 2, 100 * (1 / 4 + 1) / 2),
    ],
)
def test_scores_of_area(picture: str, ic_area: float, tap: float) -> None:
    found = score(picture)
    assert found.others.get("ic_area") == pytest.approx(ic_area)
    assert found.others.get("tap") == pytest.approx(tap)


def test_the_share_of_every_cell_in_one_story() -> None:
    """Row 1 a nest, row 2 stroma next to it, row 3 necrosis, row 4 benign glands, then far lymphocytes."""
    rows = ["T+ T+ T- T- T- T- T- T- T- T-", "L+ M+ L- P+ N+ F+ .. .. .. ..", "T+ T+ L+ X+", "B+ T- M+"]
    cells = synthetic_cells("\n".join(rows) + FAR + " L+ L+ M+")
    cells.region[16:20] = TissueRegion.NECROSIS
    cells.region[20:23] = TissueRegion.BENIGN
    found = score_cells(cells, ScoringSettings(minimum_tumour_cells=1))
    counts = found.counts
    assert counts is not None
    assert (counts.tumour_positive, counts.tumour_negative) == (2, 8)
    assert (counts.immune_positive, counts.immune_negative) == (2, 1)
    assert counts.immune_positive_not_associated == 3
    assert counts.other == 3 + 4 + 3
    assert found.cps is not None
    assert found.cps.value == pytest.approx(100 * (2 + 2) / 10)


@pytest.mark.parametrize(
    ("positive", "printed", "met_1", "met_10"),
    [(0, "0", False, False), (1, "<1", False, False), (2, "1.0", True, False), (19, "9.5", True, False),
     (20, "10", True, True), (25, "12", True, True)],
)  # fmt: skip
def test_the_printed_form_and_the_cut_offs_of_200_cells(
    positive: int, printed: str, met_1: bool, met_10: bool
) -> None:
    found = score("\n".join(["T+ " * positive, "T- " * (200 - positive)])).cps
    assert found is not None
    assert found.reported == printed
    assert [found.value >= verdict.cutoff.value for verdict in found.cutoffs] == [met_1, met_10]


def test_the_field_that_decides_is_the_hot_one() -> None:
    """Two fields of 500 µm: 3 of 4 positive on the left, 0 of 4 on the right; without it the CPS is 0."""
    found = score("T+ T+ T+ T- " + ".. " * 40 + "T- T- T- T-")
    assert [field.influence for field in found.influence] == pytest.approx([37.5, -37.5])
    assert (found.influence[0].left_um, found.influence[0].tumour_cells) == (0.0, 4)
    assert found.heterogeneity is not None
    assert [bucket.fields for bucket in found.heterogeneity.buckets] == [1, 0, 0, 1]
    assert found.heterogeneity.gini == pytest.approx(0.5)
