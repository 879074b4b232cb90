"""Real PD-L1 fields with a reader's category, and one field of tissue on two scanners."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from skimage.feature import match_template

from cxpath.data import Kind
from cxpath.documents import CountedField, CountedScan, Figure
from cxpath.errors import MissingFileError
from cxpath.evaluation.classifier import Calls, CellClassifier
from cxpath.evaluation.labelled import read_rgb
from cxpath.evaluation.settings import Pdl1Field, Pdl1Fields, RealSettings
from cxpath.metrics import CLASSES, BlockGrid, Origin, Rows, measured, rescaled
from cxpath.slide import open_slide

# Real PD-L1 fields with a reader's category: positive immune share, and tumour region against a mask.


PDL1_FIELDS = "sp142_fields"


def count_field(
    field: Pdl1Field, folder: Path, classifier: CellClassifier, settings: RealSettings
) -> tuple[CountedField, NDArray[np.uint8], Calls]:
    """Call the cells of one field; returns counts by block, picture and calls."""
    wanted = settings.pdl1_fields
    full = read_rgb(folder / field.image)
    rgb = rescaled(full, wanted.mpp / classifier.mpp)
    calls = classifier.calls(rgb)
    grid = BlockGrid(
        rgb.shape[1] * classifier.mpp, rgb.shape[0] * classifier.mpp, settings.bootstrap.block_um
    )
    immune = calls.take(calls.kind == Kind.IMMUNE)
    result = CountedField(
        name=field.image,
        positive=grid.count(immune.points_um[immune.positive]).tolist(),
        immune=grid.count(immune.points_um).tolist(),
    )
    if field.mask:
        crop, areas = _overlap(full, folder / field.mask, calls, wanted, settings.bootstrap.block_um)
        result = result.model_copy(update={"crop": crop, "areas": areas})
    return result, rgb, calls


def _overlap(
    full: NDArray[np.uint8], mask_path: Path, calls: Calls, wanted: Pdl1Fields, block_um: float
) -> tuple[tuple[int, int], tuple[tuple[int, ...], ...]]:
    """Return where the mask's crop lies, and the areas of mask and called region in it, by block."""
    stored = cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)
    if stored is None:
        raise MissingFileError(f"{mask_path}: no readable mask")
    mask = np.asarray(stored) > 127
    row, column = register_crop(full, mask)
    height, width = mask.shape
    called = tumour_region(calls, full.shape[:2], wanted.mpp, wanted.region_smoothing_um)
    called = called[row : row + height, column : column + width]
    grid = BlockGrid(width * wanted.mpp, height * wanted.mpp, block_um)
    rows, columns = np.mgrid[:height, :width]
    block = grid.of(np.column_stack([columns.ravel() + 0.5, rows.ravel() + 0.5]) * wanted.mpp)
    areas = [np.bincount(block[part.ravel()], minlength=len(grid)) for part in (mask & called, mask, called)]
    return (row, column), tuple(tuple(block) for block in np.column_stack(areas).tolist())


def field_figures(results: Sequence[CountedField], settings: RealSettings) -> list[Figure]:
    """Return the figures of the fields measured, in the order of the settings; none has a target."""
    fields = {field.image: field for field in settings.pdl1_fields.fields}
    known = [(fields[result.name], result) for result in results if result.name in fields]
    figures = [_immune_share(field, result, settings) for field, result in known]
    figures += [_region(field, result, settings) for field, result in known if result.areas]
    return [*figures, _order(known, settings)] if len(known) > 2 else figures


def positive_share(rows: Rows) -> float:
    """Return positive immune cells as a share of immune cells."""
    positive, immune = rows.sum(axis=0)
    return float(positive / immune) if immune else float("nan")


def dice(rows: Rows) -> float:
    """Return the overlap of two regions (Dice 1945)."""
    both, mask, called = rows.sum(axis=0)
    return float(2 * both / (mask + called)) if mask + called else float("nan")


