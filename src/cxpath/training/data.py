"""What is learned from: synthetic fields, crops of them, and pictures annotated in part."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import worker_processes
from cxpath.io import atomic_write
from cxpath.synth import REGION_STRIDE_PX, SyntheticCells, SyntheticField, brought_to, make_scanned_field
from cxpath.training.settings import CropSettings

# AnnotatedField: one picture of real tissue and what a lab marked in it, which is never everything.


STAIN_UNKNOWN = -1
REGION_UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class AnnotatedCells:
    """Marked cells; every array has one entry per cell.

    Parameters
    ----------
    x_px, y_px : float64 array
        Nuclear centre; pixel centres at .5. Whose pixels, the holder says.
    fine : int64 array
        Fine label, of a class or of a set of classes, or `UNLABELLED`; see `fine_labels`.
    stained : int8 array
        1 PD-L1 positive by the rule of its kind, 0 negative, `STAIN_UNKNOWN`.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    fine: NDArray[np.int64]
    stained: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.x_px)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> AnnotatedCells:
        """Return the cells at `rows` (a boolean mask or an index array)."""
        return AnnotatedCells(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    def in_frame(self, left_px: float, top_px: float, scale: float) -> AnnotatedCells:
        """Return the cells in a frame whose pixels are `scale` times as large, with its origin."""
        return replace(self, x_px=self.x_px / scale - left_px, y_px=self.y_px / scale - top_px)

    def inside(self, left_px: float, top_px: float, side_px: float) -> NDArray[np.bool_]:
        """Say which cells lie in a square."""
        within_x = (self.x_px >= left_px) & (self.x_px < left_px + side_px)
        return within_x & (self.y_px >= top_px) & (self.y_px < top_px + side_px)


@dataclass(frozen=True, eq=False)
class AnnotatedField:
    """A square picture at the network's µm/px with its labels.

    Parameters
    ----------
    rgb : uint8 array, (side, side, 3)
    cells : AnnotatedCells
        In pixels of the picture.
    complete : bool array, (side / 4, side / 4)
        Output cells in which every cell was marked, so that an unmarked one is known to be empty.
    region : int8 array, (side / 8, side / 8)
        `TissueRegion`, or `REGION_UNLABELLED`.
    """

    rgb: NDArray[np.uint8]
    cells: AnnotatedCells
    complete: NDArray[np.bool_]
    region: NDArray[np.int8]


# Synthetic fields for training: made, kept, cropped and augmented.


# Synthetic fields on disk: made once by several processes, then read as memory maps.
#
# A cache is a folder of plain .npy files and one note of what was made; an equal request is not made again.


_NOTE = "fields.json"
_logger = logging.getLogger(__name__)

FieldSource = Callable[[int, int, int], SyntheticField]
"""Seed, index and side in pixels to a field; must be importable by name, since processes are spawned."""


def make_random_field(seed: int, index: int, side_px: int) -> SyntheticField:
    """Make field `index` of the endless sequence that `seed` names."""
    rng = np.random.default_rng([seed, index])
    return make_scanned_field(rng, side_px)


@dataclass(frozen=True, eq=False)
class FieldCache:
    """Equally large synthetic fields.

    Parameters
    ----------
    rgb : uint8 array, (N, side, side, 3)
    region : uint8 array, (N, side / 8, side / 8)
    ignore : bool array, (N, side / 8, side / 8)
    mpp : float array, (N,)
    cells : SyntheticCells
        Of all fields, one after another.
    first_cell : int array, (N + 1,)
        Cells of field i are rows first_cell[i] to first_cell[i + 1].
    """

    rgb: NDArray[np.uint8]
    region: NDArray[np.uint8]
    ignore: NDArray[np.bool_]
    mpp: NDArray[np.float64]
    cells: SyntheticCells
    first_cell: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rgb)

    def field(self, index: int) -> SyntheticField:
        """Return one field; its picture stays on disk until it is looked at."""
        rows = np.arange(self.first_cell[index], self.first_cell[index + 1])
        return SyntheticField(
            rgb=self.rgb[index],
            mpp=float(self.mpp[index]),
            cells=self.cells.take(rows),
            region=self.region[index],
            ignore=self.ignore[index],
        )

    def __iter__(self) -> Iterator[SyntheticField]:
        return (self.field(index) for index in range(len(self)))


