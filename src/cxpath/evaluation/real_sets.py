"""How real sets store their labels: points, masks, contours, tumour outlines."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import match_template

from cxpath.data import Kind
from cxpath.errors import CellsFileError, MissingFileError
from cxpath.evaluation.calls import Calls
from cxpath.evaluation.settings import LabelForm
from cxpath.metrics import rescaled

# The three forms in which others publish labelled nuclei, each read as points with a class.
#
# Evaluated on, never learned from.


Points = tuple[NDArray[np.float64], tuple[str, ...]]

FEWEST_PX = 30
"""A component of a map smaller than this is a crumb of its border, no nucleus."""

_STRONG = 128
_RED, _BLUE = 0, 2


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """A picture at the detector's µm/px and its labelled points.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
    points_px : float64 array, (N, 2)
        x, y in pixels of `rgb`, pixel centres at .5.
    classes : tuple of str
        Each point's label as the file names it.
    """

    rgb: NDArray[np.uint8]
    points_px: NDArray[np.float64]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class LabelFiles:
    """One picture and its labels."""

    name: str
    picture: Path
    labels: Path


def find_labels(folder: Path, form: LabelForm, leave_out: tuple[str, ...] = ()) -> list[LabelFiles]:
    """Return the pictures of a folder that have labels, by name; empty when the folder is missing."""
    picture_end, label_end = _NAMES[form]
    found = [
        LabelFiles(stem, picture, labels)
        for picture in sorted(folder.glob(f"*{picture_end}.*"))
        if picture.suffix in {".png", ".jpg"}
        and (stem := picture.stem.removesuffix(picture_end)) not in leave_out
        and (labels := folder / f"{stem}{label_end}").is_file()
    ]
    return sorted(found, key=lambda files: (len(files.name), files.name))


def read_labels(files: LabelFiles, form: LabelForm, *, image_mpp: float, mpp: float) -> LabelledImage:
    """Read a picture and its labels and bring both to `mpp`.

    Raises
    ------
    MissingFileError
        When the picture cannot be read.
    CellsFileError
        When the labels cannot be understood.
    """
    scale = image_mpp / mpp
    rgb = read_rgb(files.picture)
    points, classes = _READERS[form](files.labels)
    return LabelledImage(rescaled(rgb, scale), points * scale, classes)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as uint8 (H, W, 3), without an alpha channel."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MissingFileError(f"{path}: no readable picture")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)


def table_points(path: Path) -> Points:
    """Return the points of a CSV with columns x, y, class; x and y count pixels, centres at whole numbers."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(float(row["x"]), float(row["y"]), row["class"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CellsFileError(f"{path}: needs columns x, y, class ({error})") from error
    places = np.array([(x, y) for x, y, _ in rows], dtype=np.float64).reshape(-1, 2)
    return places + 0.5, tuple(name for _, _, name in rows)


def component_points(path: Path) -> Points:
    """Return the centres of red (positive) and blue (negative) components; green borders part them."""
    colours = read_rgb(path)
    found: list[tuple[float, float]] = []
    classes: list[str] = []
    for name, channel in (("positive", _RED), ("negative", _BLUE)):
        inside = (colours[..., channel] > _STRONG) & (colours[..., 1] < _STRONG)
        number, _, facts, centres = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
        for part in range(1, number):
            if facts[part, cv2.CC_STAT_AREA] >= FEWEST_PX:
                found.append((float(centres[part][0]) + 0.5, float(centres[part][1]) + 0.5))
                classes.append(name)
    return np.array(found, dtype=np.float64).reshape(-1, 2), tuple(classes)


