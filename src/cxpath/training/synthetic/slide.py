"""draw_slide: a whole drawn slide with its true CPS, written as an Aperio-like SVS.

The world is drawn once; blocks of it are painted by worker processes, each the same whoever paints it.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.artefacts_recipe import Artefacts
from cxpath.training.synthetic.cell_shapes import MAX_EXTENT_UM
from cxpath.training.synthetic.drawn_field import DrawnCells
from cxpath.training.synthetic.field import true_cells
from cxpath.training.synthetic.layout import STEP_UM, Ground
from cxpath.training.synthetic.painting import paint
from cxpath.training.synthetic.recipe import FieldRecipe, HardNegatives, NuclearLook, Staining, TissueMix
from cxpath.training.synthetic.scanner import Scanner, random_scanner, scan
from cxpath.training.synthetic.slide_staining import stain_to_cps
from cxpath.training.synthetic.stains import optical_density, random_stain_look
from cxpath.training.synthetic.svs_writer import SvsCanvas, encode_block
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World, build_world
from cxpath.training.worker_processes import default_workers, worker_processes
from cxpath.values.cell_table import Kind
from cxpath.values.errors import OutputError

BLOCK_PX = 1024
MARGIN_PX = 16
"""Painted around a block, so that the scanner's blur and sharpening see across its edge."""


@dataclass(frozen=True, eq=False)
class SlideTruth:
    """What a drawn slide holds.

    Parameters
    ----------
    cells : DrawnCells
        Every cell a reader could see, in level-0 pixels.
    tumour_positive, tumour_negative, immune_positive, immune_negative, other : int
        Counts; every positive immune cell lies within 300 µm of tumour.
    cps : float
        100 × (positive tumour and immune cells) / tumour cells, capped at 100.
    mpp : float
        Micrometres per level-0 pixel.
    """

    cells: DrawnCells
    tumour_positive: int
    tumour_negative: int
    immune_positive: int
    immune_negative: int
    other: int
    cps: float
    mpp: float

    @property
    def tumour_cells(self) -> int:
        """Viable tumour cells: the CPS's denominator."""
        return self.tumour_positive + self.tumour_negative


def draw_slide(
    path: str | Path,
    *,
    seed: int,
    cps: float,
    width_px: int = 8192,
    height_px: int = 8192,
    mpp: float = 0.25,
    workers: int | None = None,
) -> SlideTruth:
    """Draw a slide whose true CPS is as near to `cps` as whole cells allow, and write it to `path`.

    Parameters
    ----------
    path : path-like
        The SVS file; written beside itself under a temporary name and renamed.
    seed : int
        The same seed gives the same slide, whatever the number of workers.
    cps : float
        Combined positive score asked for, 0-100.
    width_px, height_px : int
        Level-0 size.
    mpp : float
        Micrometres per level-0 pixel.
    workers : int, optional
        Processes that paint; none but this one when 1. When None, one for each usable core, but this one
        alone where Python reads its program from standard input.

    Raises
    ------
    ValueError
        When `cps` is not between 0 and 100.
    OutputError
        When the folder does not exist or cannot be written.
    WorkersError
        When several workers were asked for and cannot begin.
    """
    if not 0 <= cps <= 100:
        raise ValueError(f"a combined positive score lies between 0 and 100, not {cps}")
    path = Path(path)
    if not path.parent.is_dir():
        raise OutputError(f"{path}: its folder does not exist", "make it first")
    world = slide_world(seed, cps, width_px * mpp, height_px * mpp, mpp)
    cells = true_cells(world, Window(0, 0, height_px, width_px, mpp))
    _paint_slide(world, path, width_px, height_px, mpp, workers or default_workers())
    return slide_truth(cells, mpp)


def slide_truth(cells: DrawnCells, mpp: float) -> SlideTruth:
    """Count cells by the definition of the combined positive score."""
    counts = {
        (kind, positive): int(((cells.kind == kind) & (cells.positive == positive)).sum())
        for kind in Kind
        for positive in (True, False)
    }
    return SlideTruth(
        cells,
        counts[Kind.TUMOUR, True],
        counts[Kind.TUMOUR, False],
        counts[Kind.IMMUNE, True],
        counts[Kind.IMMUNE, False],
        counts[Kind.OTHER, True] + counts[Kind.OTHER, False],
        cells.true_cps(),
        mpp,
    )


def slide_world(seed: int, cps: float, width_um: float, height_um: float, mpp: float) -> World:
    """Draw the world of a slide and set its staining to the score asked for."""
    rng = np.random.default_rng(seed)
    recipe = slide_recipe(rng, mpp)
    world = build_world(rng, width_um, height_um, recipe, islands=True)
    stain_to_cps(rng, world, cps)
    return world