def cached_fields(
    folder: Path,
    number: int,
    seed: int,
    side_px: int,
    *,
    workers: int = 1,
    source: FieldSource = make_random_field,
    progress: Callable[[int], None] | None = None,
) -> FieldCache:
    """Return `number` synthetic fields, from `folder` if it already contains exactly these, else made again.

    Parameters
    ----------
    folder : Path
        Made when missing.
    number, seed, side_px : int
    workers : int
        Processes that make fields; with 1 this process makes them.
    source : callable
    progress : callable, optional
        Receives the number of fields made so far.
    """
    note = {"number": number, "seed": seed, "side_px": side_px, "source": source.__qualname__}
    note_path = folder / _NOTE
    if not (note_path.is_file() and json.loads(note_path.read_text(encoding="utf-8")) == note):
        folder.mkdir(parents=True, exist_ok=True)
        note_path.unlink(missing_ok=True)
        _draw_into(folder, partial(_draw_one, source, seed, side_px), number, side_px, workers, progress)
        # The note comes last: a folder without it is half-written and is made again.
        with atomic_write(note_path) as path:
            path.write_text(json.dumps(note), encoding="utf-8")
    return _open(folder)


def _draw_one(source: FieldSource, seed: int, side_px: int, index: int) -> SyntheticField:
    return source(seed, index, side_px)


def _draw_into(
    folder: Path,
    make: Callable[[int], SyntheticField],
    number: int,
    side_px: int,
    workers: int,
    progress: Callable[[int], None] | None,
) -> None:
    _logger.info("making %d fields of %d px into %s", number, side_px, folder)
    coarse = side_px // REGION_STRIDE_PX
    rgb = new_on_disk(folder / "rgb.npy", np.uint8, (number, side_px, side_px, 3))
    region = new_on_disk(folder / "region.npy", np.uint8, (number, coarse, coarse))
    ignore = new_on_disk(folder / "ignore.npy", np.bool_, (number, coarse, coarse))
    cells, mpp = [], np.zeros(number)
    for index, field in enumerate(_made(make, number, workers)):
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
    for item in fields(SyntheticCells):
        np.save(
            folder / f"cell_{item.name}.npy", np.concatenate([getattr(part, item.name) for part in cells])
        )


def _made(make: Callable[[int], SyntheticField], number: int, workers: int) -> Iterator[SyntheticField]:
    if workers == 1:
        yield from map(make, range(number))
        return
    with worker_processes(workers) as pool:
        yield from pool.map(make, range(number), chunksize=4)


def new_on_disk(path: Path, element: type[np.generic], shape: tuple[int, ...]) -> Any:
    """Return a new array that is a file; it is written as it is filled."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=element, shape=shape)


def _open(folder: Path) -> FieldCache:
    cells = SyntheticCells(
        **{item.name: np.load(folder / f"cell_{item.name}.npy") for item in fields(SyntheticCells)}
    )
    return FieldCache(
        rgb=np.load(folder / "rgb.npy", mmap_mode="r"),
        region=np.load(folder / "region.npy", mmap_mode="r"),
        ignore=np.load(folder / "ignore.npy", mmap_mode="r"),
        mpp=np.load(folder / "mpp.npy"),
        cells=cells,
        first_cell=np.load(folder / "first_cell.npy"),
    )


# Scanner augmentation: crops made softer, paler, noisier, compressed harder.
#
# Synthetic nuclei carry fine marks of their kind that a soft or coarsely compressed scan does not show. A
# network that always sees these marks names cells by them, and is lost without; one that sometimes must do
# without falls back on size, neighbours and what is common.


_HALF = 0.5
_BLUR_PX = (0.3, 1.5)
_LEFT_OF_CONTRAST = (0.7, 1.0)
_NOISE_LEVELS = (1.0, 6.0)
_JPEG_QUALITY = (40, 86)


def as_other_scanner(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture, uint8 (H, W, 3), spoiled in each of four ways or not, by chance."""
    if rng.random() < _HALF:
        sigma = rng.uniform(*_BLUR_PX)
        rgb = np.asarray(cv2.GaussianBlur(np.ascontiguousarray(rgb), (0, 0), sigma), np.uint8)
    if rng.random() < _HALF:
        rgb = faded(rgb, rng.uniform(*_LEFT_OF_CONTRAST))
    if rng.random() < _HALF:
        noise = rng.standard_normal(rgb.shape, dtype=np.float32) * np.float32(rng.uniform(*_NOISE_LEVELS))
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    if rng.random() < _HALF:
        rgb = compressed(rgb, int(rng.integers(*_JPEG_QUALITY)))
    return rgb


def faded(rgb: NDArray[np.uint8], left: float) -> NDArray[np.uint8]:
    """Return the picture with a share of its contrast to its own brightest light left."""
    white = np.quantile(rgb.reshape(-1, 3)[::7], 0.99, axis=0)
    return np.clip(np.rint(white + (rgb - white) * left), 0, 255).astype(np.uint8)


