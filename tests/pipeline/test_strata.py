from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.data.slide_info import DEFAULT_DAB, SlideInfo, StainBasis, unit
from cxpath.pipeline.settings import TileSettings
from cxpath.pipeline.tiles import RARE_SHARE, lay_strata, plan_tiles
from cxpath.tissue.tissue import Tissue

SIDE_PX, OVERVIEW_PX = 8192, 512


def slide(dab_od: NDArray[np.float64], scored: NDArray[np.bool_]) -> Tissue:
    light = 255.0 * 10 ** (-dab_od[..., None] * unit(DEFAULT_DAB))
    overview = np.clip(light, 0, 255).astype(np.uint8)
    return Tissue(overview, 4.0, scored, scored, {}, StainBasis(), (), 0.25)


def info() -> SlideInfo:
    return SlideInfo(
        name="a", stem="a", digest="", quickhash="", width_px=SIDE_PX, height_px=SIDE_PX, mpp=0.25,
        mpp_source="user", reader="picture", vendor="", level_downsamples=(1.0,),
        bounds_px=(0, 0, SIDE_PX, SIDE_PX), properties={},
    )  # fmt: skip


def test_brown_spots_are_rare_and_the_rest_goes_by_thirds() -> None:
    """64 tiles: browner from top to bottom; two pale ones hold a small dark spot."""
    dab = np.repeat(np.linspace(0.02, 0.3, OVERVIEW_PX)[:, None], OVERVIEW_PX, axis=1)
    scored = np.ones((OVERVIEW_PX, OVERVIEW_PX), bool)
    scored[:, 448:] = False  # the last column is glass
    for row, column in ((10, 70), (100, 300)):
        dab[row : row + 10, column : column + 10] = 1.2
    tissue = slide(dab, scored)
    plan = plan_tiles(info(), tissue, 0.5, 64, 16, TileSettings(core_px=512))
    strata = lay_strata(plan, tissue)
    assert len(strata.tile) == 56
    assert set(strata.tile % 8) == set(range(7))
    of_tile = dict(zip(strata.tile.tolist(), strata.stratum.tolist(), strict=True))
    assert of_tile[1] == of_tile[1 * 8 + 4] == strata.rare == 3
    assert (strata.stratum == 3).sum() == round(RARE_SHARE * 56)
    assert of_tile[0] == 0
    assert of_tile[6 * 8] == 2
    assert np.bincount(strata.stratum)[:3].tolist() == [18, 17, 17]


def test_one_tile_is_one_stratum() -> None:
    tissue = slide(np.full((32, 32), 0.1), np.ones((32, 32), bool))
    plan = plan_tiles(info(), tissue, 0.5, 64, 16, TileSettings(core_px=4096))
    strata = lay_strata(plan, tissue)
    assert (strata.tile.tolist(), strata.stratum.tolist(), strata.rare) == ([0], [0], 0)
