"""How far synthetic tissue is from real tissue, by statistics of patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.evaluation.labelled import find_labels, read_labels, read_rgb
from cxpath.evaluation.settings import RealSettings
from cxpath.metrics.cells import rescaled
from cxpath.training.data import make_random_field

# How like real pictures drawn ones are: a few plain measures of both, and where real ones fall among drawn.
#
# Measures colours, structure and nuclei of a picture at a stated µm/px; knows nothing of networks.


BANDS_UM = ((1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0))
"""Wavelengths of structure: grain, membranes and chromatin, small nuclei, large nuclei and cells."""

_STAINED_OD = 0.12
_CENTRE_UM, _RING_UM = 2.0, (6.0, 9.0)

Measures = dict[str, float]


@dataclass(frozen=True)
class PairwiseMeasure:
    """One measure of one body of real pictures and synthetic ones.

    Parameters
    ----------
    measure : str
    real : float
        Median over the real pictures.
    drawn : tuple of float
        5th, 50th and 95th percentile over the drawn pictures.
    within : float
        Share of the real pictures that lie between the drawn 5th and 95th percentile.
    """

    measure: str
    real: float
    drawn: tuple[float, float, float]
    within: float


def measure_picture(rgb: NDArray[np.uint8], mpp: float, points_px: NDArray[np.float64]) -> Measures:
    """Measure one picture.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
    mpp : float
        Micrometres per pixel.
    points_px : float64 array, (N, 2)
        x, y of its nuclei; without any the nuclear measures are left out.

    Returns
    -------
    dict
        `stain`: median optical density (mean of red, green and blue); `dark`: its 98th percentile;
        `blueness` and `brownness`: how far the mean colour of stained pixels that take more red than blue,
        and of the others, lies to that side; `structure_1_2` …: share of the optical density's variance at
        wavelengths of 1-2 µm and so on; `spacing_um`: median distance to the nearest other nucleus;
        `contrast`: median optical density of a nucleus over the ring around it.
    """
    od = _optical_density(rgb)
    grey = od.mean(axis=2)
    found = {"stain": float(np.median(grey)), "dark": float(np.quantile(grey, 0.98))}
    found |= _colours(od, grey)
    found |= _structure(grey, mpp)
    return found | _nuclei(grey, mpp, points_px)


def compare(real: Sequence[Measures], drawn: Sequence[Measures]) -> list[PairwiseMeasure]:
    """Say of every measure where real pictures lie among drawn ones; measures nobody has are left out."""
    names = [name for name in (drawn[0] if drawn else {}) if _values(real, name).size]
    return [_domain_gap(name, _values(real, name), _values(drawn, name)) for name in names]


def _domain_gap(name: str, real: NDArray[np.float64], drawn: NDArray[np.float64]) -> PairwiseMeasure:
    low, middle, high = (float(value) for value in np.quantile(drawn, (0.05, 0.5, 0.95)))
    within = float(((real >= low) & (real <= high)).mean())
    return PairwiseMeasure(name, float(np.median(real)), (low, middle, high), within)


def _values(measures: Sequence[Mapping[str, float]], name: str) -> NDArray[np.float64]:
    values = np.array([one[name] for one in measures if name in one], dtype=np.float64)
    return values[np.isfinite(values)]


def _optical_density(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Optical density against the brightest light of each channel, which is glass or nearly so."""
    light = rgb.astype(np.float32)
    white = np.maximum(np.quantile(light.reshape(-1, 3), 0.995, axis=0), 1.0)
    return np.asarray(-np.log10(np.clip(light / white, 1 / 255, 1.0)), dtype=np.float32)


def _colours(od: NDArray[np.float32], grey: NDArray[np.float32]) -> Measures:
    stained = od[grey > _STAINED_OD]
    lean = (stained[:, 0] - stained[:, 2]) / np.maximum(stained.sum(axis=1), 1e-3)
    blue, brown = lean[lean > 0], lean[lean <= 0]
    return {
        "blueness": float(blue.mean()) if blue.size else float("nan"),
        "brownness": float(-brown.mean()) if brown.size else float("nan"),
    }


def _structure(grey: NDArray[np.float32], mpp: float) -> Measures:
    """Split the variance by wavelength with differences of gaussians (sigma = wavelength / 2π)."""
    soft = [cv2.GaussianBlur(grey, (0, 0), max(0.05, edge / mpp / (2 * np.pi))) for edge in _edges()]
    power = [float(np.var(fine - coarse)) for fine, coarse in pairwise(soft)]
    total = sum(power) or 1.0
    names = [f"structure_{low:g}_{high:g}" for low, high in BANDS_UM]
    return {name: part / total for name, part in zip(names, power, strict=True)}


