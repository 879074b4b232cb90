"""What all figures of a study share: type, size, colours, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cxpath.exchange.whole_file import whole_file

Floats = NDArray[np.float64]

BLUE, ORANGE, GREY, INK = "#0072b2", "#c75b00", "#6b7680", "#15202b"
BAND_BLUE = "#cfe3f1"
COLUMN_INCHES = 3.5
"""The width of a journal's column."""

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 9,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "cxpath",
    "pdf.fonttype": 42,
}
TICKS = (0, 1, 3, 10, 30, 100)
"""Scores marked on an axis of log10(score + 1)."""


@contextmanager
def drawing(width: float = COLUMN_INCHES, height: float = COLUMN_INCHES) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure of one pair of axes in the house's style."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots()


def score_axes(axes: Axes, *, largest: float) -> None:
    """Make both axes equal and logarithmic in score + 1."""
    for side in (axes.set_xscale, axes.set_yscale):
        side("function", functions=(log_place, score_at))
    ticks = [tick for tick in TICKS if tick <= max(largest, 3)]
    axes.set(xlim=(-0.06, largest * 1.12 + 0.1), ylim=(-0.06, largest * 1.12 + 0.1))
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_aspect("equal", adjustable="box")


def log_place(scores: Floats) -> Floats:
    """Return where scores lie on an axis of log10(score + 1)."""
    places: Floats = np.log10(np.maximum(scores, -0.9) + 1)
    return places


def score_at(places: Floats) -> Floats:
    """Return the scores at places of such an axis."""
    scores: Floats = 10.0**places - 1
    return scores


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write a figure as SVG and PDF, the same bytes for the same study; returns the SVG."""
    with rc_context(_STYLE):
        for kind, metadata in (
            ("svg", {"Date": None, "Creator": "cxpath"}),
            ("pdf", {"CreationDate": None, "Creator": "cxpath", "Producer": None}),
        ):
            with whole_file(folder / f"{name}.{kind}") as partial:
                figure.savefig(partial, format=kind, metadata=metadata)
    return folder / f"{name}.svg"
