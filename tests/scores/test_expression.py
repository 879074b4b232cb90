import pytest

from cxpath.scores.expression import score_expression
from cxpath.scores.settings import ScoringSettings
from cxpath.values.errors import ConfigurationError
from tests.drawn_cells import many


def test_a_marker_without_the_labs_cuts_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="intensity_cuts_od"):
        score_expression(many({"T-": 200}), "her2", ScoringSettings())


def test_her2_is_read_on_membranes_and_vegf_in_cytoplasm() -> None:
    cells = many({"T-": 200})
    cells.dab_membrane_od[:], cells.dab_cytoplasm_od[:] = 0.6, 0.15
    settings = ScoringSettings(intensity_cuts_od=(0.1, 0.2, 0.5))
    assert score_expression(cells, "her2", settings).h_score == pytest.approx(300.0)
    assert score_expression(cells, "vegf", settings).h_score == pytest.approx(100.0)


def test_the_percentages_behind_the_h_score_add_up_to_100() -> None:
    cells = many({"T-": 200})
    cells.dab_membrane_od[:] = 0.05
    cells.dab_membrane_od[:60], cells.dab_membrane_od[60:80], cells.dab_membrane_od[80:90] = 0.1, 0.3, 0.9
    result = score_expression(cells, "egfr", ScoringSettings(intensity_cuts_od=(0.1, 0.2, 0.5)))
    assert result.h_score_grades == pytest.approx({"0": 55.0, "1+": 30.0, "2+": 10.0, "3+": 5.0})
    assert result.h_score == pytest.approx(30 + 20 + 15)
    assert result.as_dict()["h_score_grades"] == result.h_score_grades


def test_no_pdl1_score_comes_from_another_marker() -> None:
    cells = many({"T+": 200})
    cells.dab_membrane_od[:] = 0.6
    result = score_expression(cells, "egfr", ScoringSettings(intensity_cuts_od=(0.1, 0.2, 0.5)))
    assert result.cps is None
    assert result.tps is None
    assert result.evaluable


def test_too_few_tumour_cells_are_not_evaluable() -> None:
    result = score_expression(many({"T-": 20}), "her2", ScoringSettings(intensity_cuts_od=(0.1, 0.2, 0.5)))
    assert not result.evaluable
    assert result.h_score is None
