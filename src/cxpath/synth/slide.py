"""A synthetic whole slide with a known score, written as SVS."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from cxpath.data import Kind, default_workers, worker_processes
from cxpath.errors import OutputError
from cxpath.io import atomic_write
from cxpath.synth.cells import MAX_EXTENT_UM
from cxpath.synth.field import SyntheticCells, true_cells
from cxpath.synth.layout import STEP_UM, Ground
from cxpath.synth.optics import Scanner, optical_density, random_scanner, random_stain_look, scan
from cxpath.synth.painting import paint
from cxpath.synth.recipe import Artefacts, FieldRecipe, HardNegatives, NuclearLook, Staining, TissueMix
from cxpath.synth.world import Window, World, as_developed, build_world, clear_stain, stain_cells

# Staining a whole slide so that its combined positive score is the one asked for, to the cell.


def stain_to_cps(rng: np.random.Generator, world: World, cps: float) -> None:
    """Stain the world's cells again, in place, splitting the positives between tumour and immune cells."""
    cells = world.cells
    tumour = int(((cells["kind"] == Kind.TUMOUR) & cells["visible"]).sum())
    immune = int((cells["kind"] == Kind.IMMUNE).sum())
    wanted = round(cps * tumour / 100)
    from_immune = min(round(wanted * rng.uniform(0.25, 0.75)), int(0.3 * immune))
    from_immune = max(from_immune, wanted - tumour)
    staining = replace(
        world.recipe.staining,
        tumour_positive_share=(wanted - from_immune) / max(1, tumour),
        immune_positive_share=from_immune / max(1, immune),
    )
    developed = as_developed(staining, world.recipe.stains, world.recipe.scanner)
    clear_stain(cells)
    stain_cells(rng, cells, world.layout, developed, world.recipe.hard_negatives)


# Writing an Aperio-like pyramidal SVS, which OpenSlide opens as vendor aperio.
#
# Streams tiles through a temporary file, renamed when complete. Knows nothing of tissue.


Picture = NDArray[np.uint8]

TILE_PX = 256
DOWNSAMPLES = (1, 4, 16)
JPEG_QUALITY = 88


