"""Measure how well artefacts are found on drawn tissue: dice per class, and the tissue lost on clean fields.

    python -m scripts.studies.measure_artefacts [--fields 20] [--seed 5000] [--overview-mpp 2] [--drawn
    clean fold]

For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

from scripts.studies.artefacts import PAINTERS, FieldResult, interval, measure


def line(results: list[FieldResult]) -> str:
    """Return mean dice and mean share of sound tissue lost, with 95 % bootstrap intervals over fields."""
    dice = np.array([result.dice for result in results])
    dice, lost = dice[np.isfinite(dice)], np.array([result.lost_share for result in results])
    low, high = interval(lost)
    text = f"n {len(results):3d}   lost {lost.mean():7.2%} ({low:.2%} to {high:.2%}), most {lost.max():.2%}"
    if len(dice) == 0 or results[0].drawn == "clean":
        return text
    low, high = interval(dice)
    return f"{text}   dice {dice.mean():.2f} ({low:.2f} to {high:.2f}), n {len(dice)}"


def main() -> None:
    """Read the options, measure, and print a line per class."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fields", type=int, default=20)
    parser.add_argument("--seed", type=int, default=5000)
    parser.add_argument("--overview-mpp", type=float, default=2.0)
    parser.add_argument("--drawn", nargs="+", choices=PAINTERS, default=())
    options = parser.parse_args()
    found: dict[str, list[FieldResult]] = defaultdict(list)
    for result in measure(options.fields, options.seed, options.overview_mpp, options.drawn):
        found[result.drawn].append(result)
    print(f"overview at {options.overview_mpp:g} µm per pixel; dice over tissue, mean over fields")
    for drawn, results in found.items():
        print(f"{drawn:10s} {line(results)}")


if __name__ == "__main__":
    main()
