"""What is drawn is what the truth says: completeness, cytoplasm, nucleus; one cell at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.training.synthetic.cell_painting import CellLayers, paint_cells
from cxpath.training.synthetic.cell_plan import new_cells
from cxpath.training.synthetic.cell_shapes import cell_borders
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World

MPP = 0.25
ROWS, COLUMNS = np.mgrid[:160, :160]
X, Y = (COLUMNS + 0.5) * MPP - 20, (ROWS + 0.5) * MPP - 20
AWAY = np.hypot(X, Y)


def _one(world: World, phase: float = 1.0, **columns: Any) -> CellLayers:
    usual: dict[str, Any] = {"reach_um": 7.0, "weight_um": 7.0, "nucleus_um": 4.0, "haematoxylin_od": 0.3,
                             "body": 0.9, "wobble": 0.02, "phase": phase}  # fmt: skip
    cells = new_cells([20.0], [20.0], **(usual | columns))
    return paint_cells(replace(world, cells=cells, borders=cell_borders(cells)), Window(0, 0, 160, 160, MPP))


def _stained_share(dab: NDArray[np.float32]) -> float:
    """Return the share of directions in which the ring reaches half the membrane's amount."""
    angle = np.floor(np.arctan2(Y, X) / (2 * np.pi) * 36).astype(int) % 36
    ring = (AWAY > 4.5) & (AWAY < 9)
    most = np.array([dab[ring & (angle == turn)].max() for turn in range(36)])
    return float((most > 0.2).mean())


@pytest.mark.parametrize("completeness", [0.25, 0.5, 0.75, 1.0])
def test_the_stained_part_of_the_outline_is_the_completeness(plain_world: World, completeness: float) -> None:
    shares = [
        _stained_share(_one(plain_world, phase, membrane_od=0.4, completeness=completeness).dab)
        for phase in np.linspace(0, 6, 8)
    ]
    assert np.mean(shares) == pytest.approx(completeness, abs=0.14)


def test_membrane_dab_is_a_ring_of_the_amount_given(plain_world: World) -> None:
    dab = _one(plain_world, membrane_od=0.5, completeness=1.0).dab
    ring, middle = dab[(AWAY > 5.5) & (AWAY < 7.5)], dab[AWAY < 3]
    assert np.percentile(ring, 80) == pytest.approx(0.5, rel=0.35)
    assert middle.mean() < 0.1 * np.percentile(ring, 80)


def test_cytoplasm_dab_fills_the_cell_and_spares_the_nucleus(plain_world: World) -> None:
    dab = _one(plain_world, cytoplasm_dab_od=0.5).dab
    assert dab[(AWAY > 4.8) & (AWAY < 5.6)].mean() > 1.5 * dab[AWAY < 2.5].mean()
    assert dab[AWAY > 10].max() < 0.01


def test_a_brown_nucleus_has_no_brown_outline(plain_world: World) -> None:
    dab = _one(plain_world, nuclear_dab_od=0.6).dab
    assert dab[AWAY < 2.5].mean() == pytest.approx(0.6, rel=0.25)
    assert dab[(AWAY > 6) & (AWAY < 8)].max() < 0.05


def test_a_cell_cut_beside_its_nucleus_has_none(plain_world: World) -> None:
    layers = _one(plain_world, nucleus_um=0.0, membrane_od=0.5, completeness=1.0, cytoplasm_od=0.05)
    assert not layers.nucleus.any()
    assert layers.dab.max() > 0.3
    assert layers.cytoplasm[AWAY < 5].mean() == pytest.approx(0.05, rel=0.3)


def test_a_vesicular_nucleus_is_paler_inside_than_at_its_rim(plain_world: World) -> None:
    vesicular = _one(plain_world, vesicular=1.0).nucleus
    assert vesicular[(AWAY > 3.2) & (AWAY < 3.7)].mean() > 1.5 * vesicular[AWAY < 2].mean()


def test_a_nucleolus_is_a_dark_spot(plain_world: World) -> None:
    plain, spotted = (_one(plain_world, nucleolus=size).nucleus for size in (0.0, 1.0))
    added = spotted - plain
    assert added.max() > 0.2
    assert (added > 0.1).sum() * MPP**2 < 6


def test_a_pale_border_lightens_the_cytoplasm_at_the_outline(plain_world: World) -> None:
    even, pale = (_one(plain_world, cytoplasm_od=0.1, pale_border=border).cytoplasm for border in (0.0, 0.9))
    rim, inside = (AWAY > 6.3) & (AWAY < 6.9), AWAY < 4
    assert pale[rim].mean() < 0.7 * even[rim].mean()
    assert pale[inside].mean() == pytest.approx(even[inside].mean(), rel=0.1)


def test_cells_outside_the_window_still_reach_into_it(plain_world: World) -> None:
    cells = new_cells([-2.0], [10.0], reach_um=7.0, nucleus_um=4.0, haematoxylin_od=0.3)
    world = replace(plain_world, cells=cells, borders=cell_borders(cells))
    assert paint_cells(world, Window(0, 0, 80, 80, MPP)).nucleus[:, 0].max() > 0.2
    assert not paint_cells(world, Window(0, 60, 80, 80, MPP)).nucleus.any()
