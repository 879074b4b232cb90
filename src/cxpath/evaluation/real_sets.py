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

from cxpath.errors import CellsFileError, MissingFileError
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
