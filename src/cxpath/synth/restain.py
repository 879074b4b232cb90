"""Real H&E tissue restained as H-DAB with painted PD-L1: real cells and architecture, exact staining truth.

Chromatin, crowding and tissue stay real; haematoxylin is shown in another slide's blue, eosin all but
goes, and PD-L1 is painted onto the cells that grow from the labelled nuclei. One tile can be restained many
times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxpath.errors import TissueTileError
from cxpath.io import atomic_write, output_error
from cxpath.synth.clutter import lay_artefacts
from cxpath.synth.field import REGION_STRIDE_PX
from cxpath.synth.labelled_tissue import LABELS, LabelledTile, Part, UnmixedTile, read_tiles, unmix
from cxpath.synth.noise import FloatImage, smooth_field
from cxpath.synth.optics import (
    TRAINING_STAINS,
    Scanner,
    StainLayers,
    StainLook,
    StainRange,
    jpeg_round_trip,
    optical_density,
    random_scanner,
    random_stain_look,
    scan,
)
from cxpath.synth.recipe import Artefacts
from cxpath.synth.restain_cells import CellMap, Guest, Outline, invite_guests, map_cells, read_outlines
from cxpath.synth.restain_painting import (
    Painted,
    Painting,
    PaintingRecipe,
    paint,
    random_painting,
)

_INDEPENDENT_SHARE = 0.25
_GUEST_SHARE = 0.35
_SPOILED_SHARE = 0.1


@dataclass(frozen=True)
class Counterstain:
    """How the tile's haematoxylin and eosin come to show.

    Parameters
    ----------
    background_left : float
        Share of the haematoxylin between nuclei that is taken away.
    gamma : float
        Above 1 pale chromatin fades, below 1 nuclei look flat.
    blur_um : float
    amount_od : float
        Optical density of a typical darker nucleus.
    eosin_od : float
        What is left of eosin, as unstained tan.
    stroma_blue : float
        Share of eosin that takes up haematoxylin instead.
    """

    background_left: float
    gamma: float
    blur_um: float
    amount_od: float
    eosin_od: float
    stroma_blue: float


@dataclass(frozen=True)
class RestainRecipe:
    """Everything that decides how one tile comes to look; `guests_mm2`: cells that join, per mm²."""

    painting: PaintingRecipe
    counterstain: Counterstain
    look: StainLook
    scanner: Scanner
    artefacts: Artefacts
    guests_mm2: float = 0.0


@dataclass(frozen=True, eq=False)
class RestainedTile:
    """A restained picture and the truth about its cells.

    Parameters
    ----------
    rgb : uint8 array, (height, width, 3)
    mpp : float
    x_px, y_px : float64 array, (N,)
        Nuclear centres; pixel centres at .5.
    label : int64 array, (N,)
        Rows of `LABELS`.
    membrane, any_stain : bool array, (N,)
        As of `SyntheticCells`.
    stain_known : bool array, (N,)
        False where a reader could call the staining either way.
    ignore : bool array, (height // 8, width // 8)
        Squares under an artefact: not to be learned from or evaluated.
    """

    rgb: NDArray[np.uint8]
    mpp: float
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    label: NDArray[np.int64]
    membrane: NDArray[np.bool_]
    any_stain: NDArray[np.bool_]
    stain_known: NDArray[np.bool_]
    ignore: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PreparedTile:
    """A tile taken apart once, to be restained often."""

    tile: LabelledTile
    stains: UnmixedTile
    cells: CellMap


def prepare(tile: LabelledTile, rng: np.random.Generator) -> PreparedTile:
    """Take a tile apart and grow its cells.

    Raises
    ------
    TissueTileError
        When its stains cannot be distinguished, or it contains fewer than two nuclei.
    """
    if len(tile.x_px) < 2:
        raise TissueTileError(f"tile {tile.name}: fewer than two labelled nuclei", "leave the tile out")
    stains = unmix(tile)
    cells = map_cells(rng, tile.x_px, tile.y_px, tile.label, tile.rgb.shape[:2], tile.source.mpp)
    return PreparedTile(tile, stains, cells)


def random_restain(
    rng: np.random.Generator,
    *,
    painting: Painting | None = None,
    stains: StainRange = TRAINING_STAINS,
    guests: bool = False,
    artefacts: bool = True,
) -> RestainRecipe:
    """Draw a recipe; without `painting` a training one, in which a quarter stains independently of class."""
    if painting is None:
        painting = Painting.INDEPENDENT if rng.random() < _INDEPENDENT_SHARE else Painting.USUAL
    scanner = random_scanner(rng)
    if rng.random() < 0.25:
        scanner = replace(scanner, blur_um=float(rng.uniform(0.5, 1.0)), sharpen=0.0)
    look = random_stain_look(rng, stains)
    recipe = random_painting(rng, painting)
    # A thin line loses height when it is blurred, as do pale dyes and thin sections.
    line_um = recipe.membrane_um / 2
    left = (
        line_um / np.hypot(line_um, scanner.blur_um) * look.dab_gain * look.section_thickness * scanner.gamma
    )
    return RestainRecipe(
        painting=replace(recipe, visible_od=recipe.visible_od / float(left)),
        counterstain=_random_counterstain(rng),
        look=look,
        scanner=scanner,
        artefacts=_random_spoiling(rng) if artefacts else Artefacts(),
        guests_mm2=float(rng.uniform(40, 400)) if guests and rng.random() < _GUEST_SHARE else 0.0,
    )


def restain(
    prepared: PreparedTile,
    recipe: RestainRecipe,
    rng: np.random.Generator,
    outlines: Sequence[Outline] = (),
) -> RestainedTile:
    """Restain a tile.

    Parameters
    ----------
    prepared : PreparedTile
    recipe : RestainRecipe
    rng : Generator
        Draws what the recipe leaves to chance.
    outlines : sequence of Outline
        Shapes of cells that may be painted into stroma; without them none are.
    """
    tile, mpp = prepared.tile, prepared.tile.source.mpp
    haematoxylin, cells = prepared.stains.haematoxylin, prepared.cells
    guests: Guest | None = None
    if recipe.guests_mm2 > 0 and outlines:
        guests = invite_guests(rng, tile, haematoxylin, outlines, recipe.guests_mm2)
    x_px, y_px, label = tile.x_px, tile.y_px, tile.label
    if guests is not None and len(guests.x_px):
        haematoxylin = guests.haematoxylin
        x_px, y_px = np.concatenate([x_px, guests.x_px]), np.concatenate([y_px, guests.y_px])
        label = np.concatenate([label, guests.label])
        cells = map_cells(rng, x_px, y_px, label, tile.rgb.shape[:2], mpp)
    painted = paint(rng, cells, (x_px, y_px), label, haematoxylin, recipe.painting)
    layers = _layers(rng, haematoxylin, prepared.stains.eosin, painted, recipe, mpp)
    od, spoiled = lay_artefacts(rng, optical_density(layers, recipe.look), recipe.artefacts, mpp)
    rgb = jpeg_round_trip(scan(od, recipe.scanner, mpp, (int(rng.integers(512)), 0)), recipe.scanner)
    return RestainedTile(
        rgb=rgb,
        mpp=mpp,
        x_px=x_px,
        y_px=y_px,
        label=label,
        membrane=painted.membrane,
        any_stain=painted.any_stain,
        stain_known=painted.known,
        ignore=_squares(spoiled),
    )


def write_examples(
    data: Path, folder: Path, number: int, seed: int, painting: Painting | None = None
) -> list[Path]:
    """Write restained tiles of training patients, each a PNG with a CSV of its cells; return the pictures.

    Parameters
    ----------
    data : Path
        The data folder (`CXPATH_DATA`).
    folder : Path
        Made when missing. The pictures show other people's data: they are to look at, not to pass on.
    number, seed : int
    painting : Painting, optional
        All tiles in one way of painting; else as training draws them.

    Raises
    ------
    MissingFileError, TissueTileError
        When the data folder lacks the tiles, or none can be restained; single ones that cannot are left out.
    OutputError
        When the folder cannot be written.
    """
    tiles = read_tiles(data, [Part.TRAIN])
    outlines = read_outlines(data)
    rng = np.random.default_rng(seed)
    written: list[Path] = []
    while len(written) < number:
        place = int(rng.integers(len(tiles)))
        recipe = random_restain(rng, painting=painting, guests=True)
        try:
            prepared = prepare(tiles[place], rng)
        except TissueTileError:
            if len(tiles) == 1:
                raise
            del tiles[place]
            continue
        restained = restain(prepared, recipe, rng, outlines)
        name = f"{len(written):03d}-{prepared.tile.name[:12]}.png"
        written.append(_write_example(folder / name, restained))
    return written


def _write_example(picture: Path, restained: RestainedTile) -> Path:
    truth = zip(
        restained.x_px, restained.y_px, restained.label,
        restained.membrane, restained.any_stain, restained.stain_known, strict=True,
    )  # fmt: skip
    rows = ["x_px,y_px,label,membrane,any_stain,stain_known"]
    rows += [f"{x:.1f},{y:.1f},{LABELS[label].name},{m:d},{a:d},{k:d}" for x, y, label, m, a, k in truth]
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(picture.parent, error) from error
    with atomic_write(picture) as partial:
        Image.fromarray(restained.rgb).save(partial, format="PNG")
    with atomic_write(picture.with_suffix(".csv")) as partial:
        partial.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return picture


def _random_counterstain(rng: np.random.Generator) -> Counterstain:
    eosin = rng.uniform(0, 0.05) if rng.random() < 0.6 else rng.uniform(0.05, 0.16)
    return Counterstain(
        background_left=float(rng.uniform(0.2, 1.0)),
        gamma=float(rng.uniform(0.6, 1.3)),
        blur_um=float(rng.choice([0.0, 1.0]) * rng.uniform(0.1, 0.65)),
        amount_od=float(np.exp(rng.uniform(np.log(0.15), np.log(0.85)))),
        eosin_od=float(eosin),
        stroma_blue=float(rng.choice([0.0, 0.15]) * rng.random()),
    )


def _random_spoiling(rng: np.random.Generator) -> Artefacts:
    if rng.random() > _SPOILED_SHARE:
        return Artefacts()
    chosen = rng.choice(["fold", "bubble", "pen", "defocus_um"], p=[0.35, 0.15, 0.15, 0.35])
    return Artefacts(
        fold=chosen == "fold",
        bubble=chosen == "bubble",
        pen=chosen == "pen",
        defocus_um=float(rng.uniform(1.2, 3.0)) if chosen == "defocus_um" else 0.0,
    )


def _layers(
    rng: np.random.Generator,
    haematoxylin: FloatImage,
    eosin: FloatImage,
    painted: Painted,
    recipe: RestainRecipe,
    mpp: float,
) -> StainLayers:
    counterstain = recipe.counterstain
    layers = StainLayers.empty((haematoxylin.shape[0], haematoxylin.shape[1]))
    blue = _counterstained(haematoxylin, counterstain, mpp)
    blue += np.float32(counterstain.stroma_blue * counterstain.amount_od) * np.clip(eosin, 0, 1)
    layers.haematoxylin[:] = blue * (1 - painted.covered)
    layers.tan[:] = np.float32(counterstain.eosin_od) * np.clip(eosin, 0, 1.5)
    layers.dab[:] = painted.dab
    if recipe.painting.haze_od > 0:
        patches = np.clip(0.6 + 0.6 * smooth_field(rng, haematoxylin.shape, mpp, 120.0), 0, 2)
        layers.dab[:] += np.float32(recipe.painting.haze_od) * patches * np.clip(eosin, 0.1, 1)
    return layers


def _counterstained(haematoxylin: FloatImage, counterstain: Counterstain, mpp: float) -> FloatImage:
    floor = counterstain.background_left * float(np.quantile(haematoxylin, 0.3))
    shown = np.maximum(haematoxylin - np.float32(floor), 0) / np.float32(max(0.2, 1 - floor))
    if counterstain.blur_um > 0:
        shown = np.asarray(cv2.GaussianBlur(shown, (0, 0), counterstain.blur_um / mpp), np.float32)
    return np.asarray(np.minimum(shown, 2.0) ** counterstain.gamma * counterstain.amount_od, np.float32)


def _squares(spoiled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    height, width = (side // REGION_STRIDE_PX for side in spoiled.shape)
    whole = spoiled[: height * REGION_STRIDE_PX, : width * REGION_STRIDE_PX]
    spoiled_share = whole.reshape(height, REGION_STRIDE_PX, width, REGION_STRIDE_PX).mean(axis=(1, 3))
    return np.asarray(spoiled_share > 0.5)
