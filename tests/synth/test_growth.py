"""How tumour grows and looks, as its named parameters say: in nests, diffusely, singly; round or spindle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.data.cells import Kind
from cxpath.synth.cells import CellPlan
from cxpath.synth.layout import STEP_UM, Ground
from cxpath.synth.noise import points_in_map
from cxpath.synth.painting import paint
from cxpath.synth.recipe import FieldRecipe, NuclearLook, TissueMix
from cxpath.synth.world import Window, World, build_world

SIDE_UM = 260.0


def _world(tissue: TissueMix, nuclei: NuclearLook | None = None, seed: int = 3) -> World:
    recipe = FieldRecipe(tissue=tissue, nuclei=nuclei or NuclearLook())
    return build_world(np.random.default_rng(seed), SIDE_UM, SIDE_UM, recipe)


def _tumour(world: World) -> CellPlan:
    chosen: CellPlan = world.cells[world.cells["kind"] == Kind.TUMOUR]
    return chosen


def _nearest_um(cells: CellPlan) -> NDArray[np.float64]:
    places = np.stack((cells["x_um"], cells["y_um"]), axis=1)
    return np.asarray(cKDTree(places).query(places, k=2)[0][:, 1])


NEST = TissueMix(nest_share=1.0, intratumour_immune_share=0.0)


def test_disorder_makes_spacing_uneven() -> None:
    even, strewn = (_nearest_um(_tumour(_world(replace(NEST, disorder=d)))) for d in (0.0, 0.3))
    assert strewn.std() / strewn.mean() > 1.3 * even.std() / even.mean()


def test_nuclei_overlap_only_as_far_as_they_may() -> None:
    crowded = replace(NEST, disorder=0.4, tumour_spacing_um=9.0)
    for share in (0.55, 0.9):
        cells = _tumour(_world(replace(crowded, nearest_nuclei=share)))
        places = np.stack((cells["x_um"], cells["y_um"]), axis=1)
        radius = np.maximum(cells["nucleus_um"], 1.0)
        pairs = cKDTree(places).query_pairs(12.0, output_type="ndarray")
        apart = np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1)
        assert (apart / (radius[pairs[:, 0]] + radius[pairs[:, 1]])).min() >= share - 1e-6


def test_lone_tumour_cells_lie_in_stroma() -> None:
    stroma = TissueMix(nest_share=0.0)
    assert len(_tumour(_world(stroma))) == 0
    world = _world(replace(stroma, lone_tumour_mm2=400.0))
    lone = _tumour(world)
    assert len(lone) == pytest.approx(400 * SIDE_UM**2 * 1e-6, rel=0.6)
    ground = points_in_map(world.layout.ground, lone["x_um"], lone["y_um"], STEP_UM)
    assert (ground == Ground.STROMA).all()


def test_spindle_nuclei_are_long_and_can_lie_along_the_fibres() -> None:
    def nuclei(elongation: float, alignment: float) -> tuple[float, float]:
        look = NuclearLook(tumour_elongation=elongation, tumour_alignment=alignment)
        world = _world(NEST, look)
        cells = _tumour(world)
        along = points_in_map(world.layout.fibre_angle, cells["x_um"], cells["y_um"], STEP_UM)
        turned = np.cos(2 * (cells["nucleus_angle"] - along.astype(np.float64)))
        return float(cells["nucleus_aspect"].mean()), float(turned.mean())

    assert nuclei(0.15, 0.0)[0] == pytest.approx(1.15, abs=0.05)
    assert nuclei(0.9, 0.0)[0] == pytest.approx(1.9, abs=0.15)
    assert abs(nuclei(0.9, 0.0)[1]) < 0.2
    assert nuclei(0.9, 1.0)[1] > 0.9


def test_nuclei_out_of_focus_are_softer_but_not_lost() -> None:
    sharp, soft = (_tumour(_world(NEST, NuclearLook(focus_spread_um=s)))["blur"] for s in (0.0, 1.0))
    assert soft.mean() > sharp.mean() + 0.4
    assert soft.max() <= 2.6


def test_stroma_shows_between_the_cells_of_diffuse_growth() -> None:
    look = NuclearLook(tumour_cover=0.5, cytoplasm_od=0.0, cytoplasm_tan_od=0.0)
    window = Window(40, 40, 200, 200, 0.5)
    loose = replace(NEST, cohesion=0.5)
    bare, fibrous = (
        paint(_world(replace(loose, stroma_within=share), look), window).haematoxylin for share in (0.0, 1.0)
    )
    assert fibrous.mean() > bare.mean() + 0.01
