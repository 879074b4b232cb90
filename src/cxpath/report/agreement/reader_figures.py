"""Figures of many readers: heat map of pairs, ONEST curve, forest plot by subgroup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from cxpath.report.agreement.drawing import BAND_BLUE, BLUE, GREY, INK, ORANGE, drawing, save

_MARKS = ("o", "s", "^", "D", "v", "P")
_NAME_LENGTH = 16


def heat_map_figure(pairwise: Mapping[str, Any], folder: Path, name: str) -> Path:
    """Draw the measure between every two readers; readers in order of their mean."""
    values = np.array([[np.nan if v is None else v for v in row] for row in pairwise["values"]], dtype=float)
    readers = len(values)
    np.fill_diagonal(values, np.nan)
    order = np.argsort(-np.nanmean(np.where(np.isnan(values).all(axis=1)[:, None], 0, values), axis=1))
    values = values[np.ix_(order, order)]
    what, all_names = short_names(pairwise["readers"])
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
        where = pairwise.get("cutoff") or pairwise.get("scale", "")
        figure.colorbar(picture, ax=axes, shrink=0.7, label=f"{pairwise['measure']}, {where}")
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


def onest_figure(curves: Sequence[Mapping[str, Any]], folder: Path, name: str) -> Path:
    """Draw agreement of all readers against the number of readers, one curve a cut-off."""
    with drawing(width=4.4, height=3.1) as (figure, axes):
        for place, curve in enumerate(curves):
            colour = (BLUE, ORANGE, GREY, INK)[place % 4]
            readers = np.array(curve["readers"])
            axes.fill_between(
                readers, curve["order_low"], curve["order_high"], color=colour, alpha=0.15, lw=0
            )
            label = f"{curve['cutoff']}"
            if any(other["missing"] != curve["missing"] for other in curves):
                label += f", {curve['missing']}"
            axes.plot(
                readers, curve["mean"], color=colour, marker=_MARKS[place % 6], ms=3, lw=1.1, label=label
            )
            if curve["low"][-1] is not None:
                below, above = (abs(curve["mean"][-1] - curve[end][-1]) for end in ("low", "high"))
                axes.errorbar(
                    readers[-1], curve["mean"][-1], [[below], [above]], color=colour, capsize=2.5, lw=1
                )
        axes.set(ylim=(0, 1.02), xlabel="number of readers", ylabel="cases on which all agree")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
        axes.legend(frameon=False, title="cut-off", title_fontsize=7.5)
        return save(figure, folder, name)


def forest_figure(statistics: Sequence[Mapping[str, Any]], folder: Path, name: str) -> Path:
    """Draw the main figures of all cases and of every subgroup, with intervals."""
    panels = list(dict.fromkeys(_panel(one) for one in statistics))
    groups = list(dict.fromkeys((one["grouping"], one["subgroup"]) for one in statistics))
    height = 0.9 + 0.24 * len(groups)
    with drawing(width=2.0 + 1.9 * len(panels), height=height) as (figure, axes):
        axes.remove()
        sides = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for side, panel in zip(sides, panels, strict=True):
            for place, group in enumerate(groups):
                own = [
                    s for s in statistics if _panel(s) == panel and (s["grouping"], s["subgroup"]) == group
                ]
                if not own or own[0]["estimate"] is None:
                    continue
                one = own[0]
                low, high = one["interval"] or (one["estimate"], one["estimate"])
                whole = group[0] == "all"
                side.plot([low, high], [place, place], color=INK if whole else BLUE, lw=1.3)
                side.plot(
                    one["estimate"],
                    place,
                    "D" if whole else "s",
                    color=INK if whole else BLUE,
                    ms=5 if whole else 4,
                )
            side.axvspan(*_interval_of_all(statistics, panel), color=BAND_BLUE, alpha=0.5, lw=0, zorder=0)
            side.set_xlabel(panel)
            side.set_ylim(len(groups) - 0.5, -0.5)
            side.tick_params(axis="y", length=0)
        counts = {(s["grouping"], s["subgroup"]): s["n"] for s in statistics}
        labels = [
            f"{level if grouping == 'all' else f'{grouping}: {level}'} (n {counts[grouping, level]})"
            for grouping, level in groups
        ]
        sides[0].set_yticks(range(len(groups)), labels)
        return save(figure, folder, name)


def _panel(one: Mapping[str, Any]) -> str:
    where = one.get("cutoff") or one.get("scale", "")
    return f"{one['label']}\n{where}"


def _interval_of_all(statistics: Sequence[Mapping[str, Any]], panel: str) -> tuple[float, float]:
    for one in statistics:
        if one["grouping"] == "all" and _panel(one) == panel and one["interval"]:
            low, high = one["interval"]
            return low, high
    return 0.0, 0.0
