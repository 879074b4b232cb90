"""What the marked objects of one image teach, by the class map; in level-0 pixels of the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from cxpath.exchange.class_names import UNCLASSIFIED, plain
from cxpath.training.annotations.annotated_field import AnnotatedCells
from cxpath.training.annotations.class_map import ClassMap, Taught
from cxpath.training.annotations.qupath_objects import AnnotationsError, MarkedObject
from cxpath.values.cell_table import TissueRegion

EDGE_UM = 3.0
"""Absence is not taught nearer than this to the border of a complete area: beyond it lie unmarked cells."""
IGNORED_RADIUS_UM = 6.0
"""Around a point of an ignored class nothing is taught about absence."""
WIDEST_CELL_UM = 80.0
"""A wider outline is no cell."""


@dataclass(frozen=True, eq=False)
class ImageLabels:
    """Labels of one image.

    Parameters
    ----------
    cells : AnnotatedCells
    complete : BaseGeometry
        Where an unmarked place is known to be empty; empty where that is nowhere.
    regions : tuple
        Tissue and its outline; a later one lies over an earlier one.
    """

    cells: AnnotatedCells
    complete: BaseGeometry
    regions: tuple[tuple[TissueRegion, BaseGeometry], ...]


@dataclass(frozen=True)
class Frame:
    """Size of an image and of its pixels."""

    path: Path
    width_px: int
    height_px: int
    mpp: float


def image_labels(objects: Sequence[MarkedObject], class_map: ClassMap, frame: Frame) -> ImageLabels:
    """Give the objects their meaning.

    Raises
    ------
    AnnotationsError
        When a class is not in the map, an object cannot be what its class says, or lies outside.
    """
    sorter = _Sorter(class_map, frame)
    for marked in objects:
        sorter.add(marked)
    return sorter.labels()


class _Sorter:
    def __init__(self, class_map: ClassMap, frame: Frame) -> None:
        self._map, self._frame = class_map, frame
        self._taught = {plain(name): taught for name, taught in class_map.cells.items()}
        self._tissue = {plain(n): TissueRegion[tissue.upper()] for n, tissue in class_map.regions.items()}
        self._areas = {plain(name) for name in class_map.complete_areas}
        self._ignored = {plain(name) for name in class_map.ignored}
        self._rows: list[tuple[float, float, int, int]] = []
        self._complete: list[BaseGeometry] = []
        self._spared: list[BaseGeometry] = []
        self._left_out: list[BaseGeometry] = []
        self._regions: list[tuple[TissueRegion, BaseGeometry]] = []

    def add(self, marked: MarkedObject) -> None:
        name = plain(marked.class_name)
        outlined = marked.drawn and not marked.is_points
        if name in self._ignored:
            self._ignore(marked)
        elif name in self._areas:
            self._complete.append(_area(marked))
        elif name in self._tissue and (outlined or name not in self._taught):
            self._regions.append((self._tissue[name], _area(marked)))
        elif name in self._taught:
            self._rows += self._cells(marked, self._taught[name])
        else:
            raise _unknown_class(marked)

    def labels(self) -> ImageLabels:
        rows = np.array(self._rows, dtype=np.float64).reshape(-1, 4)
        cells = AnnotatedCells(
            rows[:, 0], rows[:, 1], rows[:, 2].astype(np.int64), rows[:, 3].astype(np.int8)
        )
        areas = shapely.union_all(self._complete)
        kept = ~shapely.contains_xy(shapely.union_all(self._left_out), cells.x_px, cells.y_px)
        if self._map.outside_areas == "ignore":
            kept &= shapely.contains_xy(areas, cells.x_px, cells.y_px)
        return ImageLabels(cells.take(kept), self._known_empty(areas), tuple(self._regions))

    def _known_empty(self, areas: BaseGeometry) -> BaseGeometry:
        if not self._map.teaches_absence:
            return shapely.Polygon()
        picture = shapely.box(0, 0, self._frame.width_px, self._frame.height_px)
        inner = areas.intersection(picture).buffer(-EDGE_UM / self._frame.mpp)
        return inner.difference(shapely.union_all(self._spared))

    def _ignore(self, marked: MarkedObject) -> None:
        reach_um = IGNORED_RADIUS_UM if marked.is_points else 1.0
        self._spared.append(marked.outline.buffer(reach_um / self._frame.mpp))
        if not marked.is_points:
            self._left_out.append(marked.outline)

    def _cells(self, marked: MarkedObject, taught: Taught) -> Iterator[tuple[float, float, int, int]]:
        left, top, right, bottom = marked.outline.bounds
        wide_um = max(right - left, bottom - top) * self._frame.mpp
        if not marked.is_points and wide_um > WIDEST_CELL_UM:
            raise AnnotationsError(
                f"{marked.where}: an outline of {marked.class_name!r}, {wide_um:.0f} µm wide, is no cell",
                "if it encloses tissue, name the class under [regions] of the class map, or give it another",
            )
        for x_px, y_px in marked.centres():
            self._refuse_outside(marked, x_px, y_px)
            yield x_px, y_px, taught.fine, taught.stained_code

    def _refuse_outside(self, marked: MarkedObject, x_px: float, y_px: float) -> None:
        width, height = self._frame.width_px, self._frame.height_px
        if not (0 <= x_px <= width and 0 <= y_px <= height):
            raise AnnotationsError(
                f"{marked.where}: the cell at ({x_px:.0f}, {y_px:.0f}) lies outside "
                f"{self._frame.path.name} ({width} x {height} px)",
                "the annotations must have been drawn on this very file",
            )


def _area(marked: MarkedObject) -> BaseGeometry:
    if marked.is_points or marked.outline.area == 0:
        raise AnnotationsError(
            f"{marked.where}: class {marked.class_name!r} means an area, but this object has none",
            "draw it as a rectangle or polygon",
        )
    return marked.outline


def _unknown_class(marked: MarkedObject) -> AnnotationsError:
    if marked.class_name == UNCLASSIFIED:
        return AnnotationsError(
            f"{marked.where} has no class",
            f'give it one in QuPath, or name "{UNCLASSIFIED}" in the class map',
        )
    return AnnotationsError(
        f"{marked.where} has the class {marked.class_name!r}, which the class map does not name",
        "add it under [cells], [regions], complete_areas or ignored (--classes MAP.toml)",
    )
