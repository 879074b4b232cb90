"""Windows and crops of annotated images."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cxpath.data import StainBasis
from cxpath.io import atomic_write
from cxpath.metrics import take_peaks
from cxpath.network import LATTICE_STRIDE_PX, OUTPUT_STRIDE_PX, Detector, Device, Model
from cxpath.pipeline import name_cells, positive_probability
from cxpath.slide import Slide
from cxpath.synth import REGION_STRIDE_PX
from cxpath.training.annotations import AnnotatedImage, ImageLabels, open_annotated
from cxpath.training.data import (
    REGION_UNLABELLED,
    AnnotatedCells,
    AnnotatedField,
    Turn,
    new_on_disk,
    random_turn,
    recoloured,
    turned_array,
    turned_places,
)
from cxpath.training.settings import CropSettings
from cxpath.training.targets import output_cells

# Cutting an annotated image into windows: squares at the network's µm/px, only where something is marked.
#
# A window is a core on an image-wide lattice and a margin around it. Memory does not grow with the slide.


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


# Windows of annotated images on disk, read as memory maps; neither file names nor paths are stored.


_NOTE = "windows.json"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class WindowCache:
    """Windows of several images, N in all.

    Parameters
    ----------
    size : WindowSize
    rgb : uint8 array, (N, side, side, 3)
    complete : bool array, (N, side / 4, side / 4)
    region : int8 array, (N, side / 8, side / 8)
    place : int64 array, (N, 3)
        Number of the image, row and column on its lattice.
    cells : AnnotatedCells
        Of all windows, one after another.
    first_cell : int64 array, (N + 1,)
        Cells of window i are rows first_cell[i] to first_cell[i + 1].
    """

    size: WindowSize
    rgb: NDArray[np.uint8]
    complete: NDArray[np.bool_]
    region: NDArray[np.int8]
    place: NDArray[np.int64]
    cells: AnnotatedCells
    first_cell: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rgb)

    def field(self, index: int) -> AnnotatedField:
        """Return one window; its picture stays on disk until it is looked at."""
        rows = np.arange(self.first_cell[index], self.first_cell[index + 1])
        return AnnotatedField(
            rgb=self.rgb[index],
            cells=self.cells.take(rows),
            complete=self.complete[index],
            region=self.region[index],
        )

    def of_image(self, number: int) -> Iterator[Window]:
        """Return the windows of one image."""
        for index in np.flatnonzero(self.place[:, 0] == number).tolist():
            _, row, column = self.place[index].tolist()
            yield Window(column, row, self.field(index))


def cached_windows(
    folder: Path, images: Sequence[AnnotatedImage], size: WindowSize, digest: str
) -> WindowCache:
    """Return the windows of images, from `folder` if it already contains exactly these, else read again.

    Parameters
    ----------
    folder : Path
        Made when missing.
    images : sequence of AnnotatedImage
    size : WindowSize
    digest : str
        Names the annotations and what they mean.
    """
    note = {"images": [image.digest for image in images], "size": asdict(size), "digest": digest}
    note_path = folder / _NOTE
    if not (note_path.is_file() and json.loads(note_path.read_text(encoding="utf-8")) == note):
        folder.mkdir(parents=True, exist_ok=True)
        note_path.unlink(missing_ok=True)
        _read_into(folder, images, size)
        # The note comes last: a folder without it is half-read and is read again.
        with atomic_write(note_path) as path:
            path.write_text(json.dumps(note), encoding="utf-8")
    return _open(folder, size)


def _read_into(folder: Path, images: Sequence[AnnotatedImage], size: WindowSize) -> None:
    number = sum(len(marked_squares(image, size)) for image in images)
    _logger.info("reading %d windows of %d px into %s", number, size.side_px, folder)
    output, coarse = size.side_px // OUTPUT_STRIDE_PX, size.side_px // REGION_STRIDE_PX
    rgb = new_on_disk(folder / "rgb.npy", np.uint8, (number, size.side_px, size.side_px, 3))
    complete = new_on_disk(folder / "complete.npy", np.bool_, (number, output, output))
    region = new_on_disk(folder / "region.npy", np.int8, (number, coarse, coarse))
    place, cells = np.zeros((number, 3), dtype=np.int64), []
    windows = ((order, window) for order, image in enumerate(images) for window in read_windows(image, size))
    for index, (order, window) in enumerate(windows):
        field = window.field
        rgb[index], complete[index], region[index] = field.rgb, field.complete, field.region
        place[index] = order, window.row, window.column
        cells.append(field.cells)
    for array in (rgb, complete, region):
        array.flush()
    np.save(folder / "place.npy", place)
    np.save(folder / "first_cell.npy", np.cumsum([0, *map(len, cells)], dtype=np.int64))
    for item in fields(AnnotatedCells):
        column = np.concatenate([getattr(part, item.name) for part in cells])
        np.save(folder / f"cell_{item.name}.npy", column)


def _open(folder: Path, size: WindowSize) -> WindowCache:
    cells = AnnotatedCells(
        **{item.name: np.load(folder / f"cell_{item.name}.npy") for item in fields(AnnotatedCells)}
    )
    return WindowCache(
        size=size,
        rgb=np.load(folder / "rgb.npy", mmap_mode="r"),
        complete=np.load(folder / "complete.npy", mmap_mode="r"),
        region=np.load(folder / "region.npy", mmap_mode="r"),
        place=np.load(folder / "place.npy"),
        cells=cells,
        first_cell=np.load(folder / "first_cell.npy"),
    )


# Random crops around what a lab marked; every step's crops depend on the seed and the step alone.


_STREAM = 1
"""Keeps these random numbers apart from those of the synthetic crops of the same step."""


def sample_annotated_crops(
    windows: WindowCache, settings: CropSettings, number: int, seed: int, step: int
) -> list[AnnotatedField]:
    """Return some crops; every image is as likely as every other, however much is marked in it."""
    rng = np.random.default_rng([seed, step, _STREAM])
    images = np.unique(windows.place[:, 0])
    return [_random_crop(windows, int(rng.choice(images)), settings, rng) for _ in range(number)]


def cut_window(field: AnnotatedField, left: int, top: int, side_px: int) -> AnnotatedField:
    """Cut a square whose corner is a multiple of 8 px; cells outside it are dropped."""
    cells = field.cells.take(field.cells.inside(left, top, side_px))

    def squares(stride: int) -> tuple[slice, slice]:
        return tuple(slice(edge // stride, (edge + side_px) // stride) for edge in (top, left))  # type: ignore[return-value]

    return AnnotatedField(
        rgb=field.rgb[squares(1)],
        cells=cells.in_frame(left, top, 1.0),
        complete=field.complete[squares(OUTPUT_STRIDE_PX)],
        region=field.region[squares(REGION_STRIDE_PX)],
    )


def turned_window(field: AnnotatedField, turn: Turn) -> AnnotatedField:
    """Return a square field mirrored and turned, its labels with it."""
    x_px, y_px = turned_places(field.cells.x_px, field.cells.y_px, field.rgb.shape[0], turn)
    return AnnotatedField(
        rgb=turned_array(field.rgb, turn),
        cells=replace(field.cells, x_px=x_px, y_px=y_px),
        complete=turned_array(field.complete, turn),
        region=turned_array(field.region, turn),
    )


def _random_crop(
    windows: WindowCache, image: int, settings: CropSettings, rng: np.random.Generator
) -> AnnotatedField:
    field = windows.field(int(rng.choice(np.flatnonzero(windows.place[:, 0] == image))))
    anchor = _anchor(field, windows.size.margin_px, windows.size.core_px, rng)
    corner = anchor - rng.uniform(0.2, 0.8, size=2) * settings.crop_px
    corner = np.clip(corner, 0, windows.size.side_px - settings.crop_px)
    left, top = (int(edge) // REGION_STRIDE_PX * REGION_STRIDE_PX for edge in corner)
    crop = turned_window(cut_window(field, left, top, settings.crop_px), random_turn(rng))
    return replace(crop, rgb=recoloured(crop.rgb, settings, rng))


def _anchor(
    field: AnnotatedField, margin_px: int, core_px: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return x, y of a marked cell or of a known empty place in the core, one as likely as the other."""
    cells = field.cells.take(field.cells.inside(margin_px, margin_px, core_px))
    core = slice(margin_px // OUTPUT_STRIDE_PX, (margin_px + core_px) // OUTPUT_STRIDE_PX)
    rows, columns = np.nonzero(field.complete[core, core])
    if len(cells) and (not len(rows) or rng.random() < 0.5):
        chosen = int(rng.integers(len(cells)))
        return np.array([cells.x_px[chosen], cells.y_px[chosen]])
    if not len(rows):
        return np.full(2, margin_px + core_px / 2)
    chosen = int(rng.integers(len(rows)))
    return margin_px + (np.array([columns[chosen], rows[chosen]]) + 0.5) * OUTPUT_STRIDE_PX


# What a model sees in annotated images: detections next to marks, in windows put together again.


@dataclass(frozen=True, eq=False)
class Seen:
    """What was marked in one image, what was found, and whether each lies where absence is known.

    Positions are in pixels at the network's µm/px, from the image's top left; every array has one entry per
    marked or found cell.
    """

    marked: AnnotatedCells
    marked_complete: NDArray[np.bool_]
    found_px: NDArray[np.float64]
    found_complete: NDArray[np.bool_]
    found_kind: NDArray[np.int64]
    found_stained: NDArray[np.bool_]


def observe_windows(model: Model, device: Device, windows: WindowCache) -> list[Seen]:
    """Run a model, with its own cuts and calibration, over the windows of every image."""
    detector = Detector(model, device, StainBasis())
    return [_seen(detector, windows, number) for number in np.unique(windows.place[:, 0]).tolist()]


def _seen(detector: Detector, windows: WindowCache, number: int) -> Seen:
    parts = list(windows.of_image(number))
    squares = {(window.row, window.column) for window in parts}
    marked = [_marked(window, windows.size) for window in parts]
    found = [_found(detector, window, windows.size, squares) for window in parts]
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    cells = AnnotatedCells(
        **{
            item.name: np.concatenate([getattr(m, item.name) for m, _ in marked])
            for item in fields(AnnotatedCells)
        }
    )
    return Seen(cells, np.concatenate([complete for _, complete in marked]), *columns)


def _marked(window: Window, size: WindowSize) -> tuple[AnnotatedCells, NDArray[np.bool_]]:
    """Return the marked cells of a window's core, in the image's frame, and whether each lies in an area."""
    field = window.field
    cells = field.cells.take(field.cells.inside(size.margin_px, size.margin_px, size.core_px))
    complete = field.complete[output_cells(cells.x_px, cells.y_px, field.complete.shape)]
    left, top = _corner(window, size)
    return cells.in_frame(-left, -top, 1.0), complete


def _found(
    detector: Detector, window: Window, size: WindowSize, squares: set[tuple[int, int]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    """Return place, completeness, kind and call of what is found in a window.

    Cells just beyond the core count too, unless another window contains them: a mark at its border may have
    its detection there.
    """
    peaks = detector.detect(np.ascontiguousarray(window.field.rgb)[None])[0]
    left, top = _corner(window, size)
    places = np.column_stack([peaks.x_px + left, peaks.y_px + top])
    inside = np.abs(np.column_stack([peaks.x_px, peaks.y_px]) - size.side_px / 2).max(axis=1) <= (
        size.core_px / 2 + LATTICE_STRIDE_PX
    )
    column, row = (places // size.core_px).astype(int).T.tolist()
    elsewhere = squares - {(window.row, window.column)}
    mine = inside & np.array([place not in elsewhere for place in zip(row, column, strict=True)], dtype=bool)
    kept = take_peaks(peaks, mine)
    calibration = detector.card.calibration.as_value()
    names = name_cells(kept.class_logits, calibration)
    stained = positive_probability(kept.stain_logits, names, calibration)
    complete = window.field.complete[output_cells(kept.x_px, kept.y_px, window.field.complete.shape)]
    return (
        places[mine],
        complete,
        names.kind.astype(np.int64),
        stained >= detector.card.thresholds.stained_threshold,
    )


def _corner(window: Window, size: WindowSize) -> tuple[int, int]:
    return tuple(size.core_px * index - size.margin_px for index in (window.column, window.row))  # type: ignore[return-value]