def compressed(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return the picture after JPEG with colour at half resolution."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, stream = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), options)
    decoded = np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


# Random crops of synthetic fields: turned, mirrored, scaled and slightly recoloured, with their cells.
#
# Every step's crops depend on the seed and the step alone, so a resumed run sees what an unbroken one would.


@dataclass(frozen=True)
class Turn:
    """One of the eight symmetries of a square: mirrored left to right first, then turned quarters."""

    mirrored: bool
    quarters: int


def sample_crops(fields: FieldCache, settings: CropSettings, seed: int, step: int) -> list[SyntheticField]:
    """Return one batch of crops."""
    rng = np.random.default_rng([seed, step])
    chosen = rng.choice(len(fields), size=settings.batch, replace=len(fields) < settings.batch)
    return [_random_crop(fields.field(int(index)), settings, rng) for index in chosen]


def cut(field: SyntheticField, left: int, top: int, side_px: int) -> SyntheticField:
    """Cut a square whose corner is a multiple of 8 px; cells outside it are dropped."""
    cells = field.cells
    inside = (cells.x_px >= left) & (cells.x_px < left + side_px)
    inside &= (cells.y_px >= top) & (cells.y_px < top + side_px)
    kept = cells.take(inside)
    coarse = np.s_[
        top // REGION_STRIDE_PX : (top + side_px) // REGION_STRIDE_PX,
        left // REGION_STRIDE_PX : (left + side_px) // REGION_STRIDE_PX,
    ]
    return SyntheticField(
        rgb=field.rgb[top : top + side_px, left : left + side_px],
        mpp=field.mpp,
        cells=replace(kept, x_px=kept.x_px - left, y_px=kept.y_px - top),
        region=field.region[coarse],
        ignore=field.ignore[coarse],
    )


def turned(field: SyntheticField, turn: Turn) -> SyntheticField:
    """Return a square field mirrored and turned, its cells with it."""
    x_px, y_px = turned_places(field.cells.x_px, field.cells.y_px, field.rgb.shape[0], turn)
    return replace(
        field,
        rgb=turned_array(field.rgb, turn),
        region=turned_array(field.region, turn),
        ignore=turned_array(field.ignore, turn),
        cells=replace(field.cells, x_px=x_px, y_px=y_px),
    )


def turned_places(
    x_px: NDArray[np.float64], y_px: NDArray[np.float64], side_px: int, turn: Turn
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where places in a square of `side_px` come to lie."""
    if turn.mirrored:
        x_px = side_px - x_px
    for _ in range(turn.quarters % 4):
        x_px, y_px = y_px, side_px - x_px
    return x_px, y_px


def turned_array(array: NDArray[Any], turn: Turn) -> NDArray[Any]:
    """Return an array (H, W, ...) mirrored and turned."""
    return np.rot90(array[:, ::-1] if turn.mirrored else array, turn.quarters)


def random_turn(rng: np.random.Generator) -> Turn:
    """Return one of the eight symmetries."""
    return Turn(bool(rng.integers(2)), int(rng.integers(4)))


def recoloured(rgb: NDArray[np.uint8], settings: CropSettings, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture with a slight random gain per channel and shift of all, as scanners differ."""
    gain = 1.0 + settings.gain_spread * rng.standard_normal(3)
    shift = settings.brightness_spread * rng.standard_normal()
    levels = np.arange(256)[:, None] * gain + shift
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.stack([table[:, channel][rgb[..., channel]] for channel in range(3)], axis=-1)


def _random_crop(field: SyntheticField, settings: CropSettings, rng: np.random.Generator) -> SyntheticField:
    side_px = _side_before_scaling(field.rgb.shape[0], settings, rng)
    room = (field.rgb.shape[0] - side_px) // REGION_STRIDE_PX + 1
    left, top = (REGION_STRIDE_PX * int(value) for value in rng.integers(0, room, size=2))
    crop = brought_to(turned(cut(field, left, top, side_px), random_turn(rng)), settings.crop_px)
    rgb = recoloured(crop.rgb, settings, rng)
    if settings.scanner_share > 0 and rng.random() < settings.scanner_share:
        rgb = as_other_scanner(rgb, rng)
    return replace(crop, rgb=rgb)


def _side_before_scaling(field_px: int, settings: CropSettings, rng: np.random.Generator) -> int:
    """Draw the side of the square to cut, a multiple of 8 px that the field contains."""
    if settings.scale_spread == 0:
        return settings.crop_px
    most = np.log1p(settings.scale_spread)
    squares = settings.crop_px * np.exp(rng.uniform(-most, most)) / REGION_STRIDE_PX
    return REGION_STRIDE_PX * int(np.clip(np.rint(squares), 1, field_px // REGION_STRIDE_PX))