def polygon_points(path: Path) -> Points:
    """Return the centroids of polygons by class, of a JSON `{class: [[[x, y], ...], ...]}`."""
    try:
        polygons = json.loads(path.read_text(encoding="utf-8"))
        named = [(name, np.array(outline, np.float64)) for name, all_ in polygons.items() for outline in all_]
        centres = np.array([_centroid(outline) for _, outline in named], dtype=np.float64).reshape(-1, 2)
    except (OSError, ValueError, AttributeError, TypeError, IndexError) as error:
        raise CellsFileError(f"{path}: needs polygons by class ({error})") from error
    return centres + 0.5, tuple(name for name, _ in named)


def _centroid(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centroid of the area within (shoelace formula), or of the corners if there is none."""
    following = np.roll(outline, -1, axis=0)
    cross = outline[:, 0] * following[:, 1] - following[:, 0] * outline[:, 1]
    if abs(cross.sum()) < 1e-9:
        return np.asarray(outline.mean(axis=0), dtype=np.float64)
    weighted = (outline + following) * cross[:, None]
    return np.asarray(weighted.sum(axis=0) / (3 * cross.sum()), dtype=np.float64)


_READERS: dict[LabelForm, Callable[[Path], Points]] = {
    "points": table_points,
    "components": component_points,
    "polygons": polygon_points,
}
_NAMES: dict[LabelForm, tuple[str, str]] = {
    "points": ("", ".csv"),
    "components": ("_ihc", "_seg.png"),
    "polygons": ("", ".json"),
}
"""How a picture's name ends before its suffix, and how that of its labels ends."""


# Finding where in a picture a mask's crop was cut, when nobody said.


_SMOOTHING_PX = 12.0


def register_crop(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return row and column of the picture at which the mask's top left lies.

    The place where the mask agrees best with the smoothed darkness of the picture, darker or paler within
    (normalised cross-correlation, Lewis 1995). The model has no say in it.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
    mask : bool array, (h, w)
        Not larger than the picture.

    Raises
    ------
    ValueError
        When the mask is larger than the picture.
    """
    if mask.shape[0] > rgb.shape[0] or mask.shape[1] > rgb.shape[1]:
        raise ValueError(f"the mask {mask.shape} is larger than the picture {rgb.shape[:2]}")
    darkness = (255.0 - rgb.mean(axis=2)).astype(np.float32)
    smooth = cv2.GaussianBlur(darkness, (0, 0), _SMOOTHING_PX)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _SMOOTHING_PX)
    agreement = np.abs(match_template(smooth, soft))
    row, column = np.unravel_index(int(agreement.argmax()), agreement.shape)
    return int(row), int(column)


# The tumour region that called cells make: where smoothed tumour cells outnumber all other cells.


FEWEST_PER_MM2 = 1000.0
"""A thinner scatter makes no region: a nest contains several thousand tumour cells per mm²."""


def tumour_region(calls: Calls, shape: tuple[int, int], mpp: float, smoothing_um: float) -> NDArray[np.bool_]:
    """Return where tumour is, at the pixels of the picture.

    Parameters
    ----------
    calls : Calls
    shape : tuple of int
        Height and width of the picture.
    mpp : float
    smoothing_um : float
        Standard deviation of the kernel that spreads each cell.
    """
    is_tumour = calls.kind == Kind.TUMOUR
    tumour, other = (
        _density_mm2(calls.points_um[rows], shape, mpp, smoothing_um) for rows in (is_tumour, ~is_tumour)
    )
    return np.asarray((tumour > other) & (tumour >= FEWEST_PER_MM2))


def _density_mm2(
    points_um: NDArray[np.float64], shape: tuple[int, int], mpp: float, smoothing_um: float
) -> NDArray[np.float32]:
    single = np.zeros(shape, np.float32)
    column, row = (points_um / mpp).astype(np.int64).reshape(-1, 2).T
    np.add.at(single, (row.clip(0, shape[0] - 1), column.clip(0, shape[1] - 1)), 1e6 / mpp**2)
    return np.asarray(
        cv2.GaussianBlur(single, (0, 0), smoothing_um / mpp, borderType=cv2.BORDER_REFLECT), np.float32
    )
