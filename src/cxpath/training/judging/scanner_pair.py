"""One field of tissue on two scanners: how far counts and class shares move."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.open_slide import open_slide
from cxpath.training.confusion import CLASSES
from cxpath.training.judging.blocks import BlockGrid
from cxpath.training.judging.bootstrap import Rows
from cxpath.training.judging.calls import Calls, CellCaller
from cxpath.training.judging.figure import Figure, Origin, measured
from cxpath.training.judging.real_settings import RealSettings

SET_NAME = "os2"


def read_field(path: Path, mpp: float) -> NDArray[np.uint8]:
    """Read a whole small slide at `mpp`."""
    with open_slide(path) as slide:
        info = slide.info
        width, height = (round(side * info.mpp / mpp) for side in (info.width_px, info.height_px))
        return slide.read(0, 0, width, height, mpp=mpp)


def count_classes(
    path: Path, caller: CellCaller, settings: RealSettings
) -> tuple[dict[str, Any], NDArray[np.uint8], Calls]:
    """Call the cells of one scan; returns counts by block and class as plain JSON, picture and calls."""
    rgb = read_field(path, caller.mpp)
    calls = caller.calls(rgb)
    grid = BlockGrid(rgb.shape[1] * caller.mpp, rgb.shape[0] * caller.mpp, settings.bootstrap.block_um)
    counts = [grid.count(calls.points_um[calls.places == place]) for place in range(len(CLASSES))]
    shape = [grid.rows, grid.columns]
    return {"name": path.name, "shape": shape, "blocks": np.column_stack(counts).tolist()}, rgb, calls


def pair_figures(first: Mapping[str, Any], second: Mapping[str, Any], settings: RealSettings) -> list[Figure]:
    """Compare two scans of the same field; the bootstrap draws blocks of both scans together.

    Parameters
    ----------
    first, second : mapping
        As `count_classes` returns; both fields begin at the same spot.
    settings : RealSettings

    Raises
    ------
    ValueError
        When the scans differ in size.
    """
    if first["shape"] != second["shape"]:
        raise ValueError(f"the two scans differ in size: {first['shape']} and {second['shape']} blocks")
    rows = np.stack([np.array(scan["blocks"], dtype=np.float64) for scan in (first, second)], axis=1)
    counted = int(rows.sum())
    origin = Origin(set_name=SET_NAME, mpp=None, mpp_source="file")
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
