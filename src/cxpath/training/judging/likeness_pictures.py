"""The pictures that `likeness` compares: every real one at hand, and fields as training draws them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.training.field_cache import draw_random_field
from cxpath.training.judging.label_forms import find_labels, read_labels, read_rgb
from cxpath.training.judging.likeness import Measures, measure_picture
from cxpath.training.judging.real_settings import RealSettings
from cxpath.training.picture import rescaled

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


def drawn_pictures(seed: int, number: int) -> Seen:
    """Draw `number` fields and measure those that hold cells and no artefact, as set "drawn"."""
    seen = Seen(shown=24)
    for index in range(number):
        drawn = draw_random_field(seed, index, _FIELD_PX)
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
