"""The picture of docs/performance.md from the figures that `make bench` kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from benchmarks.bench import OUT

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#999999"
NAMES = {
    "openslide + box": "OpenSlide + box",
    "tiffslide": "tiffslide",
    "fastslide": "fastslide",
    "cucim": "cuCIM (CPU)",
    "cxpath": "cxpath",
    "bare half-scale decode": "bare decoding",
}


def draw(figures: dict[str, Any], path: Path) -> None:
    """Draw reading speed by reader, and peak memory by slide size."""
    plt.rcParams.update(
        {"font.size": 9, "svg.hashsalt": "cxpath", "axes.spines.top": False, "axes.spines.right": False}
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.0), width_ratios=(3, 2), layout="constrained")
    _reading(left, figures["readers"]["figures"]["Q70 4:2:0"])
    _memory(right, figures["memory"]["figures"])
    figure.savefig(path, metadata={"Date": None})


def _reading(axes: Any, speeds: dict[str, float]) -> None:
    shown = [name for name in NAMES if name in speeds]
    colours = [ORANGE if name == "cxpath" else GREY if name.startswith("bare") else BLUE for name in shown]
    bars = axes.barh([NAMES[name] for name in shown], [speeds[name] for name in shown], color=colours)
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set_xlabel("Mpx/s at 0.5 µm per pixel, one thread (JPEG Q70 4:2:0)")
    axes.margins(x=0.12)


def _memory(axes: Any, peaks: dict[str, dict[str, float]]) -> None:
    sides = sorted(peaks, key=int)
    x = [int(side) / 1000 for side in sides]
    axes.plot(x, [peaks[side]["peak_mb"] for side in sides], "o-", color=ORANGE, label="peak of a run")
    axes.plot(x, [peaks[side]["libraries_mb"] for side in sides], "s--", color=GREY, label="libraries alone")
    axes.set_xscale("log")
    axes.set_xticks(x, [f"{value:.0f}" for value in x], minor=False)
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("side of the slide, thousand px at 0.25 µm")
    axes.set_ylabel("memory, MB")
    axes.legend(frameon=False)


if __name__ == "__main__":
    draw(
        json.loads(OUT.read_text()), Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/performance.svg")
    )
