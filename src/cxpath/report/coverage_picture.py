"""The plot of a coverage study: how often each interval holds its truth, by the tissue's CPS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cxpath.exchange.whole_file import whole_file
from cxpath.scores.coverage import CUTOFFS, Coverage, covered

EDGES = (0.03, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0, 25.0, 100.001)
_SHOWN = (
    ("slide", "this slide's interval, its own CPS", "#1d3a5c", "o"),
    ("tissue", "tumour's interval, the tissue's CPS", "#e67800", "s"),
    ("bootstrap", "percentile bootstrap of fields", "#5a5a5a", "^"),
    ("binomial", "plain binomial", "#0072b2", "x"),
)


def draw_coverage(study: Coverage, path: Path) -> None:
    """Draw the study as SVG.

    Parameters
    ----------
    study : Coverage
    path : Path
        Replaced as a whole; the same study gives the same bytes.
    """
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.axhspan(0.93, 0.97, color="#d9e6f2", lw=0)
    for cutoff in CUTOFFS:
        axes.axvline(cutoff, color="#a34400", lw=0.8, ls="--")
    group = np.digitize(study.tissue_cps, EDGES) - 1
    for name, label, colour, mark in _SHOWN:
        truth = study.slide_cps if name == "slide" else study.tissue_cps
        x, y = _by_group(covered(getattr(study, name), truth), study.tissue_cps, group)
        axes.plot(x, y, color=colour, marker=mark, ms=5, lw=1.2, label=label)
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="true CPS of the tissue", ylabel="share of slides covered")
    axes.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes.set_title(f"{len(study.tumour):,} simulated slides; band: 93 to 97 %", fontsize=9)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    # Element names follow from the salt, else they change from run to run.
    with rc_context({"svg.hashsalt": "cxpath"}), whole_file(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None, "Creator": "cxpath"})


def _by_group(
    hit: NDArray[np.bool_], cps: NDArray[np.float64], group: NDArray[np.int64]
) -> tuple[list[float], list[float]]:
    """Return the geometric mean CPS and the share of hits of each group that holds ten slides or more."""
    groups = [group == number for number in range(len(EDGES) - 1)]
    enough = [own for own in groups if own.sum() >= 10]
    return [float(np.exp(np.log(cps[own]).mean())) for own in enough], [
        float(hit[own].mean()) for own in enough
    ]
