"""Windows of annotated images on disk, read as memory maps; neither file names nor paths are stored."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.exchange.whole_file import whole_file
from cxpath.network.architecture import OUTPUT_STRIDE_PX
from cxpath.training.annotations.annotated_field import AnnotatedCells, AnnotatedField
from cxpath.training.annotations.annotated_image import AnnotatedImage
from cxpath.training.annotations.windows import Window, WindowSize, marked_squares, read_windows
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX

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
    """Return the windows of images, from `folder` if it already holds exactly these, else read anew.

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
    if not (note_path.is_file() and json.loads(note_path.read_text()) == note):
        folder.mkdir(parents=True, exist_ok=True)
        note_path.unlink(missing_ok=True)
        _read_into(folder, images, size)
        # The note comes last: a folder without it is half-read and is read again.
        with whole_file(note_path) as path:
            path.write_text(json.dumps(note))
    return _open(folder, size)


def _read_into(folder: Path, images: Sequence[AnnotatedImage], size: WindowSize) -> None:
    number = sum(len(marked_squares(image, size)) for image in images)
    _logger.info("reading %d windows of %d px into %s", number, size.side_px, folder)
    output, coarse = size.side_px // OUTPUT_STRIDE_PX, size.side_px // REGION_STRIDE_PX
    rgb = _new(folder / "rgb.npy", np.uint8, (number, size.side_px, size.side_px, 3))
    complete = _new(folder / "complete.npy", np.bool_, (number, output, output))
    region = _new(folder / "region.npy", np.int8, (number, coarse, coarse))
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


def _new(path: Path, element: type[np.generic], shape: tuple[int, ...]) -> Any:
    return np.lib.format.open_memmap(path, mode="w+", dtype=element, shape=shape)


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
