"""Estimate how a model's calls go wrong from slide to slide, from what `cxpath evaluate` counted.

Run it as `python scripts/fit_slide_error.py EVALUATION_FOLDER [ARM]`; the folder is the `--out` of `cxpath
evaluate --set synthetic`, the arm "held_out". Prints the section [scoring.slide_error] of a configuration,
and the same as metrics of a model card. For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from cxpath.scores.slide_error import METRIC_PREFIX, RATES
from cxpath.scores.slide_error_fit import fit_slide_error

FEWEST_SLIDES = 10


def tables(folder: Path, arm: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return truth against call of each slide of an arm, (slides, 6, 6)."""
    items = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "items").glob("*.json"))
    ]
    return np.array([item["table"] for item in items if item.get("arm") == arm and "table" in item])


def main() -> None:
    """Print the error term."""
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python fit_slide_error.py EVALUATION_FOLDER [ARM]")
    folder, arm = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else "held_out"
    counted = tables(folder, arm)
    if len(counted) < FEWEST_SLIDES:
        sys.exit(f"{folder}: {len(counted)} slides of arm {arm!r}; at least {FEWEST_SLIDES} are needed")
    error = fit_slide_error(counted)
    print("[scoring.slide_error]")
    for name, value in error.model_dump().items():
        print(f"{name} = {value}")
    method = f"maximum likelihood over {len(counted)} held-out drawn slides"
    for name in RATES:
        value = getattr(error, name)
        print(
            f"\n[metrics.{METRIC_PREFIX}{name}]\nvalue = {value}\ncount = {len(counted)}\nmethod = {method!r}"
        )


if __name__ == "__main__":
    main()