def _edges() -> list[float]:
    return [BANDS_UM[0][0], *(high for _, high in BANDS_UM)]


def _nuclei(grey: NDArray[np.float32], mpp: float, points_px: NDArray[np.float64]) -> Measures:
    if len(points_px) < 2:
        return {}
    nearest = cKDTree(points_px).query(points_px, k=2)[0][:, 1]
    inner = _disc_mean(grey, _CENTRE_UM / mpp)
    outer, hole = (_disc_mean(grey, radius / mpp) for radius in _RING_UM[::-1])
    far, near = _RING_UM[1] ** 2, _RING_UM[0] ** 2
    ring = (outer * far - hole * near) / (far - near)
    column, row = np.floor(points_px).astype(np.intp).T
    place = row.clip(0, grey.shape[0] - 1), column.clip(0, grey.shape[1] - 1)
    return {
        "spacing_um": float(np.median(nearest) * mpp),
        "contrast": float(np.median((inner - ring)[place])),
    }


def _disc_mean(grey: NDArray[np.float32], radius_px: float) -> NDArray[np.float32]:
    reach = int(np.ceil(radius_px))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (x * x + y * y <= radius_px * radius_px).astype(np.float32)
    return np.asarray(cv2.filter2D(grey, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT))


# The pictures that are compared: every real one at hand, and fields as training makes them.


MPP = 0.5
"""What real pictures are brought to; drawn ones lie close to it."""

_FIELD_PX, _SHOWN_PX = 320, 224
_FEWEST_CELLS = 20


@dataclass
class Seen:
    """Measures of pictures by the name of their set, and squares cut out of some; grows as they are read."""

    measures: dict[str, list[Measures]] = field(default_factory=dict)
    squares: list[NDArray[np.uint8]] = field(default_factory=list)

    shown: int = 4
    """Squares kept of each set."""

    def add(self, name: str, rgb: NDArray[np.uint8], mpp: float, points_px: NDArray[np.float64]) -> None:
        """Measure a picture, and keep its middle if few of its set are kept."""
        mine = self.measures.setdefault(name, [])
        if len(mine) < self.shown:
            self.squares.append(_middle(rgb))
        mine.append(measure_picture(rgb, mpp, points_px))


def real_pictures(data: Path, settings: RealSettings) -> Seen:
    """Measure every real picture below `data`: the labelled sets, and the PD-L1 fields as set "pd-l1"."""
    seen = Seen()
    for wanted in settings.labelled_set:
        for files in find_labels(data / wanted.folder, wanted.form, wanted.leave_out):
            image = read_labels(files, wanted.form, image_mpp=wanted.mpp, mpp=MPP)
            seen.add(wanted.name, image.rgb, MPP, image.points_px)
    for one in settings.pdl1_fields.fields:
        path = data / settings.pdl1_fields.folder / one.image
        if path.is_file():
            rgb = rescaled(read_rgb(path), settings.pdl1_fields.mpp / MPP)
            seen.add("pd-l1", rgb, MPP, np.empty((0, 2)))
    return seen


def synthetic_pictures(seed: int, number: int) -> Seen:
    """Draw `number` fields and measure those that hold cells and no artefact, as set "drawn"."""
    seen = Seen(shown=24)
    for index in range(number):
        drawn = make_random_field(seed, index, _FIELD_PX)
        if len(drawn.cells) >= _FEWEST_CELLS and not drawn.ignore.any():
            points = np.column_stack([drawn.cells.x_px, drawn.cells.y_px])
            seen.add("drawn", drawn.rgb, drawn.mpp, points)
    return seen


def _middle(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the middle square, mirrored outwards where the picture is smaller."""
    short = [max(0, _SHOWN_PX - side) for side in rgb.shape[:2]]
    rgb = np.pad(rgb, ((0, short[0]), (0, short[1]), (0, 0)), mode="reflect")
    top, left = ((side - _SHOWN_PX) // 2 for side in rgb.shape[:2])
    return rgb[top : top + _SHOWN_PX, left : left + _SHOWN_PX]


def sheet(*rows_of: list[NDArray[np.uint8]], columns: int = 8) -> NDArray[np.uint8]:
    """Lay squares out in rows, each list beginning a new row; blanks are white."""
    rows = [squares[i : i + columns] for squares in rows_of for i in range(0, len(squares), columns)]
    blank: NDArray[np.uint8] = np.full((_SHOWN_PX, _SHOWN_PX, 3), 255, np.uint8)
    return np.vstack([np.hstack([*row, *[blank] * (columns - len(row))]) for row in rows])