def rank_correlation(rows: Rows, ranks: tuple[int, ...]) -> float:
    """Return Spearman's correlation of positive immune share with category.

    Parameters
    ----------
    rows : float64 array, (N, 3)
        Field, positive and all immune cells of each block.
    ranks : tuple of int
        Each field's category.
    """
    field = rows[:, 0].astype(np.int64)
    positive, immune = (np.bincount(field, rows[:, k], minlength=len(ranks)) for k in (1, 2))
    if not immune.all():
        return float("nan")
    ordered = [rankdata(values) for values in (ranks, positive / immune)]
    if any(np.ptp(values) == 0 for values in ordered):
        return float("nan")
    return float(np.corrcoef(*ordered)[0, 1])


def _origin(settings: RealSettings) -> Origin:
    return Origin(set_name=PDL1_FIELDS, mpp=settings.pdl1_fields.mpp, mpp_source="assumed")


def _immune_share(field: Pdl1Field, result: CountedField, settings: RealSettings) -> Figure:
    rows = np.column_stack([result.positive, result.immune]).astype(np.float64)
    return measured(
        _origin(settings), f"immune_share_{Path(field.image).stem}",
        f"positive immune cells, field read as {field.category}", rows, positive_share,
        settings.bootstrap, unit="blocks", n=int(rows[:, 1].sum()), n_of="immune cells",
        method="share of cells called immune",
    )  # fmt: skip


def _region(field: Pdl1Field, result: CountedField, settings: RealSettings) -> Figure:
    rows = np.array(result.areas, dtype=np.float64)
    row, column = result.crop or (0, 0)
    return measured(
        _origin(settings), f"region_dice_{Path(field.image).stem}",
        f"tumour region against the mask, Dice, field read as {field.category}", rows, dice,
        settings.bootstrap, unit="blocks", n=int(rows[:, 1].sum()), n_of="mask pixels",
        method=f"mask registered at row {row}, column {column}",
    )  # fmt: skip


def _order(known: Sequence[tuple[Pdl1Field, CountedField]], settings: RealSettings) -> Figure:
    parts = [
        np.column_stack([np.full(len(result.immune), index), result.positive, result.immune])
        for index, (_, result) in enumerate(known)
    ]
    statistic = partial(rank_correlation, ranks=tuple(field.rank for field, _ in known))
    return measured(
        _origin(settings), "immune_share_order", "order of positive immune share against category",
        np.concatenate(parts).astype(np.float64), statistic, settings.bootstrap, unit="blocks",
        n=len(known), n_of="fields", method="Spearman's rank correlation",
    )  # fmt: skip


# One field of tissue on two scanners: how far counts and class shares move.


SCANNER_PAIR = "os2"


def read_field(path: Path, mpp: float) -> NDArray[np.uint8]:
    """Read a whole small slide at `mpp`."""
    with open_slide(path) as slide:
        info = slide.info
        width, height = (round(side * info.mpp / mpp) for side in (info.width_px, info.height_px))
        return slide.read(0, 0, width, height, mpp=mpp)


def count_classes(
    path: Path, classifier: CellClassifier, settings: RealSettings
) -> tuple[CountedScan, NDArray[np.uint8], Calls]:
    """Call the cells of one scan; returns counts by block and class, picture and calls."""
    rgb = read_field(path, classifier.mpp)
    calls = classifier.calls(rgb)
    grid = BlockGrid(
        rgb.shape[1] * classifier.mpp, rgb.shape[0] * classifier.mpp, settings.bootstrap.block_um
    )
    counts = [grid.count(calls.points_um[calls.places == place]) for place in range(len(CLASSES))]
    blocks = np.column_stack(counts).tolist()
    return CountedScan(name=path.name, shape=(grid.rows, grid.columns), blocks=blocks), rgb, calls