class SvsCanvas:
    """Contains the encoded tiles of all levels while they are painted, in any order.

    Parameters
    ----------
    width_px, height_px : int
        Level-0 size; multiples of 4096 keep all levels' tiles whole, others are padded with white.
    white : tuple of int
        Colour of padding.
    """

    def __init__(self, width_px: int, height_px: int, white: tuple[int, int, int] = (240, 240, 240)) -> None:
        self.width_px, self.height_px = width_px, height_px
        self._white = np.array(white, np.uint8)
        self._tiles: dict[tuple[int, int], bytes] = {}
        shape = (-(-height_px // DOWNSAMPLES[1]), -(-width_px // DOWNSAMPLES[1]), 3)
        self._second = np.broadcast_to(self._white, shape).copy()

    def add(self, row_px: int, column_px: int, tiles: dict[tuple[int, int], bytes], small: Picture) -> None:
        """Take a painted block: its encoded tiles by (tile row, tile column), and itself at a quarter."""
        self._tiles.update(tiles)
        top, left = row_px // DOWNSAMPLES[1], column_px // DOWNSAMPLES[1]
        target = self._second[top : top + small.shape[0], left : left + small.shape[1]]
        target[:] = small[: target.shape[0], : target.shape[1]]

    def write(self, path: Path, mpp: float) -> None:
        """Write all levels to `path`."""
        with atomic_write(path) as part:
            self._write_levels(part, mpp)

    def _write_levels(self, part: Path, mpp: float) -> None:
        third = _shrunk(self._second, DOWNSAMPLES[2] // DOWNSAMPLES[1])
        with tifffile.TiffWriter(part, bigtiff=False) as tiff:
            for level, downsample in enumerate(DOWNSAMPLES):
                width, height = self.width_px // downsample, self.height_px // downsample
                tiles = self._level_0() if level == 0 else _encoded((self._second, third)[level - 1])
                tiff.write(
                    tiles,
                    shape=(height, width, 3),
                    dtype=np.uint8,
                    tile=(TILE_PX, TILE_PX),
                    photometric="ycbcr",
                    compression="jpeg",
                    subsampling=(2, 2),
                    subfiletype=0,
                    description=self._description(width, height, mpp),
                    metadata=None,
                    software="Aperio Image Library",
                )

    def _level_0(self) -> Iterator[bytes]:
        empty = encode_tile(np.broadcast_to(self._white, (TILE_PX, TILE_PX, 3)).copy())
        for row in range(-(-self.height_px // TILE_PX)):
            for column in range(-(-self.width_px // TILE_PX)):
                yield self._tiles.get((row, column), empty)

    def _description(self, width: int, height: int, mpp: float) -> str:
        size = f"{self.width_px}x{self.height_px}"
        if width != self.width_px:
            size += f" [0,0 {self.width_px}x{self.height_px}] ({TILE_PX}x{TILE_PX}) -> {width}x{height}"
        power = round(10.0 / mpp)
        return (
            f"Aperio Image Library v12.0.0 \r\n{size} ({TILE_PX}x{TILE_PX}) JPEG/RGB Q={JPEG_QUALITY}"
            f"|AppMag = {power}|MPP = {mpp:g}|Filename = synthetic"
        )


def encode_tile(rgb: Picture) -> bytes:
    """Compress one tile as YCbCr JPEG, 4:2:0."""
    return bytes(
        imagecodecs.jpeg8_encode(
            np.ascontiguousarray(rgb),
            level=JPEG_QUALITY,
            colorspace="RGB",
            outcolorspace="YCBCR",
            subsampling="420",
        )
    )


def encode_block(rgb: Picture, row_px: int, column_px: int) -> tuple[dict[tuple[int, int], bytes], Picture]:
    """Return a block's encoded tiles by place, and the block at a quarter; it starts on the tile lattice."""
    tiles = {
        (row_px // TILE_PX + place // TILE_PX, column_px // TILE_PX + other // TILE_PX): encode_tile(
            _padded(rgb[place : place + TILE_PX, other : other + TILE_PX])
        )
        for place in range(0, rgb.shape[0], TILE_PX)
        for other in range(0, rgb.shape[1], TILE_PX)
    }
    return tiles, _shrunk(rgb, DOWNSAMPLES[1])


def _encoded(picture: Picture) -> Iterator[bytes]:
    for row in range(0, picture.shape[0], TILE_PX):
        for column in range(0, picture.shape[1], TILE_PX):
            yield encode_tile(_padded(picture[row : row + TILE_PX, column : column + TILE_PX]))


def _padded(tile: Picture) -> Picture:
    missing = (TILE_PX - tile.shape[0], TILE_PX - tile.shape[1])
    if missing == (0, 0):
        return tile
    return np.pad(tile, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def _shrunk(rgb: Picture, factor: int) -> Picture:
    size = (max(1, rgb.shape[1] // factor), max(1, rgb.shape[0] // factor))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


# write_synthetic_slide: a whole synthetic slide with its true CPS, written as an Aperio-like SVS.
#
# The world is made once; blocks of it are painted by worker processes, each the same whoever paints it.


BLOCK_PX = 1024
MARGIN_PX = 16
"""Painted around a block, so that the scanner's blur and sharpening see across its edge."""


@dataclass(frozen=True, eq=False)
class SlideTruth:
    """What a synthetic slide contains.

    Parameters
    ----------
    cells : SyntheticCells
        Every cell a reader could see, in level-0 pixels.
    tumour_positive, tumour_negative, immune_positive, immune_negative, other : int
        Counts; every positive immune cell lies within 300 µm of tumour.
    cps : float
        100 × (positive tumour and immune cells) / tumour cells, capped at 100.
    mpp : float
        Micrometres per level-0 pixel.
    """

    cells: SyntheticCells
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


def write_synthetic_slide(
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
        The SVS file; written under a temporary name and renamed.
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


def slide_truth(cells: SyntheticCells, mpp: float) -> SlideTruth:
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
    """Sample the recipe of a slide with nests, stroma, necrosis, benign epithelium and hard negatives."""
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
    hard_negatives = HardNegatives(
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
        (0, 0), mpp, tissue, nuclei, staining, hard_negatives, random_stain_look(rng), scanner, Artefacts()
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
