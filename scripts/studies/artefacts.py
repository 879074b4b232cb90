"""How well artefacts are found: dice per class on drawn artefacts, and what is lost on clean.

Ink, folds, bubbles and blur are those that training draws; brown ink, cover slip edges and dark spots, which
training has not, are painted here. Says nothing about real slides beyond what drawings share with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxpath.slide.open import open_slide
from cxpath.synth.clutter import lay_artefacts
from cxpath.synth.noise import smooth_field
from cxpath.synth.optics import jpeg_round_trip, optical_density, random_scanner, scan
from cxpath.synth.painting import paint
from cxpath.synth.recipe import Artefacts
from cxpath.synth.slide import slide_recipe, stain_to_cps
from cxpath.synth.world import Window, build_world
from cxpath.tissue.quality import find_artefacts
from cxpath.tissue.settings import TissueSettings
from cxpath.tissue.stains import estimate_white_point
from cxpath.tissue.tissue import read_overview, tissue_mask

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Spoiled = tuple[FloatImage, Mask]

MPP = 1.0
SIDE_PX = 1400
CPS = (0.0, 3.0, 20.0, 60.0, 95.0)
RESAMPLES = 2000
BROWN_INK = np.array([0.45, 0.75, 1.0], np.float32)


@dataclass(frozen=True)
class FieldResult:
    """One drawn field: its artefact ("clean" for none), dice, and the share of sound tissue that was lost."""

    drawn: str
    dice: float
    lost_share: float


def measure(
    fields: int, first_seed: int, overview_mpp: float, drawings: Sequence[str] = ()
) -> Iterator[FieldResult]:
    """Draw `fields` fields, each clean and with every artefact in turn, and find what was drawn.

    Parameters
    ----------
    fields : int
    first_seed : int
        Field number n is the tissue of seed `first_seed` + n.
    overview_mpp : float
        Micrometres per pixel at which artefacts are looked for; whole slides are looked at with 8.
    drawings : sequence of str
        Which of `PAINTERS`; all of them when left out.
    """
    for seed in range(first_seed, first_seed + fields):
        tissue = paint_tissue(seed)
        for drawn in drawings or PAINTERS:
            spoil = PAINTERS[drawn]
            rng = np.random.default_rng((seed, len(drawn)))
            density, truth = spoil(rng, tissue)
            scanner = random_scanner(rng)
            rgb = jpeg_round_trip(scan(density, scanner, MPP, (0, 0)), scanner)
            yield _compared(drawn, rgb, truth, overview_mpp)


def paint_tissue(seed: int, side_px: int = SIDE_PX) -> FloatImage:
    """Draw a piece of tissue with glass around it, in optical density; stained by one of five CPS in turn."""
    rng = np.random.default_rng(seed)
    recipe = slide_recipe(rng, MPP)
    recipe = replace(recipe, tissue=replace(recipe.tissue, glass_share=0.25))
    world = build_world(rng, side_px * MPP, side_px * MPP, recipe, islands=True)
    stain_to_cps(rng, world, CPS[seed % len(CPS)])
    return optical_density(paint(world, Window(0, 0, side_px, side_px, MPP)), recipe.stains)


def interval(values: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """Return the bootstrap interval of a mean over fields."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _compared(drawn: str, rgb: NDArray[np.uint8], truth: Mask, overview_mpp: float) -> FieldResult:
    settings = TissueSettings(overview_finest_mpp=overview_mpp)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "field.tif"
        Image.fromarray(rgb).save(path)
        with open_slide(path, MPP) as slide:
            overview, mpp = read_overview(slide, settings)
            white = estimate_white_point(overview)
            tissue = tissue_mask(overview, mpp, white, settings)
            found = find_artefacts(slide, overview, mpp, white, tissue, settings.artefacts).masks
    size = (tissue.shape[1], tissue.shape[0])
    true = (cv2.resize(truth.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5) & tissue
    own = found.get(drawn.partition(" ")[0], np.zeros_like(tissue)) & tissue
    anything = np.logical_or.reduce([np.zeros_like(tissue), *found.values()])
    both = int(own.sum()) + int(true.sum())
    dice = 2 * float((own & true).sum()) / both if both else np.nan
    return FieldResult(drawn, dice, float((anything & tissue & ~true).sum() / max(1, tissue.sum())))


def _laid(**artefact: bool) -> Callable[[np.random.Generator, FloatImage], Spoiled]:
    return lambda rng, density: lay_artefacts(rng, density.copy(), Artefacts(**artefact), MPP)


def _defocused(rng: np.random.Generator, density: FloatImage) -> Spoiled:
    return lay_artefacts(rng, density.copy(), Artefacts(defocus_um=float(rng.uniform(1.5, 4.0))), MPP)


def _brown_ink(rng: np.random.Generator, density: FloatImage) -> Spoiled:
    rows, columns = np.indices(density.shape[:2], np.float32)
    angle, wave = rng.uniform(0, np.pi), smooth_field(rng, density.shape[:2], MPP, 120.0)
    middle = np.array(density.shape[:2]) * rng.uniform(0.2, 0.8, 2)
    across = (columns - middle[1]) * np.cos(angle) + (rows - middle[0]) * np.sin(angle)
    inside_um = rng.uniform(60, 200) / 2 - np.abs(across * MPP + 8 * wave)
    uneven = 1 + 0.1 * smooth_field(rng, density.shape[:2], MPP, 60.0)
    ink = np.clip(inside_um / 10 + 0.5, 0, 1) * uneven * rng.uniform(0.7, 1.5)
    return (density + ink[..., None] * BROWN_INK).astype(np.float32), inside_um > -5


def _cover_slip_edge(rng: np.random.Generator, density: FloatImage) -> Spoiled:
    height, width = density.shape[:2]
    rows, columns = np.indices((height, width), np.float32)
    angle = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.03)
    across = ((columns - width / 2) * np.cos(angle) + (rows - height / 2) * np.sin(angle)) * MPP
    across -= rng.choice([-1, 1]) * rng.uniform(0.2, 0.4) * width * MPP
    outside = across > 0 if (across > 0).mean() < 0.5 else across < 0
    line = rng.uniform(0.25, 0.8) * np.exp(-((across / rng.uniform(6, 15)) ** 2))
    spoiled = density + (line + 0.06 * outside)[..., None]
    return spoiled.astype(np.float32), outside | (np.abs(across) < 20)


def _dark_spots(rng: np.random.Generator, density: FloatImage) -> Spoiled:
    rows, columns = np.indices(density.shape[:2], np.float32)
    ragged = 1 + 0.25 * smooth_field(rng, density.shape[:2], MPP, 25.0)
    black = np.zeros(density.shape[:2], np.float32)
    for _ in range(rng.integers(5, 25)):
        row, column = rng.uniform(0, density.shape[:2])
        inside_um = rng.uniform(8, 50) * ragged - np.hypot(columns - column, rows - row) * MPP
        black = np.maximum(black, np.clip(inside_um / 2 + 0.5, 0, 1))
    return (density + black[..., None] * rng.uniform(1.2, 2.0)).astype(np.float32), black > 0.3


PAINTERS: dict[str, Callable[[np.random.Generator, FloatImage], Spoiled]] = {
    "clean": lambda _, density: (density, np.zeros(density.shape[:2], bool)),
    "pen": _laid(pen=True),
    "pen brown": _brown_ink,
    "blur": _defocused,
    "fold": _laid(fold=True),
    "bubble": _laid(bubble=True),
    "edge": _cover_slip_edge,
    "dark": _dark_spots,
}
"""What is drawn; the first word is the class it should be found as."""
