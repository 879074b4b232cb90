"""What the two open predecessors of cxpath got wrong, one test a mistake."""

from __future__ import annotations

import pytest

from cxpath.app.configuration import read_assay
from cxpath.documents.score import SlideScores
from cxpath.errors import AssayError
from cxpath.scores.case import CaseRule, CaseSlide, score_case
from cxpath.scores.counts import CellCounts
from cxpath.scores.score import SlideScore, score_cells
from cxpath.scores.settings import ScoringSettings
from tests.scores.tissues import GOOD, even_fields
from tests.synthetic_cells import many


def score(counts: dict[str, int]) -> SlideScore:
    cutoffs = read_assay("22c3").cutoffs("cps", "cervix")
    return score_cells(many(counts), ScoringSettings(slide_error=GOOD), cutoffs)


def cps(counts: dict[str, int]) -> tuple[float, str, bool]:
    """Return the value, the printed form, and whether it reaches the label's cut-off."""
    found = score(counts).cps
    assert found is not None
    return found.value, found.reported, found.value >= found.cutoffs[0].cutoff.value


def test_cps_is_capped_at_100() -> None:
    assert cps({"T+": 100, "T-": 20, "L+": 300}) == (100.0, "100", True)


@pytest.mark.parametrize("counts", [{"L+": 500, "M+": 20}, {"P+": 300}, {}])
def test_without_a_tumour_cell_there_is_no_score_and_no_division(counts: dict[str, int]) -> None:
    found = score(counts)
    assert (found.evaluable, found.cps, found.tps) == (False, None, None)
    assert SlideScores.of_score(found).cps is None


def test_0_95_is_not_rounded_to_1() -> None:
    value, printed, met = cps({"T+": 19, "T-": 1981})
    assert value == pytest.approx(0.95)
    assert (printed, met) == ("<1", False)


def test_a_cps_is_never_fed_to_a_rule_of_tps() -> None:
    """The numbers differ on the same cells, TPS has no cut-off in cervix, and none is lent to it."""
    found = score({"T+": 2, "T-": 198, "L+": 30})
    assert found.cps is not None
    assert found.tps is not None
    assert (found.cps.value, found.tps.value) == pytest.approx((16.0, 1.0))
    assert found.tps.cutoffs == ()
    assert read_assay("22c3").cutoffs("tps", "cervix") == ()
    with pytest.raises(AssayError, match="does not support TPS in cervix"):
        read_assay("22c3").require("tps", "cervix")


@pytest.mark.parametrize("written", ["28-8", "28-8 ", "288"])
def test_assay_28_8_is_found(written: str) -> None:
    assert read_assay(written).clone == "28-8"


def test_99_tumour_cells_are_inadequate_and_not_scored_as_0() -> None:
    found = score({"T-": 99})
    assert (found.evaluable, found.cps) == (False, None)
    assert "99 viable tumour cells" in found.not_evaluable_because[0].text
    assert cps({"T-": 100}) == (0.0, "0", False)


def test_macrophages_count_and_plasma_cells_and_neutrophils_do_not() -> None:
    assert cps({"T-": 200, "M+": 6})[0] == pytest.approx(3.0)
    assert cps({"T-": 200, "P+": 90, "N+": 90, "E+": 90})[0] == 0.0


def test_case_identifiers_are_free_form() -> None:
    names = ("P-24/0117 B2 «Ü»", "=1+1", "0007", "case one")
    counts = CellCounts(20, 380, 0, 0, 0, 0)
    slides = [CaseSlide(name, counts, even_fields(4, 5, 95)) for name in names]
    parts = score_case(slides, CaseRule.POOLED, ScoringSettings(slide_error=GOOD)).parts
    assert tuple(part.name for part in parts) == names
