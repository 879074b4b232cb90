"""Figures of an agreement study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cxpath.agreement import level_names
from cxpath.documents import OnestEntry, PairwiseEntry, StatisticEntry
from cxpath.io import atomic_write

# What all figures of a study share: type, size, colours, and how they are saved.


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
            with atomic_write(folder / f"{name}.{kind}") as partial:
                figure.savefig(partial, format=kind, metadata=metadata)
    return folder / f"{name}.svg"


# Figures of one comparison: Bland-Altman, Passing-Bablok, scatter with cut-offs, confusion.


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
    statistics : mapping of (key, scale) to StatisticEntry
    """

    x: Floats
    y: Floats
    reference: str
    compared: str
    score: str
    cutoffs: tuple[float, ...]
    statistics: Mapping[tuple[str, str], StatisticEntry]

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
            if one is None or one.estimate is None:
                continue
            band = finite_ends(one)
            if band:
                axes.axhspan(*band, color=BAND_BLUE, alpha=0.6, lw=0)
            axes.axhline(one.estimate, color=BLUE, ls=style, lw=1.1)
            axes.annotate(
                f"{'bias' if key == 'bias' else 'limit'} {one.estimate:.2f}".replace("-", "−"),
                (1.01, one.estimate),
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
        steep = slope.estimate if slope else None
        start = intercept.estimate if intercept else None
        if slope and intercept and steep is not None and start is not None:
            line = start + steep * along
            edges = [_corner(slope, intercept, end, line, along) for end in (0, 1)]
            axes.fill_between(along, np.minimum(*edges), np.maximum(*edges), color=BAND_BLUE, lw=0)
            sign = "+" if start >= 0 else "−"
            label = f"y = {steep:.2f} x {sign} {abs(start):.2f}"
            axes.plot(along, line, color=BLUE, lw=1.2, label=label)
        axes.scatter(pair.x, pair.y, s=14, facecolors="none", edgecolors=INK, linewidths=0.7, zorder=3)
        axes.set(xlim=(-1, pair.largest * 1.05), ylim=(-1, pair.largest * 1.05))
        axes.set_aspect("equal", adjustable="box")
        _names(axes, pair)
        axes.legend(frameon=False, loc="upper left")
        return save(figure, folder, name)


def _corner(
    slope: StatisticEntry, intercept: StatisticEntry, end: int, line: Floats, along: Floats
) -> Floats:
    """Return the line of one end of the slope's interval and the opposite end of the intercept's."""
    steep = slope.interval[end] if slope.interval else None
    start = intercept.interval[1 - end] if intercept.interval else None
    if steep is None or start is None:
        return line
    corner: Floats = start + steep * along
    return corner


def finite_ends(one: StatisticEntry) -> tuple[float, float] | None:
    """Return both ends of a statistic's interval; None where there is none, or an end is infinite."""
    low, high = one.interval or (None, None)
    return None if low is None or high is None else (low, high)


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


# Figures of many readers: heat map of pairs, ONEST curve, forest plot by subgroup.


_MARKS = ("o", "s", "^", "D", "v", "P")
_NAME_LENGTH = 16


def heat_map_figure(pairwise: PairwiseEntry, folder: Path, name: str) -> Path:
    """Draw the measure between every two readers; readers in order of their mean."""
    values = np.array([[np.nan if v is None else v for v in row] for row in pairwise.values], dtype=float)
    readers = len(values)
    np.fill_diagonal(values, np.nan)
    order = np.argsort(-np.nanmean(np.where(np.isnan(values).all(axis=1)[:, None], 0, values), axis=1))
    values = values[np.ix_(order, order)]
    what, all_names = short_names(pairwise.readers)
    names = [all_names[place] for place in order]
    side = min(max(2.8, 0.9 + readers * (0.26 if readers <= 12 else 0.11)), 7.2)
    with drawing(width=side + 0.9, height=side) as (figure, axes):
        low = min(np.floor(np.nanmin(values) * 10) / 10, 0.9) if np.isfinite(values).any() else 0
        picture = axes.imshow(values, cmap="cividis", vmin=low, vmax=1)
        size = 7.5 if readers <= 12 else 6.5
        upright = 0 if readers <= 12 and max(map(len, names)) <= 3 else 90
        axes.set_xticks(range(readers), names, rotation=upright, fontsize=size)
        axes.set_yticks(range(readers), names, fontsize=size)
        axes.set(xlabel=what, ylabel=what)
        axes.tick_params(length=0)
        for one in axes.spines.values():
            one.set_visible(False)
        if readers <= 12:
            for row, column in np.ndindex(readers, readers):
                if np.isfinite(values[row, column]):
                    dark = values[row, column] < (low + 1) / 2
                    axes.text(
                        column,
                        row,
                        f"{values[row, column]:.2f}",
                        ha="center",
                        va="center",
                        fontsize=6.5,
                        color="white" if dark else INK,
                    )
        figure.colorbar(picture, ax=axes, shrink=0.7, label=f"{pairwise.measure}, {pairwise.place}")
        return save(figure, folder, name)


def short_names(readers: Sequence[str]) -> tuple[str, list[str]]:
    """Return what all names begin with, for the axis, and the rest of each: "reader" and "1", "2", ...

    Parameters
    ----------
    readers : sequence of str
        Where one is the beginning of all others, or nothing is shared, names stay whole.
    """
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*readers, strict=False))
    common = "".join(signs[0] for signs in alike).rstrip("0123456789")
    rest = [reader[len(common) :] for reader in readers]
    if not common or not all(rest):
        common, rest = "", list(readers)
    return common.strip(" _-"), [_short(name) for name in rest]


