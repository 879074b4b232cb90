"""Cutting an annotated image into windows: squares at the network's µm/px, only where something is marked.

A window is a core on an image-wide lattice and a margin around it. Memory does not grow with the slide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cxpath.network.architecture import LATTICE_STRIDE_PX, OUTPUT_STRIDE_PX
from cxpath.slide.slide import Slide
from cxpath.training.annotations.annotated_field import REGION_UNLABELLED, AnnotatedField
from cxpath.training.annotations.annotated_image import AnnotatedImage, open_annotated
from cxpath.training.annotations.image_labels import ImageLabels
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX


@dataclass(frozen=True)
class WindowSize:
    """Core and margin in pixels at `mpp`, multiples of 16."""

    core_px: int
    margin_px: int
    mpp: float

    @property
    def side_px(self) -> int:
        """Side of the whole window."""
        return self.core_px + 2 * self.margin_px


@dataclass(frozen=True, eq=False)
class Window:
    """A window's place on the lattice of its image, and what is in it (margin included)."""

    column: int
    row: int
    field: AnnotatedField


def window_size(crop_px: int, halo_px: int, mpp: float) -> WindowSize:
    """Return windows from whose core any crop around a cell, and any cell with its halo, can be cut."""
    margin = max(crop_px // 2, halo_px + LATTICE_STRIDE_PX)
    return WindowSize(2 * max(crop_px, 128), -(-margin // LATTICE_STRIDE_PX) * LATTICE_STRIDE_PX, mpp)


def read_windows(image: AnnotatedImage, size: WindowSize) -> Iterator[Window]:
    """Read the windows of an image one by one, row by row."""
    with open_annotated(image.path, image.given_mpp) as slide:
        scale = size.mpp / slide.mpp
        for row, column in marked_squares(image, size):
            left, top = (index * size.core_px - size.margin_px for index in (column, row))
            rgb = _mirrored(slide, left, top, size)
            yield Window(column, row, _field(rgb, image.labels, left, top, scale, size.side_px))


def marked_squares(image: AnnotatedImage, size: WindowSize) -> list[tuple[int, int]]:
    """Return row and column of every lattice square with a marked cell or a known empty place."""
    labels, side = image.labels, size.core_px * size.mpp / image.mpp
    cells = labels.cells
    squares = set(
        zip((cells.y_px // side).astype(int).tolist(), (cells.x_px // side).astype(int).tolist(), strict=True)
    )
    if not labels.complete.is_empty:
        shapely.prepare(labels.complete)
        left, top, right, bottom = (int(edge // side) for edge in labels.complete.bounds)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                square = shapely.box(column * side, row * side, (column + 1) * side, (row + 1) * side)
                if labels.complete.intersects(square):
                    squares.add((row, column))
    return sorted(squares)


def _mirrored(slide: Slide, left: int, top: int, size: WindowSize) -> NDArray[np.uint8]:
    """Read a window; beyond the image's border it is mirrored: white there would look like glass."""
    scale, side = size.mpp / slide.mpp, size.side_px
    width, height = (max(1, int(length / scale + 1e-6)) for length in (slide.width_px, slide.height_px))
    first_x, first_y = max(left, 0), max(top, 0)
    last_x, last_y = min(left + side, width), min(top + side, height)
    rgb = slide.read(first_x * scale, first_y * scale, last_x - first_x, last_y - first_y, size.mpp)
    around = ((first_y - top, top + side - last_y), (first_x - left, left + side - last_x), (0, 0))
    return np.asarray(np.pad(rgb, around, mode="symmetric"), dtype=np.uint8)


def _field(
    rgb: NDArray[np.uint8], labels: ImageLabels, left: int, top: int, scale: float, side: int
) -> AnnotatedField:
    cells = labels.cells.in_frame(left, top, scale)
    region = np.full((side // REGION_STRIDE_PX,) * 2, REGION_UNLABELLED, dtype=np.int8)
    for tissue, outline in labels.regions:
        region[_inside(outline, left, top, scale, side, REGION_STRIDE_PX)] = tissue
    return AnnotatedField(
        rgb=rgb,
        cells=cells.take(cells.inside(0, 0, side)),
        complete=_inside(labels.complete, left, top, scale, side, OUTPUT_STRIDE_PX),
        region=region,
    )


def _inside(
    outline: BaseGeometry, left: int, top: int, scale: float, side: int, stride: int
) -> NDArray[np.bool_]:
    """Say for each square of `stride` pixels whether its middle lies in an outline."""
    middle = np.arange(stride / 2, side, stride)
    x_px, y_px = np.meshgrid((left + middle) * scale, (top + middle) * scale)
    shapely.prepare(outline)
    return np.asarray(shapely.contains_xy(outline, x_px, y_px), dtype=bool)
