"""Drawing one slide's worth of test fields with a true CPS in its stratum, and the truth to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.training.judging.shared_staining import stain_together
from cxpath.training.judging.slide_plan import PlannedSlide
from cxpath.training.judging.slide_recipe import field_recipe, slide_look
from cxpath.training.judging.synthetic_settings import TissueSettings
from cxpath.training.judging.trap_presence import traps_in
from cxpath.training.picture import rescaled
from cxpath.training.synthetic.artefacts import lay_artefacts
from cxpath.training.synthetic.artefacts_recipe import Artefacts
from cxpath.training.synthetic.cell_plan import CellPlan
from cxpath.training.synthetic.drawn_field import DrawnCells
from cxpath.training.synthetic.field import MARGIN_UM, true_cells
from cxpath.training.synthetic.painting import paint
from cxpath.training.synthetic.recipe import FieldRecipe
from cxpath.training.synthetic.scanner import jpeg_round_trip, scan
from cxpath.training.synthetic.stains import optical_density
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World, build_world
from cxpath.values.cell_table import Kind

_STAIN, _ARTEFACT, _SCAN = 3, 4, 5


@dataclass(frozen=True, eq=False)
class JudgedArea:
    """Where in a field cells are judged: away from its edge and from what artefacts spoiled.

    Parameters
    ----------
    spoiled : bool array, (H, W)
        Pixels of the drawing.
    mpp : float
        Micrometres per pixel of the drawing.
    margin_um : float
    """

    spoiled: NDArray[np.bool_]
    mpp: float
    margin_um: float

    def holds(self, points_um: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say for each point, (N, 2), whether a cell there is judged."""
        height, width = self.spoiled.shape
        far = np.array([width, height]) * self.mpp - self.margin_um
        inside = ((points_um >= self.margin_um) & (points_um < far)).all(axis=1)
        column, row = (points_um / self.mpp).astype(np.int64).reshape(-1, 2).T
        spoiled = self.spoiled[row.clip(0, height - 1), column.clip(0, width - 1)]
        return np.asarray(inside & ~spoiled)


@dataclass(frozen=True, eq=False)
class JudgedField:
    """One drawn field, ready for a network.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
        At the µm/px that was asked for.
    points_um : float64 array, (N, 2)
        True cells; micrometres from the field's top left.
    cells : DrawnCells
    area : JudgedArea
    traps : list of str
    """

    rgb: NDArray[np.uint8]
    points_um: NDArray[np.float64]
    cells: DrawnCells
    area: JudgedArea
    traps: list[str]


@dataclass(frozen=True, eq=False)
class JudgedSlide:
    """All fields of one slide, the scanner's JPEG quality (0: none), and its strength of stain (usual: 1)."""

    fields: tuple[JudgedField, ...]
    jpeg_quality: int
    counterstain: float
    dab: float


@dataclass(frozen=True, eq=False)
class _Sketch:
    """A field before it is painted."""

    number: int
    world: World
    window: Window
    area: JudgedArea

    def truth(self, cells: CellPlan) -> DrawnCells:
        """Return the judged ones of these cells."""
        visible = true_cells(_with_cells(self.world, cells), self.window)
        return visible.take(self.area.holds(_points_um(visible, self.window.mpp)))

    @property
    def tumour_cells(self) -> int:
        return int((self.truth(self.world.cells).kind == Kind.TUMOUR).sum())