def pair_figures(first: CountedScan, second: CountedScan, settings: RealSettings) -> list[Figure]:
    """Compare two scans of the same field; the bootstrap draws blocks of both scans together.

    Parameters
    ----------
    first, second : CountedScan
        Both fields begin at the same spot.
    settings : RealSettings

    Raises
    ------
    ValueError
        When the scans differ in size.
    """
    if first.shape != second.shape:
        raise ValueError(f"the two scans differ in size: {list(first.shape)} and {list(second.shape)} blocks")
    rows = np.stack([np.array(scan.blocks, dtype=np.float64) for scan in (first, second)], axis=1)
    counted = int(rows.sum())
    origin = Origin(set_name=SCANNER_PAIR, mpp=None, mpp_source="file")
    pair = settings.scanner_pair
    flat = rows.reshape(len(rows), -1)
    return [
        measured(
            origin, "count_difference", "difference of cell counts between two scanners", flat,
            count_difference, settings.bootstrap, unit="blocks", n=counted, n_of="cells of both scans",
            method="|n1 − n2| over their mean", target=pair.count_difference,
        ),
        measured(
            origin, "share_difference_points", "largest difference of a class share, points", flat,
            share_difference_points, settings.bootstrap, unit="blocks", n=counted,
            n_of="cells of both scans", method=f"shares of {', '.join(CLASSES)}",
            target=pair.share_difference_points,
        ),
    ]  # fmt: skip


def count_difference(rows: Rows) -> float:
    """Return the difference of two counts as a share of their mean."""
    counts = _by_scan(rows).sum(axis=1)
    return float(abs(counts[0] - counts[1]) / counts.mean()) if counts.sum() else float("nan")


def share_difference_points(rows: Rows) -> float:
    """Return the largest difference of a class's share, in percentage points."""
    classes = _by_scan(rows)
    total = classes.sum(axis=1, keepdims=True)
    return float(100 * np.abs(np.diff(classes / total, axis=0)).max()) if total.all() else float("nan")


def _by_scan(rows: Rows) -> NDArray[np.float64]:
    return np.asarray(rows.sum(axis=0).reshape(2, len(CLASSES)))


# Finding where in a picture a mask's crop was cut, when nobody said.


_SMOOTHING_PX = 12.0


def register_crop(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return row and column of the picture at which the mask's top left lies.

    The place where the mask agrees best with the smoothed darkness of the picture, darker or paler within
    (normalised cross-correlation, Lewis 1995). The model has no say in it.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
    mask : bool array, (h, w)
        Not larger than the picture.

    Raises
    ------
    ValueError
        When the mask is larger than the picture.
    """
    if mask.shape[0] > rgb.shape[0] or mask.shape[1] > rgb.shape[1]:
        raise ValueError(f"the mask {mask.shape} is larger than the picture {rgb.shape[:2]}")
    darkness = (255.0 - rgb.mean(axis=2)).astype(np.float32)
    smooth = cv2.GaussianBlur(darkness, (0, 0), _SMOOTHING_PX)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _SMOOTHING_PX)
    agreement = np.abs(match_template(smooth, soft))
    row, column = np.unravel_index(int(agreement.argmax()), agreement.shape)
    return int(row), int(column)


# The tumour region that called cells make: where smoothed tumour cells outnumber all other cells.


FEWEST_PER_MM2 = 1000.0
"""A thinner scatter makes no region: a nest contains several thousand tumour cells per mm²."""


def tumour_region(calls: Calls, shape: tuple[int, int], mpp: float, smoothing_um: float) -> NDArray[np.bool_]:
    """Return where tumour is, at the pixels of the picture.

    Parameters
    ----------
    calls : Calls
    shape : tuple of int
        Height and width of the picture.
    mpp : float
    smoothing_um : float
        Standard deviation of the kernel that spreads each cell.
    """
    is_tumour = calls.kind == Kind.TUMOUR
    tumour, other = (
        _density_mm2(calls.points_um[rows], shape, mpp, smoothing_um) for rows in (is_tumour, ~is_tumour)
    )
    return np.asarray((tumour > other) & (tumour >= FEWEST_PER_MM2))


def _density_mm2(
    points_um: NDArray[np.float64], shape: tuple[int, int], mpp: float, smoothing_um: float
) -> NDArray[np.float32]:
    single = np.zeros(shape, np.float32)
    column, row = (points_um / mpp).astype(np.int64).reshape(-1, 2).T
    np.add.at(single, (row.clip(0, shape[0] - 1), column.clip(0, shape[1] - 1)), 1e6 / mpp**2)
    return np.asarray(
        cv2.GaussianBlur(single, (0, 0), smoothing_um / mpp, borderType=cv2.BORDER_REFLECT), np.float32
    )
