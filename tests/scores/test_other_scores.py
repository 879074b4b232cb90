"""IC of area, IC of cells, TAP and H-score on tissues that can be counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cxpath.app.configuration import list_assays, read_assay
from cxpath.data.cells import TissueRegion
from cxpath.data.slide_info import TissueAreas
from cxpath.errors import AssayError
from cxpath.scores.counts import call_cells
from cxpath.scores.other_scores import (
    ASSAY_BOUND,
    Assay,
    AssayCutoff,
    AssayScore,
    Compartment,
    ScoreBasis,
    TumourArea,
    grade_percentages,
    h_score,
    immune_area_share,
    immune_negative_associated,
    tumour_area,
    tumour_area_positivity,
)
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
    assert (
        "22c3 does not support IC, share of tumour area that stained immune cells cover (%) in cervix"
        in result.null_because["ic_area"]
    )
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


@pytest.mark.parametrize("name", ["28-8", "288", " 28-8 "])
def test_28_8_is_found_however_it_is_written(name: str) -> None:
    assert read_assay(name).clone == "28-8"


def test_all_bundled_assays_can_be_read() -> None:
    assert list_assays() == ["22c3", "28-8", "sp142", "sp263"]
    for name in list_assays():
        assert read_assay(name).as_of


def test_22c3_has_the_label_cut_off_and_the_trial_stratum() -> None:
    cuts = read_assay("22C3").cutoffs("cps", "cervix")
    assert [(cut.value, cut.basis) for cut in cuts] == [(1.0, "label"), (10.0, "trial stratum, not a label")]


def test_an_unsupported_score_is_refused_with_the_reason_and_the_way_out() -> None:
    with pytest.raises(AssayError, match=r"sp142 does not support CPS in cervix: .*--research"):
        read_assay("sp142").require("cps", "cervix")
    with pytest.raises(AssayError, match="no source"):
        read_assay("sp263").require("cps", "cervix")


def test_cps_is_never_taken_for_another_score() -> None:
    assert read_assay("22c3").cutoffs("tps", "cervix") == ()
    assert not read_assay("22c3").supports("tps", "cervix")


def test_an_unknown_assay_lists_the_known_ones() -> None:
    with pytest.raises(AssayError, match="22c3, 28-8, sp142, sp263"):
        read_assay("e1l3n")


def test_22c3_is_complete_and_the_others_hold_what_is_known_and_no_more() -> None:
    full = read_assay("22c3")
    assert {entry.score for entry in full.scores if entry.tumour == "cervix"} == {
        "cps", "tps", "ic_area", "ic_cells", "tap",
    }  # fmt: skip
    assert any("100 viable tumour cells" in condition.text for condition in full.conditions)
    for name in ("28-8", "sp263"):
        entry = next(
            entry for entry in read_assay(name).scores if (entry.score, entry.tumour) == ("cps", "cervix")
        )
        assert entry.supported == "unknown"
        assert not read_assay(name).supports("cps", "cervix")
    assert read_assay("sp263").supports("tap", "stomach")


def test_every_entry_says_where_it_comes_from_and_how_certain_it_is() -> None:
    for name in list_assays():
        assay = read_assay(name)
        assert all(entry.source and entry.certainty for entry in assay.scores)
        assert all(condition.source and condition.certainty for condition in assay.conditions)
        assert all(cut.source and cut.basis for entry in assay.scores for cut in entry.cutoffs)


def test_refusals_name_only_what_is_not_supported() -> None:
    refused = read_assay("sp263").refusals(("ic_area", "tap"), "stomach")
    assert set(refused) == {"ic_area"}
    assert "SP142" in read_assay("22c3").refusals(("ic_area",), "cervix")["ic_area"]


# Their parts, by hand.

SQUARE_MM2 = 0.05**2


def test_a_stated_area_is_never_smaller_than_what_stained_cells_take_of_it() -> None:
    """A bed drawn too small, by a slip, must not make a share above 100 %."""
    called = call_cells(synthetic_cells(TISSUE), 0.5, 500.0)
    settings = ScoringSettings()
    tiny = ScoreBasis(called, settings, 0, TissueAreas(9.9, tumour_bed_mm2=SQUARE_MM2 / 100)).area
    assert tiny is not None
    assert tiny.area_mm2 == pytest.approx(SQUARE_MM2 * 3 / 8)
    assert tumour_area_positivity(tiny) == pytest.approx(100.0)
    within_scored = ScoreBasis(called, settings, 0, TissueAreas(SQUARE_MM2 / 2)).area
    assert within_scored is not None
    assert within_scored.area_mm2 == pytest.approx(SQUARE_MM2 / 2)


def test_without_tumour_there_is_no_tumour_area() -> None:
    area = tumour_area(call_cells(synthetic_cells("L+ L-"), 0.5, 500.0), 500.0)
    assert area == TumourArea(0.0, 0.0, 0.0)
    assert immune_area_share(area) is None
    assert tumour_area_positivity(area) is None


@pytest.mark.parametrize(("distance_um", "squares"), [(150.0, 2), (149.0, 1)])
def test_the_reach_of_the_tumour_area_is_measured_between_centres(distance_um: float, squares: int) -> None:
    """Tumour in the first square, a lymphocyte in the fourth: 150 µm from centre to centre."""
    cells = synthetic_cells("T- .. .. L-", spacing_um=50.0)
    area = tumour_area(call_cells(cells, 0.5, 500.0), distance_um)
    assert area.area_mm2 == pytest.approx(squares * SQUARE_MM2)


def test_unstained_immune_cells_count_with_the_tumour_only() -> None:
    """One of three lies too far away, one is stained; one of unknown staining is not stained."""
    cells = synthetic_cells("T- L- L- L- L+")
    cells.stained[1] = np.nan
    distance_um = np.array([np.inf, 10.0, 500.0, 500.1, 10.0])
    called = call_cells(cells, 0.5, 500.0)
    assert immune_negative_associated(called, distance_um, 500.0) == 2


def test_a_grade_begins_at_its_cut() -> None:
    cells = synthetic_cells("T- " * 8)
    cells.dab_membrane_od[:] = [0.0, 0.125, 0.1249, 0.25, 0.2499, 0.5, 0.4999, 2.0]
    assert grade_percentages(cells, (0.125, 0.25, 0.5)) == {"0": 25.0, "1+": 25.0, "2+": 25.0, "3+": 25.0}
    assert h_score(cells, (0.125, 0.25, 0.5)) == pytest.approx(25 + 50 + 75)


def test_grades_rest_on_viable_tumour_cells_that_were_measured() -> None:
    cells = synthetic_cells("T- T- T- L- T-")
    cells.dab_cytoplasm_od[:] = [0.6, np.nan, 0.0, 0.9, 0.9]
    cells.region[4] = TissueRegion.NECROSIS
    cuts = (0.1, 0.2, 0.5)
    found = grade_percentages(cells, cuts, Compartment.CYTOPLASM)
    assert found == {"0": 50.0, "1+": 0.0, "2+": 0.0, "3+": 50.0}
    assert grade_percentages(cells, cuts) is None  # no membrane was measured
    assert h_score(cells, cuts) is None


ASSAY = Assay(
    name="own",
    clone="own",
    as_of="2026-11-01",
    scores=(
        AssayScore(
            tumour="cervix", score="cps", supported=True, source="label", certainty="high",
            cutoffs=(AssayCutoff(value=1.0, basis="label", source="label"),),
        ),
        AssayScore(
            tumour="cervix", score="tap", supported="unknown", source="no study was found", certainty="low",
        ),
        AssayScore(tumour="lung", score="tap", supported=True, source="label", certainty="high"),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("score", "tumour", "supported", "why"),
    [
        ("cps", "cervix", True, ""),
        ("tap", "lung", True, ""),
        ("tap", "cervix", False, r"assay own does not support TAP \(%\) in cervix: no study was found"),
        (
            "cps",
            "lung",
            False,
            "assay own does not support CPS in lung: no source in its assay file states it",
        ),
        ("own score", "lung", False, "does not support own score in lung"),
    ],
)
def test_an_assay_supports_what_it_states_for_that_tumour(
    score: str, tumour: str, why: str, *, supported: bool
) -> None:
    assert ASSAY.supports(score, tumour) is supported
    if supported:
        ASSAY.require(score, tumour)
        return
    with pytest.raises(AssayError, match=why):
        ASSAY.require(score, tumour)


def test_cut_offs_belong_to_a_score_and_a_tumour() -> None:
    assert [cut.value for cut in ASSAY.cutoffs("cps", "cervix")] == [1.0]
    assert ASSAY.cutoffs("cps", "lung") == ASSAY.cutoffs("tap", "cervix") == ()
    assert set(ASSAY.refusals(("cps", "tap"), "cervix")) == {"tap"}