def draw_test_slide(planned: PlannedSlide, tissue: TissueSettings, mpp: float) -> JudgedSlide:
    """Draw a slide's worth of fields and bring them to `mpp`.

    Parameters
    ----------
    planned : PlannedSlide
    tissue : TissueSettings
    mpp : float
        Micrometres per pixel of the pictures returned; they are drawn at the slide's own.

    Raises
    ------
    ValueError
        When `most_fields` hold too few tumour cells, or no staining gives a CPS of the stratum.
    """
    look = slide_look(planned, tissue)
    sketches = _sketches(planned, look, tissue)

    def in_stratum(cells: Sequence[CellPlan]) -> bool:
        truths = [one.truth(plan) for one, plan in zip(sketches, cells, strict=True)]
        return planned.stratum.holds(_cps(truths))

    worlds = stain_together(planned.dice(_STAIN), [one.world for one in sketches], planned.cps, in_stratum)
    fields = [_painted(planned, one, world, tissue, mpp) for one, world in zip(sketches, worlds, strict=True)]
    stains = look.stains
    return JudgedSlide(
        tuple(fields),
        look.scanner.jpeg_quality,
        counterstain=stains.haematoxylin_gain * stains.section_thickness,
        dab=stains.dab_gain * stains.section_thickness,
    )


def _sketches(planned: PlannedSlide, look: FieldRecipe, tissue: TissueSettings) -> list[_Sketch]:
    sketches: list[_Sketch] = []
    tumour_cells = 0
    while tumour_cells < tissue.tumour_cells:
        if len(sketches) == tissue.most_fields:
            raise ValueError(f"{planned.name}: {len(sketches)} fields hold {tumour_cells} tumour cells only")
        sketches.append(_sketch(planned, look, len(sketches), tissue))
        tumour_cells += sketches[-1].tumour_cells
    return sketches


def _sketch(planned: PlannedSlide, look: FieldRecipe, number: int, tissue: TissueSettings) -> _Sketch:
    recipe, rng = field_recipe(planned, look, number, tissue)
    (height, width), mpp = recipe.size_px, recipe.mpp
    margin_px = int(np.ceil(MARGIN_UM / mpp))
    world = build_world(rng, (width + 2 * margin_px) * mpp, (height + 2 * margin_px) * mpp, recipe)
    spoiled = np.zeros((height, width), bool)
    if recipe.artefacts != Artefacts():
        # Where artefacts will lie depends on their dice alone, not on the picture beneath.
        blank = np.zeros((height, width, 3), np.float32)
        _, spoiled = lay_artefacts(planned.dice(_ARTEFACT, number), blank, recipe.artefacts, mpp)
    window = Window(margin_px, margin_px, height, width, mpp)
    return _Sketch(number, world, window, JudgedArea(spoiled, mpp, tissue.margin_um))


def _painted(
    planned: PlannedSlide, sketch: _Sketch, world: World, tissue: TissueSettings, mpp: float
) -> JudgedField:
    recipe, window = world.recipe, sketch.window
    od = optical_density(paint(world, window), recipe.stains)
    od, _ = lay_artefacts(planned.dice(_ARTEFACT, sketch.number), od, recipe.artefacts, recipe.mpp)
    start = planned.dice(_SCAN, sketch.number).integers(4096, size=2)
    picture = scan(od, recipe.scanner, recipe.mpp, (int(start[0]), int(start[1])))
    cells = true_cells(world, window)
    return JudgedField(
        rgb=rescaled(jpeg_round_trip(picture, recipe.scanner), recipe.mpp / mpp),
        points_um=_points_um(cells, recipe.mpp),
        cells=cells,
        area=sketch.area,
        traps=traps_in(recipe, world.layout),
    )


def _with_cells(world: World, cells: CellPlan) -> World:
    return World(world.layout, cells, world.borders, world.clutter, world.recipe, world.texture_um)


def _points_um(cells: DrawnCells, mpp: float) -> NDArray[np.float64]:
    return np.column_stack([cells.x_px, cells.y_px]) * mpp


def _cps(fields: Sequence[DrawnCells]) -> float:
    counted = sum(int((cells.positive & (cells.kind != Kind.OTHER)).sum()) for cells in fields)
    tumour = sum(int((cells.kind == Kind.TUMOUR).sum()) for cells in fields)
    return min(100.0, 100.0 * counted / tumour) if tumour else float("nan")
