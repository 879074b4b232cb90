import json

import numpy as np
import pytest

from cxpath.scores.cutoffs import Cutoff
from cxpath.scores.score_cells import score_cells
from cxpath.scores.sensitivity import SensitivityCase
from cxpath.scores.settings import ScoringSettings
from cxpath.values.cell_table import CellTable
from tests.drawn_cells import drawn_cells, many

CUTOFFS = (Cutoff(1.0, "label"), Cutoff(10.0, "trial stratum, not a label"))


def panel(cells: CellTable) -> dict[tuple[str, float], SensitivityCase]:
    settings = ScoringSettings(stained_threshold=0.6, minimum_tumour_cells=1)
    cases = score_cells(cells, settings, CUTOFFS).sensitivity
    return {(case.choice, round(case.setting, 3)): case for case in cases}


def test_a_threshold_ten_percent_lower_or_higher() -> None:
    cells = many({"T-": 100})
    cells.stained[:3] = [0.55, 0.62, 0.95]
    found = panel(cells)
    assert found["staining threshold", 0.54].cps == pytest.approx(3.0)
    assert found["staining threshold", 0.66].cps == pytest.approx(1.0)
    assert found["staining threshold", 0.66].flips == ()


def test_a_flip_of_a_cut_off_is_named() -> None:
    cells = many({"T-": 100})
    cells.stained[0] = 0.62
    assert panel(cells)["staining threshold", 0.66].flips == (1.0,)


def test_the_stricter_membrane_rule_drops_what_is_barely_stained_and_no_immune_cell() -> None:
    cells = many({"T+": 20, "T-": 78, "L+": 2})
    cells.membrane_completeness[:] = 0.02
    cells.membrane_completeness[:8] = 0.5
    case = panel(cells)["membrane completeness", 0.1]
    assert case.cps == pytest.approx(100 * (8 + 2) / 98)
    cells.membrane_completeness[:7] = np.nan  # not measured is not excluded
    assert panel(cells)["membrane completeness", 0.1].cps == pytest.approx(100 * (8 + 2) / 98)


def test_cells_without_measured_membranes_say_so() -> None:
    case = panel(many({"T+": 20, "T-": 80}))["membrane completeness", 0.1]
    assert case.cps is None
    assert "no membrane was measured" in case.because


def test_half_and_double_the_association_distance() -> None:
    """Stained lymphocytes at 120, 360 and 720 µm from the tumour cell."""
    cells = drawn_cells("T- " + ".. " * 9 + "L+ " + ".. " * 19 + "L+ " + ".. " * 29 + "L+")
    found = panel(cells)
    assert [found["association distance", um].cps for um in (250.0, 1000.0)] == [100.0, 100.0]
    many_tumour = drawn_cells("T- " * 50 + ".. " * 9 + "L+ " + ".. " * 19 + "L+ " + ".. " * 29 + "L+")
    found = panel(many_tumour)
    scores = [found["association distance", um].cps for um in (250.0, 1000.0)]
    assert scores == pytest.approx([100 / 50, 300 / 50])


def test_the_panel_can_be_written() -> None:
    result = score_cells(many({"T+": 5, "T-": 195, "L+": 3}), ScoringSettings(), CUTOFFS)
    assert json.loads(json.dumps(result.as_dict()["sensitivity"]))[0]["choice"] == "staining threshold"