def _short(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"


def onest_figure(curves: Sequence[OnestEntry], folder: Path, name: str) -> Path:
    """Draw agreement of all readers against the number of readers, one curve a cut-off."""
    with drawing(width=4.4, height=3.1) as (figure, axes):
        for place, curve in enumerate(curves):
            colour = (BLUE, ORANGE, GREY, INK)[place % 4]
            readers, mean = np.array(curve.readers), numbers_of(curve.mean)
            order = numbers_of(curve.order_low), numbers_of(curve.order_high)
            axes.fill_between(readers, *order, color=colour, alpha=0.15, lw=0)
            label = curve.cutoff
            if any(other.missing != curve.missing for other in curves):
                label += f", {curve.missing}"
            axes.plot(readers, mean, color=colour, marker=_MARKS[place % 6], ms=3, lw=1.1, label=label)
            if curve.low[-1] is not None:
                low, high = numbers_of(curve.low), numbers_of(curve.high)
                apart = [[abs(mean[-1] - low[-1])], [abs(mean[-1] - high[-1])]]
                axes.errorbar(readers[-1], mean[-1], apart, color=colour, capsize=2.5, lw=1)
        axes.set(ylim=(0, 1.02), xlabel="number of readers", ylabel="cases on which all agree")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
        axes.legend(frameon=False, title="cut-off", title_fontsize=7.5)
        return save(figure, folder, name)


def forest_figure(statistics: Sequence[StatisticEntry], folder: Path, name: str) -> Path:
    """Draw the main figures of all cases and of every subgroup, with intervals."""
    panels = list(dict.fromkeys(_panel(one) for one in statistics))
    groups = list(dict.fromkeys(group_of(one) for one in statistics))
    height = 0.9 + 0.24 * len(groups)
    with drawing(width=2.0 + 1.9 * len(panels), height=height) as (figure, axes):
        axes.remove()
        sides = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for side, panel in zip(sides, panels, strict=True):
            for place, group in enumerate(groups):
                own = [s for s in statistics if _panel(s) == panel and group_of(s) == group]
                if not own or own[0].estimate is None:
                    continue
                one, estimate = own[0], own[0].estimate
                low, high = finite_ends(one) or (estimate, estimate)
                whole = group[0] == "all"
                side.plot([low, high], [place, place], color=INK if whole else BLUE, lw=1.3)
                side.plot(
                    estimate,
                    place,
                    "D" if whole else "s",
                    color=INK if whole else BLUE,
                    ms=5 if whole else 4,
                )
            side.axvspan(*_interval_of_all(statistics, panel), color=BAND_BLUE, alpha=0.5, lw=0, zorder=0)
            side.set_xlabel(panel)
            side.set_ylim(len(groups) - 0.5, -0.5)
            side.tick_params(axis="y", length=0)
        counts = {group_of(s): s.n for s in statistics}
        labels = [
            f"{level if grouping == 'all' else f'{grouping}: {level}'} (n {counts[grouping, level]})"
            for grouping, level in groups
        ]
        sides[0].set_yticks(range(len(groups)), labels)
        return save(figure, folder, name)


def numbers_of(values: Sequence[float | None]) -> Floats:
    """Return numbers to draw; NaN where one is not known."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def group_of(one: StatisticEntry) -> tuple[str, str]:
    """Return grouping and subgroup of a statistic."""
    return one.grouping or "", one.subgroup or ""


def _panel(one: StatisticEntry) -> str:
    return f"{one.label}\n{one.place}"


def _interval_of_all(statistics: Sequence[StatisticEntry], panel: str) -> tuple[float, float]:
    for one in statistics:
        if one.grouping == "all" and _panel(one) == panel and (ends := finite_ends(one)):
            return ends
    return 0.0, 0.0
