"""Real H&E tiles with labelled nuclei, and their stains taken apart."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import Direction, Kind
from cxpath.errors import MissingFileError, TissueTileError

# Real H&E tiles with labelled nuclei: label classes, and which patients are held out.
#
# A label is a *set* of classes: where a data set does not separate plasma cells from lymphocytes, a network
# must not either. Knows nothing of stains or of networks.


class Tissue(StrEnum):
    """What a nucleus belongs to, as far as painting needs to know."""

    EPITHELIUM = "epithelium"
    IMMUNE = "immune"
    STROMA = "stroma"


@dataclass(frozen=True)
class NucleusLabel:
    """What a data set calls a nucleus, and the network's fine classes that this may be."""

    name: str
    classes: frozenset[str]
    tissue: Tissue


LABELS: tuple[NucleusLabel, ...] = (
    NucleusLabel("tumour", frozenset({"tumour"}), Tissue.EPITHELIUM),
    NucleusLabel("lymphocyte", frozenset({"lymphocyte", "plasma"}), Tissue.IMMUNE),
    NucleusLabel("stromal", frozenset({"fibroblast", "endothelium"}), Tissue.STROMA),
    NucleusLabel("epithelial", frozenset({"tumour", "benign_epithelium"}), Tissue.EPITHELIUM),
    NucleusLabel(
        "inflammatory",
        frozenset({"lymphocyte", "plasma", "neutrophil", "eosinophil", "macrophage"}),
        Tissue.IMMUNE,
    ),
    NucleusLabel("macrophage", frozenset({"macrophage"}), Tissue.IMMUNE),
)
"""Stromal dots exclude macrophages: trained as possible there, a third of stroma becomes macrophage."""

_KIND_OF_TISSUE = {Tissue.EPITHELIUM: Kind.TUMOUR, Tissue.IMMUNE: Kind.IMMUNE, Tissue.STROMA: Kind.OTHER}
KIND_OF_LABEL = np.array([_KIND_OF_TISSUE[label.tissue] for label in LABELS], np.uint8)
"""For each of `LABELS`, the class whose rule decides the staining of its cells."""

LABEL_NUMBER = {label.name: number for number, label in enumerate(LABELS)}

_SPELLINGS = {"tumour_or_epithelial": "tumour"}
"""Names in label files that are spelt otherwise in `LABELS`."""


class Part(StrEnum):
    """What a patient's tiles are used for."""

    TRAIN = "train"
    CALIBRATE = "calibrate"
    """Fits temperatures, biases and thresholds."""
    VALIDATE = "validate"
    """Measures, and has fitted nothing."""


@dataclass(frozen=True)
class TissueSource:
    """One data set of labelled H&E tiles.

    Parameters
    ----------
    name, title, folder : str
        `folder` lies below the data folder.
    mpp : float
        Micrometres per pixel of every tile.
    licence : str
    patient_letters : int
        Leading characters of a tile's name that name its patient; 0 when names do not tell patients.
    calibrate, validate : tuple of str
        Names of the tiles held out where patients are unknown; tiles that look alike are not parted.
    """

    name: str
    title: str
    folder: str
    mpp: float
    licence: str
    patient_letters: int = 0
    calibrate: tuple[str, ...] = ()
    validate: tuple[str, ...] = ()


BRCA_M2C = TissueSource(
    "brca_m2c",
    "BRCA-M2C (Abousamra et al. 2021): breast cancer, H&E, dots of three classes",
    "real_tissue/brca_m2c",
    0.5,
    "BSD-3-Clause",
    patient_letters=12,
)
CONSEP = TissueSource(
    "consep",
    "CoNSeP (Graham et al. 2019): colorectal, H&E, nuclei of three classes",
    "real_tissue/consep",
    0.5,
    "Apache-2.0",
    calibrate=("train_6", "train_8", "train_10", "train_21"),
    validate=("train_3", "train_9", "train_19", "train_23"),
)
SOURCES = (BRCA_M2C, CONSEP)

_CALIBRATE_OF_20, _VALIDATE_OF_20 = 3, 3
"""Of twenty patients, how many calibrate, and how many validate."""


@dataclass(frozen=True, eq=False)
class LabelledTile:
    """One H&E tile with all its nuclei.

    Parameters
    ----------
    source : TissueSource
    name, patient : str
    rgb : uint8 array, (height, width, 3)
    x_px, y_px : float64 array, (N,)
        Nuclear centres; pixel centres at .5.
    label : int64 array, (N,)
        Rows of `LABELS`.
    """

    source: TissueSource
    name: str
    patient: str
    rgb: NDArray[np.uint8]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    label: NDArray[np.int64]

    @property
    def part(self) -> Part:
        """What this tile may be used for."""
        return part_of(self.source, self.name, self.patient)


