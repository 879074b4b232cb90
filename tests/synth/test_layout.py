from __future__ import annotations

import numpy as np
import pytest

from cxpath.data.cells import TissueRegion
from cxpath.synth.layout import REGION_OF_GROUND, Ground, Layout, Vessel, ellipse_radius, lay_out
from cxpath.synth.recipe import TissueMix


def _share(layout: Layout, *grounds: Ground) -> float:
    return float(np.isin(layout.ground, grounds).mean())


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_nests_take_their_share(share: float) -> None:
    layout = lay_out(np.random.default_rng(1), 800, 800, TissueMix(nest_share=share, vessels_mm2=0))
    assert _share(layout, Ground.NEST) == pytest.approx(share, abs=0.06)


def test_all_nest_and_no_nest() -> None:
    rng = np.random.default_rng(1)
    assert _share(lay_out(rng, 200, 200, TissueMix(nest_share=1.0)), Ground.NEST) == 1
    assert _share(lay_out(rng, 200, 200, TissueMix(nest_share=0.0)), Ground.NEST) == 0


def test_every_ground_can_be_there(rich_layout: Layout) -> None:
    assert set(np.unique(rich_layout.ground)) >= {Ground.GLASS, Ground.STROMA, Ground.NEST, Ground.NECROSIS,
                                                  Ground.BENIGN, Ground.LUMEN}  # fmt: skip


def test_necrosis_lies_deep_in_nests(rich_layout: Layout) -> None:
    assert (rich_layout.nest_depth_um[rich_layout.ground == Ground.NECROSIS] > 30).all()


def test_depth_is_positive_inside_only(rich_layout: Layout) -> None:
    assert (rich_layout.nest_depth_um[rich_layout.ground == Ground.NEST] > 0).all()
    assert (rich_layout.nest_depth_um[rich_layout.ground == Ground.STROMA] < 0).all()
    assert (rich_layout.tissue_depth_um[rich_layout.ground == Ground.GLASS] < 0).all()


def test_aggregates_lie_in_stroma(rich_layout: Layout) -> None:
    assert rich_layout.aggregate.any()
    assert (rich_layout.ground[rich_layout.aggregate] == Ground.STROMA).all()


def test_islands_are_surrounded_by_glass() -> None:
    mix = TissueMix(glass_share=0.4, glass_scale_um=400)
    ground = lay_out(np.random.default_rng(2), 1200, 1200, mix, islands=True).ground
    border = np.concatenate((ground[0], ground[-1], ground[:, 0], ground[:, -1]))
    assert (border == Ground.GLASS).all()
    assert (ground == Ground.GLASS).mean() == pytest.approx(0.4, abs=0.02)


def test_fibres_run_along_the_contours(rich_layout: Layout) -> None:
    across, angle = rich_layout.fibre_um, rich_layout.fibre_angle
    down, right = np.gradient(across)
    along = right * np.cos(angle) + down * np.sin(angle)
    assert np.abs(along).max() < 1e-3 * np.hypot(right, down).max()


def test_an_ellipse_reaches_its_wall_at_its_radius() -> None:
    vessel = Vessel(10.0, 20.0, 5.0, 2.0, 0.0, gland=False)
    x, y = np.array([20.0, 10.0, 10.0]), np.array([20.0, 25.0, 20.0])
    assert ellipse_radius(x, y, vessel).tolist() == [5.0, 5.0, 0.0]


def test_grounds_have_the_region_a_pathologist_names() -> None:
    assert REGION_OF_GROUND[Ground.KERATIN] == TissueRegion.NEST
    assert REGION_OF_GROUND[Ground.VESSEL] == TissueRegion.STROMA
    assert len(REGION_OF_GROUND) == len(Ground)


def test_area_is_in_square_millimetres(rich_layout: Layout) -> None:
    assert rich_layout.area_mm2(*Ground) == pytest.approx(0.5 * 0.4, rel=1e-6)
