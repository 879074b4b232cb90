"""What a model sees in annotated images: detections beside marks, in windows put together again."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cxpath.cells.probabilities import name_cells, positive_probability
from cxpath.network.architecture import LATTICE_STRIDE_PX
from cxpath.network.detector import Detector
from cxpath.network.device import Device
from cxpath.network.model_store import Model
from cxpath.training.annotations.annotated_field import AnnotatedCells
from cxpath.training.annotations.window_cache import WindowCache
from cxpath.training.annotations.windows import Window, WindowSize
from cxpath.training.observation import take_peaks
from cxpath.training.targets import output_cells
from cxpath.values.stains import StainBasis


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

    Cells just beyond the core count too, unless another window holds them: a mark at its border may have
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
    names = name_cells(kept.kind_logits, calibration)
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