def part_of(source: TissueSource, name: str, patient: str) -> Part:
    """Return the part of a patient, or of a tile where patients are unknown; the same on every machine."""
    if not source.patient_letters:
        if name in source.calibrate:
            return Part.CALIBRATE
        return Part.VALIDATE if name in source.validate else Part.TRAIN
    bucket = int(hashlib.sha256(f"{source.name} {patient}".encode()).hexdigest(), 16) % 20
    if bucket < _CALIBRATE_OF_20:
        return Part.CALIBRATE
    return Part.VALIDATE if bucket < _CALIBRATE_OF_20 + _VALIDATE_OF_20 else Part.TRAIN


def read_tiles(
    data: Path, parts: Iterable[Part], sources: Sequence[TissueSource] = SOURCES
) -> list[LabelledTile]:
    """Read every tile of some parts, in the order of their names.

    Parameters
    ----------
    data : Path
        The data folder (`CXPATH_DATA`).
    parts : iterable of Part
    sources : sequence of TissueSource

    Raises
    ------
    MissingFileError
        When a source's folder contains no tile, or a tile has no labels.
    TissueTileError
        When a picture or its labels cannot be read in full.
    """
    wanted = frozenset(parts)
    tiles = []
    for source in sources:
        pictures = sorted((data / source.folder).glob("*.png"))
        if not pictures:
            raise MissingFileError(
                f"{data / source.folder}: no labelled tiles", "point CXPATH_DATA at the data"
            )
        chosen = (path for path in pictures if part_of(source, path.stem, _patient(source, path)) in wanted)
        tiles += [read_tile(path, source) for path in chosen]
    return tiles


def read_tile(picture: Path, source: TissueSource) -> LabelledTile:
    """Read one picture and the CSV of the same name next to it; see `read_tiles` for what it raises."""
    bgr = cv2.imread(str(picture), cv2.IMREAD_COLOR)
    if bgr is None:
        raise TissueTileError(f"{picture}: not a picture that can be read", "fetch the tile again")
    height, width = bgr.shape[:2]
    x_px, y_px, label = _read_labels(picture.with_suffix(".csv"), width, height)
    rgb = np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)
    return LabelledTile(source, picture.stem, _patient(source, picture), rgb, x_px, y_px, label)


def _patient(source: TissueSource, picture: Path) -> str:
    return picture.stem[: source.patient_letters] if source.patient_letters else picture.stem


