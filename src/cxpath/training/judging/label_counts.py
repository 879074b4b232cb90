"""How the calls of one labelled picture meet its labels, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.matching import match_points
from cxpath.training.judging.blocks import BlockGrid
from cxpath.training.judging.calls import Calls, CellCaller
from cxpath.training.judging.label_forms import LabelFiles, LabelledImage, read_labels
from cxpath.training.judging.real_settings import LabelledSet, RealSettings
from cxpath.values.cell_table import Kind

COLUMNS = (
    "labels",
    "detections",
    "pairs",
    "detections_all",
    "pairs_all",
    "brown_found",
    "brown_called",
    "tumour_found",
    "tumour_called",
)
"""What is counted in each block: `detections` and `pairs` are of the kinds that the set counts."""


def count_labels(
    files: LabelFiles, wanted: LabelledSet, caller: CellCaller, settings: RealSettings
) -> tuple[dict[str, Any], NDArray[np.uint8], Calls]:
    """Call the cells of one labelled picture; returns counts as plain JSON, the picture and the calls."""
    image = read_labels(files, wanted.form, image_mpp=wanted.mpp, mpp=caller.mpp)
    calls = caller.calls(image.rgb)
    blocks = block_counts(image, calls, wanted, settings, caller.mpp)
    return {"name": files.name, "blocks": blocks.tolist()}, image.rgb, calls


def block_counts(
    image: LabelledImage, calls: Calls, wanted: LabelledSet, settings: RealSettings, mpp: float
) -> NDArray[np.int64]:
    """Return counts by block, (blocks, len(COLUMNS)); a pair belongs to the block of its label.

    A detection without a label belongs to its own block, one with a label to the label's.
    """
    height, width = image.rgb.shape[:2]
    grid = BlockGrid(width * mpp, height * mpp, settings.bootstrap.block_um)
    labels = image.points_px * mpp
    pairs = match_points(labels, calls.points_um, settings.match_radius_um)
    counted = calls if wanted.counted == "any" else calls.take(calls.kind != Kind.OTHER)
    counted_pairs = match_points(labels, counted.points_um, settings.match_radius_um)
    brown = np.array([name == wanted.brown for name in image.classes], dtype=bool)
    brown_pairs = pairs[brown[pairs[:, 0]]]
    called = calls.tumour_positive[brown_pairs[:, 1]]
    tumour = np.array([name in wanted.tumour for name in image.classes], dtype=bool)
    tumour_pairs = pairs[tumour[pairs[:, 0]]]
    named = calls.kind[tumour_pairs[:, 1]] == Kind.TUMOUR
    return np.column_stack(
        [
            grid.count(labels),
            _detections(grid, labels, counted, counted_pairs),
            grid.count(labels[counted_pairs[:, 0]]),
            _detections(grid, labels, calls, pairs),
            grid.count(labels[pairs[:, 0]]),
            grid.count(labels[brown_pairs[:, 0]]),
            grid.count(labels[brown_pairs[called, 0]]),
            grid.count(labels[tumour_pairs[:, 0]]),
            grid.count(labels[tumour_pairs[named, 0]]),
        ]
    )


def _detections(
    grid: BlockGrid, labels: NDArray[np.float64], calls: Calls, pairs: NDArray[np.int64]
) -> NDArray[np.int64]:
    place = calls.points_um.copy()
    place[pairs[:, 1]] = labels[pairs[:, 0]]
    return grid.count(place)
