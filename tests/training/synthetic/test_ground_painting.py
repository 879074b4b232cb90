"""The ground beneath the cells: each named trap colours where it should, and grows with its parameter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.training.synthetic.ground_painting import paint_ground
from cxpath.training.synthetic.layout import STEP_UM, Ground
from cxpath.training.synthetic.noise import points_in_map
from cxpath.training.synthetic.recipe import HardNegatives
from cxpath.training.synthetic.stains import StainLayers, StainLook
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World

WINDOW = Window(0, 0, 640, 720, 0.5)
CLEAR = HardNegatives(
    haze_od=0, haze_patch_od=0, edge_od=0, necrosis_dab_od=0, keratin_dab_od=0, mucus_dab_od=0, clefts_share=0
)


def _paint(world: World, traps: HardNegatives = CLEAR, look: StainLook | None = None) -> StainLayers:
    recipe = replace(world.recipe, traps=traps, stains=look or world.recipe.stains)
    return paint_ground(replace(world, recipe=recipe), WINDOW)


@pytest.fixture(scope="module")
def ground(rich_world: World) -> NDArray[np.generic]:
    rows, columns = np.mgrid[:640, :720]
    flat = points_in_map(
        rich_world.layout.ground, (columns.ravel() + 0.5) * 0.5, (rows.ravel() + 0.5) * 0.5, STEP_UM
    )
    return flat.reshape(640, 720)


def test_without_traps_the_ground_holds_no_dab(rich_world: World) -> None:
    layers = _paint(rich_world)
    assert not layers.dab.any()
    assert layers.haematoxylin.min() >= 0


@pytest.mark.parametrize(
    ("trap", "where"),
    [
        ("necrosis_dab_od", Ground.NECROSIS),
        ("keratin_dab_od", Ground.KERATIN),
        ("mucus_dab_od", Ground.LUMEN),
        ("haze_patch_od", Ground.STROMA),
    ],
)
def test_brown_ground_lies_in_its_own_tissue(
    rich_world: World, ground: NDArray[np.generic], trap: str, where: Ground
) -> None:
    if not (ground == where).any():
        pytest.fail(f"the world lacks {where.name}")
    dab = _paint(rich_world, replace(CLEAR, **{trap: 0.2})).dab
    inside, outside = dab[ground == where].mean(), dab[ground != where].mean()
    assert inside > 0.02
    assert outside < 0.2 * inside


def test_haze_covers_tissue_and_spares_glass(rich_world: World, ground: NDArray[np.generic]) -> None:
    dab = _paint(rich_world, replace(CLEAR, haze_od=0.1)).dab
    assert dab[ground == Ground.NEST].mean() == pytest.approx(0.1, rel=0.35)
    assert dab[ground == Ground.GLASS].mean() < 0.02


def test_edge_staining_fades_inwards(rich_world: World) -> None:
    dab = _paint(rich_world, replace(CLEAR, edge_od=0.3)).dab
    depth = WINDOW.world_map(rich_world.layout.tissue_depth_um, STEP_UM)
    assert dab[(depth > 2) & (depth < 8)].mean() > 4 * dab[depth > 30].mean()


def test_clefts_empty_part_of_the_stroma(rich_world: World, ground: NDArray[np.generic]) -> None:
    look = StainLook(stroma_blue_od=0.08, fibril_od=0.0)
    whole = _paint(rich_world, CLEAR, look).haematoxylin[ground == Ground.STROMA]
    torn = _paint(rich_world, replace(CLEAR, clefts_share=0.3), look).haematoxylin[ground == Ground.STROMA]
    emptied = (torn < 0.3 * whole).mean()
    assert 0.1 < emptied < 0.5


def test_stroma_is_as_blue_and_as_tan_as_asked(rich_world: World, ground: NDArray[np.generic]) -> None:
    stroma = ground == Ground.STROMA
    pale, full = (
        _paint(rich_world, CLEAR, StainLook(stroma_blue_od=od, stroma_tan_od=od, fibril_od=0))
        for od in (0.02, 0.08)
    )
    assert full.haematoxylin[stroma].mean() == pytest.approx(4 * pale.haematoxylin[stroma].mean(), rel=0.1)
    assert full.tan[stroma].mean() == pytest.approx(4 * pale.tan[stroma].mean(), rel=0.1)


def test_fibrils_are_thin_dark_strands(rich_world: World, ground: NDArray[np.generic]) -> None:
    bare, stranded = (_paint(rich_world, CLEAR, StainLook(fibril_od=od)).haematoxylin for od in (0.0, 0.1))
    added = (stranded - bare)[ground == Ground.STROMA]
    assert added.min() > -1e-6
    assert 0.02 < (added > 0.02).mean() < 0.5
