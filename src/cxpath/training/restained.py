"""Restained tiles to learn from: painted once into a folder, several stainings of each, then cut into crops.

Crops come in pairs: one place of one tile in two stainings. Whatever brown or blue differs, the classes are
the same, and a network can be asked to say so.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cxpath.data import CellPeaks, worker_processes
from cxpath.errors import ConfigurationError, MissingFileError, TissueTileError
from cxpath.io import atomic_write
from cxpath.metrics import Observation, detect_in_picture, match_cells
from cxpath.network import OUTPUT_STRIDE_PX, Detector, NetworkOutput
from cxpath.synth import (
    KIND_OF_LABEL,
    LABELS,
    REGION_STRIDE_PX,
    LabelledTile,
    Outline,
    Part,
    RestainedTile,
    SyntheticCells,
    Tissue,
    prepare,
    random_restain,
    read_outlines,
    read_tiles,
)
from cxpath.synth.restain import restain
from cxpath.training.data import (
    FieldCache,
    Turn,
    as_other_scanner,
    random_turn,
    recoloured,
    sample_crops,
    turned_array,
    turned_places,
)
from cxpath.training.settings import CropSettings, LossSettings, TrainingSettings
from cxpath.training.targets import (
    FIRST_OF_TISSUE,
    UNLABELLED,
    UNLABELLED_REGION,
    CellLabels,
    Losses,
    Targets,
    all_losses,
    batch_targets,
    joined,
    label_maps,
    light_of,
    stacked,
)

_NOTE = "restained.json"
_STREAM = 2
"""Keeps these random numbers apart from those of the synthetic crops of the same step."""

_MATCH_RADIUS_UM = 3.0
_EPITHELIUM = np.array([label.tissue is Tissue.EPITHELIUM for label in LABELS])
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RestainedStack:
    """One tile in K stainings.

    Parameters
    ----------
    rgb : uint8 array, (K, height, width, 3)
    cells : tuple of float64 array, (N, 6)
        For each staining: x, y, row of `LABELS`, membrane, any staining, whether the staining is known.
        Painted macrophages differ between stainings.
    ignore : bool array, (K, height // 8, width // 8)
    """

    rgb: NDArray[np.uint8]
    cells: tuple[NDArray[np.float64], ...]
    ignore: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RestainedCrop:
    """A square of a restained tile, N cells."""

    rgb: NDArray[np.uint8]
    cells: NDArray[np.float64]
    ignore: NDArray[np.bool_]


def data_folder(data: Path | None) -> Path:
    """Return the data folder, or raise `ConfigurationError` where none is given."""
    if data is None:
        raise ConfigurationError(
            "restained real tissue is to be learned from, and CXPATH_DATA is not set",
            "set CXPATH_DATA to the data folder, or restained.pairs to 0",
        )
    return data


def restained_stacks(
    data: Path, folder: Path, stainings: int, seed: int, *, workers: int = 1
) -> list[RestainedStack]:
    """Return the training patients' tiles restained, from `folder` if it already contains exactly these.

    Parameters
    ----------
    data : Path
        The data folder (`CXPATH_DATA`); only what is marked *train* in it is read.
    folder : Path
        Made when missing.
    stainings : int
        Of each tile.
    seed : int
    workers : int
        Painting processes.

    Raises
    ------
    MissingFileError
        When the data folder lacks the tiles.
    """
    tiles = read_tiles(data, [Part.TRAIN])
    note = {"stainings": stainings, "seed": seed, "tiles": _digest(tiles)}
    note_path = folder / _NOTE
    if not (note_path.is_file() and json.loads(note_path.read_text(encoding="utf-8")) == note):
        folder.mkdir(parents=True, exist_ok=True)
        note_path.unlink(missing_ok=True)
        _paint_into(folder, tiles, _outlines_or_none(data), stainings, seed, workers)
        with atomic_write(note_path) as path:
            path.write_text(json.dumps(note), encoding="utf-8")
    return [open_stack(path) for path in sorted(folder.glob("*.rgb.npy"))]


def open_stack(rgb_path: Path) -> RestainedStack:
    """Open one stack; its pictures stay on disk until they are looked at."""
    stem = rgb_path.name.removesuffix(".rgb.npy")
    with np.load(rgb_path.with_name(f"{stem}.cells.npz")) as rest:
        cells = np.split(rest["cells"], np.cumsum(rest["count"])[:-1])
        return RestainedStack(np.load(rgb_path, mmap_mode="r"), tuple(cells), rest["ignore"])


def write_stack(folder: Path, stem: str, restained: Sequence[RestainedTile]) -> None:
    """Write the stainings of one tile."""
    np.save(folder / f"{stem}.rgb.npy", np.stack([one.rgb for one in restained]))
    cells = [cell_rows(one) for one in restained]
    np.savez(
        folder / f"{stem}.cells.npz",
        cells=np.concatenate(cells),
        count=np.array([len(rows) for rows in cells]),
        ignore=np.stack([one.ignore for one in restained]),
    )


def cell_rows(one: RestainedTile) -> NDArray[np.float64]:
    """Return the cells as rows; see `RestainedStack.cells`."""
    columns = (one.x_px, one.y_px, one.label, one.membrane, one.any_stain, one.stain_known)
    return np.column_stack(columns).astype(np.float64)


def draw_restained_pairs(
    stacks: Sequence[RestainedStack], settings: CropSettings, pairs: int, seed: int, step: int
) -> list[RestainedCrop]:
    """Return `pairs` crops and, behind them, the same places in other stainings; see the module."""
    rng = np.random.default_rng([seed, step, _STREAM])
    both = [_pair(stacks[int(rng.integers(len(stacks)))], settings, rng) for _ in range(pairs)]
    return [first for first, _ in both] + [second for _, second in both]


def restained_targets(crops: Sequence[RestainedCrop], loss: LossSettings) -> Targets:
    """Return the targets of crops: every cell, its set of classes, its staining; no regions."""
    return stacked([_targets(crop, loss) for crop in crops])


def observe_restained(detector: Detector, data: Path, stainings: int, seed: int) -> list[Observation]:
    """Observe the tiles of the patients who calibrate, each in several stainings.

    Parameters
    ----------
    detector : Detector
        With a low centre threshold.
    data : Path
        The data folder.
    stainings, seed : int

    Raises
    ------
    MissingFileError
        When the data folder lacks the tiles.
    """
    return [
        _observed(detect_in_picture(detector, one.rgb), one)
        for one in calibration_tiles(data, stainings, seed)
    ]


def calibration_tiles(data: Path, stainings: int, seed: int) -> Iterator[RestainedTile]:
    """Yield the tiles of the patients who calibrate, each in several stainings; see `observe_restained`."""
    for number, tile in enumerate(read_tiles(data, [Part.CALIBRATE])):
        prepared = prepare(tile, np.random.default_rng([seed, number]))
        for staining in range(stainings):
            rng = np.random.default_rng([seed, number, staining])
            yield restain(prepared, random_restain(rng, artefacts=False), rng)


def _observed(peaks: CellPeaks, one: RestainedTile) -> Observation:
    """Return what was seen next to the truth; a cell that could be called either way is not evaluated."""
    truth = SyntheticCells(
        x_px=one.x_px,
        y_px=one.y_px,
        kind=KIND_OF_LABEL[one.label],
        subkind=np.zeros(len(one.label), np.uint8),
        membrane=one.membrane,
        any_stain=one.any_stain,
        completeness=np.full(len(one.label), np.nan, np.float32),
        radius_um=np.full(len(one.label), np.nan, np.float32),
    )
    return Observation(
        peaks=peaks,
        truth=truth,
        scored_peaks=np.ones(len(peaks), bool),
        scored_truth=one.stain_known,
        pairs=match_cells(truth, peaks, _MATCH_RADIUS_UM / one.mpp),
        fine=FIRST_OF_TISSUE + one.label,
    )


def _outlines_or_none(data: Path) -> list[Outline]:
    try:
        return read_outlines(data)
    except MissingFileError as error:
        _logger.warning("no macrophages are painted: %s", error)
        return []


def _digest(tiles: Sequence[LabelledTile]) -> str:
    digest = hashlib.sha256()
    for tile in tiles:
        for part in (tile.rgb, tile.x_px, tile.y_px, tile.label):
            digest.update(part.tobytes())
    return digest.hexdigest()


def _paint_into(
    folder: Path,
    tiles: Sequence[LabelledTile],
    outlines: Sequence[Outline],
    stainings: int,
    seed: int,
    workers: int,
) -> None:
    _logger.info("restaining %d tiles %d times into %s", len(tiles), stainings, folder)
    paint = partial(_paint_tile, folder, outlines, stainings, seed)
    if workers == 1:
        refused = list(map(paint, enumerate(tiles)))
    else:
        with worker_processes(workers) as pool:
            refused = list(pool.map(paint, enumerate(tiles)))
    for reason in filter(None, refused):
        _logger.warning("left out: %s", reason)


def _paint_tile(
    folder: Path, outlines: Sequence[Outline], stainings: int, seed: int, item: tuple[int, LabelledTile]
) -> str:
    """Paint all stainings of one tile; return why it was left out, or nothing."""
    number, tile = item
    cv2.setNumThreads(1)
    try:
        prepared = prepare(tile, np.random.default_rng([seed, number]))
    except TissueTileError as error:
        return str(error)
    restained = []
    for staining in range(stainings):
        rng = np.random.default_rng([seed, number, staining])
        restained.append(restain(prepared, random_restain(rng, guests=True), rng, outlines))
    write_stack(folder, f"{number:04d}", restained)
    return ""


def _pair(
    stack: RestainedStack, settings: CropSettings, rng: np.random.Generator
) -> tuple[RestainedCrop, RestainedCrop]:
    first, second = rng.choice(len(stack.rgb), 2, replace=len(stack.rgb) < 2).tolist()
    side = min(stack.rgb.shape[1:3])
    most = np.log1p(settings.scale_spread)
    side_px = int(settings.crop_px * np.exp(rng.uniform(-most, most))) // REGION_STRIDE_PX * REGION_STRIDE_PX
    side_px = min(side_px, side // REGION_STRIDE_PX * REGION_STRIDE_PX)
    corner = [
        REGION_STRIDE_PX * int(rng.integers((length - side_px) // REGION_STRIDE_PX + 1))
        for length in stack.rgb.shape[1:3]
    ]
    turn = random_turn(rng)

    def crop(number: int) -> RestainedCrop:
        whole = RestainedCrop(stack.rgb[number], stack.cells[number], stack.ignore[number])
        cut = cut_restained(whole, corner[1], corner[0], side_px, turn)
        return _as_scanned(_resized(cut, settings.crop_px), settings, rng)

    return crop(first), crop(second)


def cut_restained(whole: RestainedCrop, left: int, top: int, side_px: int, turn: Turn) -> RestainedCrop:
    """Cut a square whose corner is a multiple of 8 px, and turn it; cells outside it are dropped."""
    x_px, y_px = whole.cells[:, 0] - left, whole.cells[:, 1] - top
    inside = (x_px >= 0) & (x_px < side_px) & (y_px >= 0) & (y_px < side_px)
    places = turned_places(x_px[inside], y_px[inside], side_px, turn)
    coarse = np.s_[
        top // REGION_STRIDE_PX : (top + side_px) // REGION_STRIDE_PX,
        left // REGION_STRIDE_PX : (left + side_px) // REGION_STRIDE_PX,
    ]
    return RestainedCrop(
        turned_array(whole.rgb[top : top + side_px, left : left + side_px], turn),
        np.column_stack([*places, whole.cells[inside, 2:]]),
        turned_array(whole.ignore[coarse], turn),
    )


def _resized(crop: RestainedCrop, side_px: int) -> RestainedCrop:
    scale = side_px / crop.rgb.shape[0]
    if scale == 1:
        return crop
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    rgb = cv2.resize(np.ascontiguousarray(crop.rgb), (side_px, side_px), interpolation=method)
    cells = crop.cells.copy()
    cells[:, :2] *= scale
    coarse = (side_px // REGION_STRIDE_PX,) * 2
    ignore = cv2.resize(crop.ignore.astype(np.uint8), coarse, interpolation=cv2.INTER_NEAREST)
    return RestainedCrop(np.asarray(rgb, np.uint8), cells, ignore.astype(bool))


def _as_scanned(crop: RestainedCrop, settings: CropSettings, rng: np.random.Generator) -> RestainedCrop:
    rgb = recoloured(np.ascontiguousarray(crop.rgb), settings, rng)
    if rng.random() < settings.scanner_share:
        rgb = as_other_scanner(rgb, rng)
    return RestainedCrop(rgb, crop.cells, crop.ignore)


def _targets(crop: RestainedCrop, loss: LossSettings) -> Targets:
    x_px, y_px, label, membrane, any_stain, known = crop.cells.T
    row = label.astype(np.int64)
    tumour = _EPITHELIUM[row]
    weight = np.where(np.stack([tumour, ~tumour]), 1.0, loss.other_rule_weight) * known
    labels = CellLabels(x_px, y_px, FIRST_OF_TISSUE + row, np.stack([membrane, any_stain]), weight)
    finer = REGION_STRIDE_PX // OUTPUT_STRIDE_PX
    scored = ~crop.ignore.repeat(finer, axis=0).repeat(finer, axis=1)
    region = np.full(scored.shape, UNLABELLED_REGION)
    return label_maps(labels, scored, scored, region, loss)


# The lesson. A batch is some synthetic crops, then restained pairs: all first halves, then all second ones.


CropLosses = Callable[[NetworkOutput, Targets, Tensor], Losses]


def restained_batch(
    synthetic: FieldCache, restained: Sequence[RestainedStack], settings: TrainingSettings, step: int
) -> tuple[Tensor, Targets]:
    """Return the batch of one step; it depends on the seed and the step alone."""
    pairs, seed = settings.restained.pairs, settings.schedule.seed
    crops = settings.crops.model_copy(update={"batch": settings.crops.batch - 2 * pairs})
    fields = sample_crops(synthetic, crops, seed, step)
    tiles = draw_restained_pairs(restained, settings.crops, pairs, seed, step)
    pictures = [*(field.rgb for field in fields), *(tile.rgb for tile in tiles)]
    first, second = batch_targets(fields, settings.loss), restained_targets(tiles, settings.loss)
    return light_of(pictures), joined(first, second)


def restained_losses(
    output: NetworkOutput,
    targets: Targets,
    class_weights: Tensor,
    *,
    settings: TrainingSettings,
    crop_losses: CropLosses = all_losses,
) -> Losses:
    """Evaluate synthetic and restained crops apart, and the pairs against each other.

    Each part of a loss is a mean over its labels. Both tissues weigh by their share of the batch, whatever
    number of cells their crops contain.
    """
    pairs, batch = settings.restained.pairs, settings.crops.batch
    synthetic = batch - 2 * pairs
    parts = [
        crop_losses(_rows(output, rows), targets.rows(rows), class_weights)
        for rows in (slice(0, synthetic), slice(synthetic, None))
    ]
    share = synthetic / batch
    mixed = Losses(*(share * first + (1 - share) * second for first, second in zip(*parts, strict=True)))
    return mixed._replace(
        region=parts[0].region,  # restained tissue has no regions
        kind=mixed.kind + settings.restained.consistency_weight * pair_difference(output, targets, pairs),
    )


def pair_difference(output: NetworkOutput, targets: Targets, pairs: int) -> Tensor:
    """Return how much the classes of the pairs differ: mean squared difference of probabilities, summed.

    Compared where both stainings have a cell (painted macrophages may be in one alone).
    """
    first, second = (
        functional.softmax(output.kind[rows].float(), dim=1) for rows in _halves(len(output.kind), pairs)
    )
    label = [targets.fine[rows] for rows in _halves(len(output.kind), pairs)]
    same = (label[0] == label[1]) & (label[0] != UNLABELLED)
    difference = ((first - second) ** 2).sum(dim=1)
    return (difference * same).sum() / same.sum().clamp(min=1)


def _halves(batch: int, pairs: int) -> tuple[slice, slice]:
    return slice(batch - 2 * pairs, batch - pairs), slice(batch - pairs, batch)


def _rows(output: NetworkOutput, rows: slice) -> NetworkOutput:
    return NetworkOutput(*(part[rows] for part in output))
