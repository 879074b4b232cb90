"""Real images with labelled points: judged on, never learned from.

Labels rarely name every nucleus, so the share of labels found stands beside precision, and
detections per label beside both.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.network.detector import Detector
from cxpath.training.matching import match_points
from cxpath.training.observation import take_peaks
from cxpath.values.cell_peaks import CellPeaks
from cxpath.values.errors import CellsFileError, MissingFileError

_STRIDE_PX = 16


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
class PointCounts:
    """How detections meet labels."""

    labels: int
    detections: int
    pairs: int

    @property
    def recall(self) -> float:
        """Share of labels found."""
        return self.pairs / self.labels if self.labels else float("nan")

    @property
    def f1(self) -> float:
        """F1 of finding labels; too low where other nuclei are unlabelled."""
        total = self.labels + self.detections
        return 2 * self.pairs / total if total else float("nan")

    def __add__(self, other: PointCounts) -> PointCounts:
        return PointCounts(
            self.labels + other.labels, self.detections + other.detections, self.pairs + other.pairs
        )


def read_labelled_image(image: Path, points: Path, *, image_mpp: float, mpp: float) -> LabelledImage:
    """Read a picture and its points (CSV with columns x, y, class, in pixels of the picture).

    Parameters
    ----------
    image, points : Path
    image_mpp : float
        Micrometres per pixel of the picture: stated by its source, or assumed and said so.
    mpp : float
        What to bring it to.

    Raises
    ------
    MissingFileError
        When the picture cannot be read.
    CellsFileError
        When the points lack a column or are no numbers.
    """
    bgr = cv2.imread(str(image))
    if bgr is None:
        raise MissingFileError(f"{image}: no such picture")
    scale = image_mpp / mpp
    places, classes = read_points(points)
    rgb = np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)
    return LabelledImage(rescaled(rgb, scale), (places + 0.5) * scale, classes)


def read_points(path: Path) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Read x, y and class of every row; raises `CellsFileError` when they are not there."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(float(row["x"]), float(row["y"]), row["class"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CellsFileError(f"{path}: needs columns x, y, class ({error})") from error
    places = np.array([(x, y) for x, y, _ in rows], dtype=np.float64).reshape(-1, 2)
    return places, tuple(name for _, _, name in rows)


def rescaled(rgb: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Return the picture at another size: by area when it shrinks, cubic when it grows."""
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(rgb, size, interpolation=method), dtype=np.uint8)


def detect_in_picture(detector: Detector, rgb: NDArray[np.uint8]) -> CellPeaks:
    """Find the cells of a whole picture, mirrored at its borders to give the network its halo."""
    height, width = rgb.shape[:2]
    halo = detector.halo_px
    below, right = (halo + -(side + 2 * halo) % _STRIDE_PX for side in (height, width))
    tile = np.pad(rgb, ((halo, below), (halo, right), (0, 0)), mode="symmetric")
    peaks = detector.detect(tile[None])[0]
    x_px, y_px = peaks.x_px - halo, peaks.y_px - halo
    inside = (x_px >= 0) & (x_px < width) & (y_px >= 0) & (y_px < height)
    found = take_peaks(peaks, inside)
    return CellPeaks(**{**vars(found), "x_px": x_px[inside], "y_px": y_px[inside]})


def count_points(labels_px: NDArray[np.float64], peaks: CellPeaks, radius_px: float) -> PointCounts:
    """Match labels and peaks one to one within a radius."""
    found = np.column_stack([peaks.x_px, peaks.y_px])
    return PointCounts(len(labels_px), len(found), len(match_points(labels_px, found, radius_px)))
