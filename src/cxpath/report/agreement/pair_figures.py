"""Figures of one comparison: Bland-Altman, Passing-Bablok, scatter with cut-offs, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cxpath.agreement.comparison import level_names
from cxpath.report.agreement.drawing import (
    BAND_BLUE,
    BLUE,
    GREY,
    INK,
    ORANGE,
    TICKS,
    drawing,
    log_place,
    save,
    score_at,
    score_axes,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Compared:
    """What the figures of a comparison are drawn from.

    Parameters
    ----------
    x, y : float64 array, (N,)
        Reference and compared, cases with both.
    reference, compared : str
    score : str
    cutoffs : tuple of float
    statistics : mapping of (key, scale) to mapping
        Entries of `agreement.json`.
    """

    x: Floats
    y: Floats
    reference: str
    compared: str
    score: str
    cutoffs: tuple[float, ...]
    statistics: Mapping[tuple[str, str], Mapping[str, Any]]

    @property
    def largest(self) -> float:
        """The largest score."""
        return float(max(self.x.max(), self.y.max(), 3.0))


def bland_altman_figure(pair: Compared, folder: Path, name: str, *, ratio: bool) -> Path:
    """Draw differences, or ratios of (score + 1), against the mean, with limits and their intervals."""
    scale = "log10(score + 1)" if ratio else "raw"
    kind = "ratio" if ratio else "raw"
    with drawing(width=4.6, height=3.3) as (figure, axes):
        if ratio:
            mean = np.sqrt((pair.x + 1) * (pair.y + 1)) - 1
            apart = (pair.y + 1) / (pair.x + 1)
            axes.set_yscale("log")
            axes.set_xscale("function", functions=(log_place, score_at))
            axes.set_xticks([tick for tick in TICKS if tick <= pair.largest])
        else:
            mean, apart = (pair.x + pair.y) / 2, pair.y - pair.x
        for key, style in (("limit_high", "--"), ("bias", "-"), ("limit_low", "--")):
            one = pair.statistics.get((f"bland_altman_{kind}_{key}", scale))
            if one is None or one["estimate"] is None:
                continue
            low, high = one["interval"]
            axes.axhspan(low, high, color=BAND_BLUE, alpha=0.6, lw=0)
            axes.axhline(one["estimate"], color=BLUE, ls=style, lw=1.1)
            axes.annotate(
                f"{'bias' if key == 'bias' else 'limit'} {one['estimate']:.2f}".replace("-", "−"),
                (1.01, one["estimate"]),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=7.5,
                color=BLUE,
            )
        axes.axhline(1 if ratio else 0, color=GREY, lw=0.7)
        axes.scatter(mean, apart, s=14, facecolors="none", edgecolors=INK, linewidths=0.7, zorder=3)
        if ratio:
            ticks = [
                t
                for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
                if apart.min() * 0.6 <= t <= apart.max() * 1.6
            ]
            axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
            axes.minorticks_off()
        what = "geometric mean of both" if ratio else "mean of both"
        axes.set_xlabel(f"{pair.score}, {what}")
        axes.set_ylabel(f"ratio of ({pair.score} + 1)" if ratio else f"difference of {pair.score}")
        return save(figure, folder, name)


def passing_bablok_figure(pair: Compared, folder: Path, name: str) -> Path:
    """Draw the line with the band that its slope's and intercept's intervals span."""
    slope = pair.statistics.get(("passing_bablok_slope", "raw"))
    intercept = pair.statistics.get(("passing_bablok_intercept", "raw"))
    with drawing() as (figure, axes):
        along = np.linspace(0, pair.largest * 1.05, 200)
        axes.plot(along, along, color=GREY, lw=0.8, ls=":", label="identity")
        if slope and intercept:
            line = intercept["estimate"] + slope["estimate"] * along
            edges = [_corner(slope, intercept, end, along) for end in (0, 1)]
            axes.fill_between(along, np.minimum(*edges), np.maximum(*edges), color=BAND_BLUE, lw=0)
            sign = "+" if intercept["estimate"] >= 0 else "−"
            label = f"y = {slope['estimate']:.2f} x {sign} {abs(intercept['estimate']):.2f}"
            axes.plot(along, line, color=BLUE, lw=1.2, label=label)
        axes.scatter(pair.x, pair.y, s=14, facecolors="none", edgecolors=INK, linewidths=0.7, zorder=3)
        axes.set(xlim=(-1, pair.largest * 1.05), ylim=(-1, pair.largest * 1.05))
        axes.set_aspect("equal", adjustable="box")
        _names(axes, pair)
        axes.legend(frameon=False, loc="upper left")
        return save(figure, folder, name)


def _corner(slope: Mapping[str, Any], intercept: Mapping[str, Any], end: int, along: Floats) -> Floats:
    """Return the line of one end of the slope's interval and the opposite end of the intercept's."""
    steep, start = slope["interval"][end], intercept["interval"][1 - end]
    if steep is None or start is None:
        steep, start = slope["estimate"], intercept["estimate"]
    line: Floats = start + steep * along
    return line


def scatter_figure(pair: Compared, folder: Path, name: str) -> Path:
    """Draw both scores with the cut-offs; a case on different sides of one is a filled triangle."""
    with drawing() as (figure, axes):
        score_axes(axes, largest=pair.largest)
        for cutoff in pair.cutoffs:
            axes.axvline(cutoff, color=ORANGE, lw=0.8, ls="--")
            axes.axhline(cutoff, color=ORANGE, lw=0.8, ls="--")
        ends = np.array([0, pair.largest * 1.1])
        axes.plot(ends, ends, color=GREY, lw=0.8, ls=":")
        apart = np.any([(pair.x >= c) != (pair.y >= c) for c in pair.cutoffs], axis=0)
        axes.scatter(
            pair.x[~apart],
            pair.y[~apart],
            s=14,
            facecolors="none",
            edgecolors=BLUE,
            linewidths=0.8,
            label="same side",
        )
        axes.scatter(
            pair.x[apart],
            pair.y[apart],
            s=18,
            marker="^",
            color=ORANGE,
            lw=0,
            label="other side of a cut-off",
        )
        _names(axes, pair)
        axes.legend(loc="lower right", handletextpad=0.2, edgecolor="none", framealpha=0.9, borderpad=0.2)
        return save(figure, folder, name)


def confusion_figure(pair: Compared, folder: Path, name: str) -> Path:
    """Draw the cross table of levels: numbers, with shades for shares of the reference's level."""
    levels = level_names(pair.cutoffs).split(" / ") if len(pair.cutoffs) > 1 else _two_levels(pair.cutoffs[0])
    q = len(levels)
    table = np.zeros((q, q), dtype=int)
    of_x, of_y = (np.sum([side >= c for c in pair.cutoffs], axis=0) for side in (pair.x, pair.y))
    np.add.at(table, (of_x, of_y), 1)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    with drawing(width=3.3, height=3.0) as (figure, axes):
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1.15)
        for row, column in np.ndindex(q, q):
            dark = share[row, column] > 0.6
            text = f"{table[row, column]}\n{100 * share[row, column]:.0f} %"
            axes.text(column, row, text, ha="center", va="center", color="white" if dark else INK, fontsize=8)
        axes.set_xticks(range(q), levels)
        axes.set_yticks(range(q), levels)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_xlabel(f"{pair.score} of {pair.compared}")
        axes.set_ylabel(f"{pair.score} of {pair.reference}")
        return save(figure, folder, name)


def _two_levels(cutoff: float) -> Sequence[str]:
    return [f"< {cutoff:g}", f"≥ {cutoff:g}"]


def _names(axes: Axes, pair: Compared) -> None:
    axes.set_xlabel(f"{pair.score} of {pair.reference}")
    axes.set_ylabel(f"{pair.score} of {pair.compared}")
