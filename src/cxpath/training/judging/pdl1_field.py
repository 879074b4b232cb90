"""Real PD-L1 fields with a reader's category: positive immune share, and tumour region against a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cxpath.training.judging.blocks import BlockGrid
from cxpath.training.judging.bootstrap import Rows
from cxpath.training.judging.calls import Calls, CellCaller
from cxpath.training.judging.figure import Figure, Origin, measured
from cxpath.training.judging.label_forms import read_rgb
from cxpath.training.judging.mask_registration import register_crop
from cxpath.training.judging.real_settings import Pdl1Field, Pdl1Fields, RealSettings
from cxpath.training.judging.tumour_region import tumour_region
from cxpath.training.picture import rescaled
from cxpath.values.cell_table import Kind
from cxpath.values.errors import MissingFileError

SET_NAME = "sp142_fields"


def count_field(
    field: Pdl1Field, folder: Path, caller: CellCaller, settings: RealSettings
) -> tuple[dict[str, Any], NDArray[np.uint8], Calls]:
    """Call the cells of one field; returns counts by block as plain JSON, picture and calls."""
    wanted = settings.pdl1_fields
    full = read_rgb(folder / field.image)
    rgb = rescaled(full, wanted.mpp / caller.mpp)
    calls = caller.calls(rgb)
    grid = BlockGrid(rgb.shape[1] * caller.mpp, rgb.shape[0] * caller.mpp, settings.bootstrap.block_um)
    immune = calls.take(calls.kind == Kind.IMMUNE)
    result: dict[str, Any] = {
        "name": field.image,
        "positive": grid.count(immune.points_um[immune.positive]).tolist(),
        "immune": grid.count(immune.points_um).tolist(),
    }
    if field.mask:
        result |= _overlap(full, folder / field.mask, calls, wanted, settings.bootstrap.block_um)
    return result, rgb, calls


def _overlap(
    full: NDArray[np.uint8], mask_path: Path, calls: Calls, wanted: Pdl1Fields, block_um: float
) -> dict[str, Any]:
    """Compare called region and mask inside the mask's crop; areas by block in pixels of the field."""
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
    return {"crop": [row, column], "areas": np.column_stack(areas).tolist()}


def field_figures(results: Sequence[Mapping[str, Any]], settings: RealSettings) -> list[Figure]:
    """Return the figures of the fields measured, in the order of the settings; none has a target."""
    fields = {field.image: field for field in settings.pdl1_fields.fields}
    known = [(fields[result["name"]], result) for result in results if result["name"] in fields]
    figures = [_immune_share(field, result, settings) for field, result in known]
    figures += [_region(field, result, settings) for field, result in known if "areas" in result]
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
    return Origin(set_name=SET_NAME, mpp=settings.pdl1_fields.mpp, mpp_source="assumed")


def _immune_share(field: Pdl1Field, result: Mapping[str, Any], settings: RealSettings) -> Figure:
    rows = np.column_stack([result["positive"], result["immune"]]).astype(np.float64)
    return measured(
        _origin(settings), f"immune_share_{Path(field.image).stem}",
        f"positive immune cells, field read as {field.category}", rows, positive_share,
        settings.bootstrap, unit="blocks", n=int(rows[:, 1].sum()), n_of="immune cells",
        method="share of cells called immune",
    )  # fmt: skip


def _region(field: Pdl1Field, result: Mapping[str, Any], settings: RealSettings) -> Figure:
    rows = np.array(result["areas"], dtype=np.float64)
    row, column = result["crop"]
    return measured(
        _origin(settings), f"region_dice_{Path(field.image).stem}",
        f"tumour region against the mask, Dice, field read as {field.category}", rows, dice,
        settings.bootstrap, unit="blocks", n=int(rows[:, 1].sum()), n_of="mask pixels",
        method=f"mask registered at row {row}, column {column}",
    )  # fmt: skip


def _order(known: Sequence[tuple[Pdl1Field, Mapping[str, Any]]], settings: RealSettings) -> Figure:
    parts = [
        np.column_stack([np.full(len(result["immune"]), index), result["positive"], result["immune"]])
        for index, (_, result) in enumerate(known)
    ]
    statistic = partial(rank_correlation, ranks=tuple(field.rank for field, _ in known))
    return measured(
        _origin(settings), "immune_share_order", "order of positive immune share against category",
        np.concatenate(parts).astype(np.float64), statistic, settings.bootstrap, unit="blocks",
        n=len(known), n_of="fields", method="Spearman's rank correlation",
    )  # fmt: skip
