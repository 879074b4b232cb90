"""IC of area, IC of cells, TAP and H-score on tissues that can be counted by hand."""

from typing import Any

import pytest

from cxpath.app.configuration import read_assay
from cxpath.data.cells import TissueRegion
from cxpath.data.slide_info import TissueAreas
from cxpath.scores.other_scores import ASSAY_BOUND
from cxpath.scores.score import SlideScore, score_cells
from cxpath.scores.settings import ScoringSettings
from tests.synthetic_cells import synthetic_cells

TISSUE = "T+ T- L+ L-\nM+ M- P+ T-"
"""One square of 50 µm (cells 12 µm apart): 8 cells, of which 1 T+, 2 I+ counted, 2 I- with them, 1 P+."""


def score(picture: str, areas: TissueAreas | None = TissueAreas(9.9), **options: Any) -> SlideScore:  # noqa: B008
    return score_cells(
        synthetic_cells(picture), ScoringSettings(minimum_tumour_cells=1), areas=areas, **options
    )


def test_ic_of_cells_is_the_share_of_the_tumours_immune_cells_that_are_stained() -> None:
    assert score(TISSUE).others.get("ic_cells") == pytest.approx(100 * 2 / 4)
    assert score("T+ T- P+ N+").others.get("ic_cells") is None
    assert "no lymphocyte" in score("T+ T- P+ N+").null_because["ic_cells"]


def test_ic_of_area_is_the_area_that_stained_immune_cells_take() -> None:
    assert score(TISSUE).others.get("ic_area") == pytest.approx(100 * 2 / 8)


def test_tap_adds_stained_tumour_cells_and_never_plasma_cells() -> None:
    assert score(TISSUE).others.get("tap") == pytest.approx(100 * 3 / 8)
    assert score("T- T- P+ P+").others.get("tap") == 0.0


def test_a_square_counts_once_however_many_cells_it_holds() -> None:
    """Five cells in the first square (one I+), one stained tumour cell in the second: (1/5 + 1) / 2."""
    assert score("T- T- L+ T- ..  T+").others.get("tap") == pytest.approx(100 * (1 / 4 + 1) / 2)


def test_area_away_from_tumour_is_no_tumour_area() -> None:
    far = "T+ T- L+ L-" + " .." * 60 + " L+ L- L+ L-"
    assert score(far).others.get("ic_area") == pytest.approx(100 * 1 / 4)


def test_a_drawn_tumour_bed_is_the_area() -> None:
    square_mm2 = 0.05**2
    bed = TissueAreas(9.9, tumour_bed_mm2=4 * square_mm2)
    assert score(TISSUE, bed).others.get("ic_area") == pytest.approx(100 * (2 / 8) / 4)


def test_a_square_of_necrosis_alone_is_no_tumour_area() -> None:
    cells = synthetic_cells("T+ L+ T- T-  X+ T+ T+ T+")
    cells.region[4:] = TissueRegion.NECROSIS
    result = score_cells(cells, ScoringSettings(minimum_tumour_cells=1), areas=TissueAreas(9.9))
    assert result.others.get("tap") == pytest.approx(100 * 2 / 4)


def test_without_areas_scores_of_area_are_null_with_the_reason() -> None:
    result = score(TISSUE, areas=None)
    assert (result.others.get("ic_area"), result.others.get("tap")) == (None, None)
    assert "tissue area is not known" in result.null_because["tap"]
    assert result.others.get("ic_cells") is not None


def test_an_assay_that_does_not_support_them_leaves_them_null_with_the_reason() -> None:
    refused = read_assay("22c3").refusals(ASSAY_BOUND, "cervix")
    result = score(TISSUE, refused=refused)
    assert not {"ic_area", "ic_cells", "tap"} & set(result.others)
    assert "22c3 does not support IC, share of tumour area (%) in cervix" in result.null_because["ic_area"]
    assert result.cps is not None


def test_the_h_score_of_a_hand_countable_tissue() -> None:
    cells = synthetic_cells("T+ T+ T+ T- L+")
    cells.dab_membrane_od[:] = [0.15, 0.3, 0.6, 0.0, 0.9]
    result = score_cells(
        cells, ScoringSettings(minimum_tumour_cells=1, intensity_thresholds_od=(0.1, 0.2, 0.5))
    )
    assert result.others.get("h_score") == pytest.approx((1 * 25) + (2 * 25) + (3 * 25))
    cells.dab_membrane_od[:] = float("nan")
    settings = ScoringSettings(minimum_tumour_cells=1, intensity_thresholds_od=(0.1, 0.2, 0.5))
    assert "no membrane" in score_cells(cells, settings).null_because["h_score"]