def slide_recipe(rng: np.random.Generator, mpp: float) -> FieldRecipe:
    """Draw the recipe of a slide with nests, stroma, necrosis, benign epithelium and everyday traps."""
    tissue = TissueMix(
        glass_share=0.38,
        nest_share=float(rng.uniform(0.4, 0.6)),
        benign_share=0.04,
        nest_scale_um=float(rng.uniform(140, 260)),
        glass_scale_um=900.0,
        necrosis_share=0.06,
        keratin_share=0.05,
        tumour_spacing_um=float(rng.uniform(11.0, 14.0)),
        cohesion=float(rng.uniform(0.85, 1.0)),
        stroma_cells_mm2=float(rng.uniform(700, 1800)),
        aggregate_share=0.06,
        border_inflammation=2.0,
        glands_mm2=1.5,
    )
    nuclei = NuclearLook(
        tumour_radius_um=float(rng.uniform(4.0, 5.2)),
        pleomorphism=float(rng.uniform(0.1, 0.22)),
        haematoxylin_od=float(rng.uniform(0.2, 0.34)),
        vesicular=float(rng.uniform(0.2, 0.7)),
    )
    staining = Staining(membrane_od=float(rng.uniform(0.25, 0.6)), immune_od=float(rng.uniform(0.3, 0.7)))
    traps = HardNegatives(
        granules_mm2=80.0,
        excluded_stained_share=0.03,
        benign_stained_share=0.05,
        cytoplasm_only_share=0.01,
        punctate_share=0.01,
        subvisible_share=0.01,
    )
    scanner = replace(
        random_scanner(rng),
        noise=1.0,
        saturation=1.0,
        gamma=1.0,
        sharpen=0.3,
        white=(238.0, 237.0, 234.0),
        black=4.0,
        blur_um=0.25,
    )
    return FieldRecipe(
        (0, 0), mpp, tissue, nuclei, staining, traps, random_stain_look(rng), scanner, Artefacts()
    )


def _paint_slide(world: World, path: Path, width_px: int, height_px: int, mpp: float, workers: int) -> None:
    blocks = [
        Window(row, column, min(BLOCK_PX, height_px - row), min(BLOCK_PX, width_px - column), mpp)
        for row in range(0, height_px, BLOCK_PX)
        for column in range(0, width_px, BLOCK_PX)
    ]
    red, green, blue = (round(value) for value in world.recipe.scanner.white)
    canvas = SvsCanvas(width_px, height_px, (red, green, blue))
    if workers == 1:
        for block in blocks:
            canvas.add(
                block.row, block.column, *encode_block(_picture(world, block), block.row, block.column)
            )
    else:
        with worker_processes(workers, _start_worker, (world,)) as pool:
            for block, painted in zip(blocks, _submit(pool, blocks), strict=True):
                canvas.add(block.row, block.column, *painted.result())
    canvas.write(path, mpp)


_worker_world: list[World] = []


def _start_worker(world: World) -> None:
    cv2.setNumThreads(1)
    _worker_world.append(world)


def _submit(
    pool: Executor, blocks: list[Window]
) -> list[Future[tuple[dict[tuple[int, int], bytes], NDArray[np.uint8]]]]:
    return [pool.submit(_paint_block, block) for block in blocks]


def _paint_block(block: Window) -> tuple[dict[tuple[int, int], bytes], NDArray[np.uint8]]:
    return encode_block(_picture(_worker_world[0], block), block.row, block.column)


def _picture(world: World, block: Window) -> NDArray[np.uint8]:
    """Paint a block as the scanner saw it."""
    window = block.grown(MARGIN_PX)
    scanner: Scanner = world.recipe.scanner
    if _is_glass(world, window):
        od = np.zeros((*window.shape, 3), np.float32)
    else:
        od = optical_density(paint(world, window), world.recipe.stains)
    start = (window.row + MARGIN_PX, window.column + MARGIN_PX)
    return scan(od, scanner, block.mpp, start)[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]


def _is_glass(world: World, window: Window) -> bool:
    rows, columns = ((axis / STEP_UM).astype(int) for axis in (window.y_um[[0, -1]], window.x_um[[0, -1]]))
    near = int(MAX_EXTENT_UM / STEP_UM) + 2
    ground = world.layout.ground[
        max(0, rows[0] - near) : rows[1] + near, max(0, columns[0] - near) : columns[1] + near
    ]
    return bool((ground == Ground.GLASS).all())
