"""Drawn fields on disk: drawn once by several processes, then read as memory maps.

A cache is a folder of plain .npy files and one note of what was drawn; an equal request is not redrawn.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.exchange.whole_file import whole_file
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX, DrawnCells, DrawnField
from cxpath.training.synthetic.scanned_field import draw_scanned_field
from cxpath.training.worker_processes import worker_processes

_NOTE = "drawn.json"
_logger = logging.getLogger(__name__)

FieldSource = Callable[[int, int, int], DrawnField]
"""Seed, index and side in pixels to a field; must be importable by name, since processes are spawned."""


def draw_random_field(seed: int, index: int, side_px: int) -> DrawnField:
    """Draw field `index` of the endless sequence that `seed` names."""
    rng = np.random.default_rng([seed, index])
    return draw_scanned_field(rng, side_px)


@dataclass(frozen=True, eq=False)
class FieldCache:
    """Equally large drawn fields.

    Parameters
    ----------
    rgb : uint8 array, (N, side, side, 3)
    region : uint8 array, (N, side / 8, side / 8)
    ignore : bool array, (N, side / 8, side / 8)
    mpp : float array, (N,)
    cells : DrawnCells
        Of all fields, one after another.
    first_cell : int array, (N + 1,)
        Cells of field i are rows first_cell[i] to first_cell[i + 1].
    """

    rgb: NDArray[np.uint8]
    region: NDArray[np.uint8]
    ignore: NDArray[np.bool_]
    mpp: NDArray[np.float64]
    cells: DrawnCells
    first_cell: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rgb)

    def field(self, index: int) -> DrawnField:
        """Return one field; its picture stays on disk until it is looked at."""
        rows = np.arange(self.first_cell[index], self.first_cell[index + 1])
        return DrawnField(
            rgb=self.rgb[index],
            mpp=float(self.mpp[index]),
            cells=self.cells.take(rows),
            region=self.region[index],
            ignore=self.ignore[index],
        )

    def __iter__(self) -> Iterator[DrawnField]:
        return (self.field(index) for index in range(len(self)))


def cached_fields(
    folder: Path,
    number: int,
    seed: int,
    side_px: int,
    *,
    workers: int = 1,
    source: FieldSource = draw_random_field,
    progress: Callable[[int], None] | None = None,
) -> FieldCache:
    """Return `number` drawn fields, from `folder` if it already holds exactly these, else drawn anew.

    Parameters
    ----------
    folder : Path
        Made when missing.
    number, seed, side_px : int
    workers : int
        Drawing processes; with 1 this process draws.
    source : callable
    progress : callable, optional
        Told the number of fields drawn so far.
    """
    note = {"number": number, "seed": seed, "side_px": side_px, "source": source.__qualname__}
    note_path = folder / _NOTE
    if not (note_path.is_file() and json.loads(note_path.read_text()) == note):
        folder.mkdir(parents=True, exist_ok=True)
        note_path.unlink(missing_ok=True)
        _draw_into(folder, partial(_draw_one, source, seed, side_px), number, side_px, workers, progress)
        # The note comes last: a folder without it is half-drawn and is drawn again.
        with whole_file(note_path) as path:
            path.write_text(json.dumps(note))
    return _open(folder)


def _draw_one(source: FieldSource, seed: int, side_px: int, index: int) -> DrawnField:
    return source(seed, index, side_px)


def _draw_into(
    folder: Path,
    draw: Callable[[int], DrawnField],
    number: int,
    side_px: int,
    workers: int,
    progress: Callable[[int], None] | None,
) -> None:
    _logger.info("drawing %d fields of %d px into %s", number, side_px, folder)
    coarse = side_px // REGION_STRIDE_PX
    rgb = _new(folder / "rgb.npy", np.uint8, (number, side_px, side_px, 3))
    region = _new(folder / "region.npy", np.uint8, (number, coarse, coarse))
    ignore = _new(folder / "ignore.npy", np.bool_, (number, coarse, coarse))
    cells, mpp = [], np.zeros(number)
    for index, field in enumerate(_drawn(draw, number, workers)):
        rgb[index], region[index], ignore[index] = field.rgb, field.region, field.ignore
        mpp[index] = field.mpp
        cells.append(field.cells)
        if progress is not None:
            progress(index + 1)
    for array in (rgb, region, ignore):
        array.flush()
    counts = [0, *(len(part) for part in cells)]
    np.save(folder / "mpp.npy", mpp)
    np.save(folder / "first_cell.npy", np.cumsum(counts, dtype=np.int64))
    for item in fields(DrawnCells):
        np.save(
            folder / f"cell_{item.name}.npy", np.concatenate([getattr(part, item.name) for part in cells])
        )


def _drawn(draw: Callable[[int], DrawnField], number: int, workers: int) -> Iterator[DrawnField]:
    if workers == 1:
        yield from map(draw, range(number))
        return
    with worker_processes(workers) as pool:
        yield from pool.map(draw, range(number), chunksize=4)


def _new(path: Path, element: type[np.generic], shape: tuple[int, ...]) -> Any:
    return np.lib.format.open_memmap(path, mode="w+", dtype=element, shape=shape)


def _open(folder: Path) -> FieldCache:
    cells = DrawnCells(
        **{item.name: np.load(folder / f"cell_{item.name}.npy") for item in fields(DrawnCells)}
    )
    return FieldCache(
        rgb=np.load(folder / "rgb.npy", mmap_mode="r"),
        region=np.load(folder / "region.npy", mmap_mode="r"),
        ignore=np.load(folder / "ignore.npy", mmap_mode="r"),
        mpp=np.load(folder / "mpp.npy"),
        cells=cells,
        first_cell=np.load(folder / "first_cell.npy"),
    )