def _read_labels(
    path: Path, width_px: int, height_px: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    if not path.is_file():
        raise MissingFileError(f"{path}: no labels for this tile", "a tile NAME.png needs NAME.csv")
    rows = []
    with path.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            rows.append(_read_label(row, f"{path}, line {number}", width_px, height_px))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return columns[0], columns[1], columns[2].astype(np.int64)


def _read_label(row: dict[str, str], where: str, width_px: int, height_px: int) -> tuple[float, float, int]:
    try:
        x_px, y_px = float(row["x"]) + 0.5, float(row["y"]) + 0.5
        number = LABEL_NUMBER[_SPELLINGS.get(row["class"], row["class"])]
    except (KeyError, TypeError, ValueError) as error:
        names = ", ".join(LABEL_NUMBER)
        raise TissueTileError(f"{where}: not x, y and a known class", f"classes are {names}") from error
    if not (0 <= x_px <= width_px and 0 <= y_px <= height_px):
        raise TissueTileError(f"{where}: lies outside the picture", "labels are pixels of the tile")
    return x_px, y_px, number


# Taking an H&E tile apart: how much haematoxylin and eosin each pixel contains.
#
# Each tile has its own two stain directions (Macenko et al. 2009). Where they are degenerate (a tile of fat
# or blood, one under ink), fixed directions take their place, and a tile whose labelled nuclei are then no
# bluer than what lies around them is refused. Knows nothing of DAB.


FloatImage = NDArray[np.float32]

USUAL_HAEMATOXYLIN: Direction = (0.65, 0.70, 0.29)
USUAL_EOSIN: Direction = (0.07, 0.99, 0.11)
"""Ruifrok & Johnston 2001."""

_LEAST_WHITE = 215.0
_ASSUMED_WHITE = 242.0
_TISSUE_OD = 0.15
_LEAST_TISSUE_SHARE = 0.05
_APART_DEGREES = (14.0, 60.0)
_HAEMATOXYLIN_DEGREES, _EOSIN_DEGREES = 20.0, 33.0
"""How far a tile's own directions may lie from the usual ones."""
_NUCLEUS_UM = 2.0
_LEAST_NUCLEAR_CONTRAST = 1.25
_FEWEST_NUCLEI = 5


@dataclass(frozen=True, eq=False)
class UnmixedTile:
    """Stain amounts of an H&E tile.

    Parameters
    ----------
    haematoxylin : float32 array, (height, width)
        1 in the typical darker labelled nucleus.
    eosin : float32 array, (height, width)
        1 where the tile's tissue contains most.
    own_directions : bool
        False where the tile's own stain directions were degenerate and fixed ones were used.
    """

    haematoxylin: FloatImage
    eosin: FloatImage
    own_directions: bool


def unmix(tile: LabelledTile) -> UnmixedTile:
    """Return the stain amounts of a tile.

    Raises
    ------
    TissueTileError
        When labelled nuclei cannot be distinguished from their surroundings by haematoxylin.
    """
    od = optical_density_of(tile.rgb)
    own = stain_directions(od)
    for directions in (own, (USUAL_HAEMATOXYLIN, USUAL_EOSIN)):
        if directions is None:
            continue
        haematoxylin, eosin = _amounts(od, *directions)
        at_nuclei = _at_nuclei(tile, haematoxylin)
        if _nuclei_stand_out(at_nuclei, haematoxylin):
            return UnmixedTile(
                haematoxylin / np.float32(np.quantile(at_nuclei, 0.75)),
                eosin / np.float32(max(float(np.quantile(eosin, 0.98)), _TISSUE_OD)),
                own_directions=directions is own,
            )
    raise TissueTileError(
        f"tile {tile.name}: its labelled nuclei are no bluer than what lies around them",
        "leave the tile out, or check that its labels belong to it",
    )


def optical_density_of(rgb: NDArray[np.uint8]) -> FloatImage:
    """Return optical density (height, width, 3) against the picture's own white.

    The brightest light is the white only where it can be glass: a tile without glass shows pale tissue there.
    """
    white = np.quantile(rgb.reshape(-1, 3), 0.995, axis=0)
    white = np.where(white >= _LEAST_WHITE, white, _ASSUMED_WHITE)
    light = np.clip(rgb.astype(np.float32), 1.0, None) / white.astype(np.float32)
    return np.asarray(-np.log10(np.minimum(light, 1.0)), np.float32)


def stain_directions(od: FloatImage) -> tuple[Direction, Direction] | None:
    """Return unit directions of haematoxylin and eosin, or None where the tile does not show both.

    The extreme angles (1 % and 99 %) of tissue's optical density in the plane of its two largest principal
    components.
    """
    tissue = od.reshape(-1, 3)[od.sum(axis=2).ravel() > 3 * _TISSUE_OD]
    if len(tissue) < _LEAST_TISSUE_SHARE * od.shape[0] * od.shape[1]:
        return None
    _, vectors = np.linalg.eigh(np.cov(tissue.T))
    plane = vectors[:, 1:] * np.sign(vectors[:, 1:].sum(axis=0))
    angle = np.arctan2(*(tissue @ plane).T[::-1])
    ends = [_unit(plane @ (np.cos(edge), np.sin(edge))) for edge in np.quantile(angle, (0.01, 0.99))]
    haematoxylin, eosin = sorted(ends, key=lambda direction: -direction[0])
    return (haematoxylin, eosin) if _plausible(haematoxylin, eosin) else None


def _plausible(haematoxylin: Direction, eosin: Direction) -> bool:
    apart = _degrees(haematoxylin, eosin)
    near = (
        _degrees(haematoxylin, USUAL_HAEMATOXYLIN) < _HAEMATOXYLIN_DEGREES
        and _degrees(eosin, USUAL_EOSIN) < _EOSIN_DEGREES
    )
    return near and _APART_DEGREES[0] < apart < _APART_DEGREES[1] and min(haematoxylin + eosin) > -0.05


def _amounts(od: FloatImage, haematoxylin: Direction, eosin: Direction) -> tuple[FloatImage, FloatImage]:
    basis = np.array([haematoxylin, eosin])
    amounts = od.reshape(-1, 3) @ np.linalg.pinv(basis).astype(np.float32)
    both = np.maximum(amounts, 0).reshape(*od.shape[:2], 2)
    return np.ascontiguousarray(both[..., 0]), np.ascontiguousarray(both[..., 1])


def _at_nuclei(tile: LabelledTile, haematoxylin: FloatImage) -> NDArray[np.float32]:
    side = max(1, round(2 * _NUCLEUS_UM / tile.source.mpp)) | 1
    mean = cv2.blur(haematoxylin, (side, side))
    row = np.clip(tile.y_px.astype(int), 0, mean.shape[0] - 1)
    column = np.clip(tile.x_px.astype(int), 0, mean.shape[1] - 1)
    return np.asarray(mean[row, column], np.float32)


def _nuclei_stand_out(at_nuclei: NDArray[np.float32], haematoxylin: FloatImage) -> bool:
    if len(at_nuclei) < _FEWEST_NUCLEI:
        return False
    inside, around = float(np.median(at_nuclei)), float(np.median(haematoxylin))
    return inside > 0.03 and inside > _LEAST_NUCLEAR_CONTRAST * around


def _degrees(first: Direction, second: Direction) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(first, second), -1, 1))))


def _unit(vector: NDArray[np.float64]) -> Direction:
    unit = vector / np.linalg.norm(vector)
    unit = unit if unit.sum() > 0 else -unit
    return (float(unit[0]), float(unit[1]), float(unit[2]))
