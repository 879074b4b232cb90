"""Compare synthetic tissue with real pictures: a table of plain measures and, to look at, a sheet of both.

    python -m scripts.studies.compare_synthetic_with_real --out cxpath-out/evaluation/domain-gap
    [--fields 120] [--seed 5]

CXPATH_DATA names the folder of real pictures. The sheet holds cuts of them: keep it to yourself.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import cv2

from cxpath.evaluation.settings import RealSettings, bundled_settings, evaluation_settings
from scripts.studies.domain_gap import Seen, compare, real_pictures, sheet, synthetic_pictures


def print_table(real: Seen, drawn: Seen) -> None:
    """Print, for each real set, its median, the synthetic range and the share that lies within."""
    print(f"{'set':10s} {'measure':16s} {'real':>7s}   {'drawn 5 %, median, 95 %':26s} within")
    for name, measures in real.measures.items():
        for one in compare(measures, drawn.measures["drawn"]):
            span = "   ".join(f"{value:7.3f}" for value in one.drawn)
            print(f"{name:10s} {one.measure:16s} {one.real:7.3f}   {span:26s} {one.within:5.0%}")


def main() -> None:
    """Read the options, measure, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("cxpath-out/evaluation/domain-gap"))
    parser.add_argument("--fields", type=int, default=120)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    data = Path(os.environ.get("CXPATH_DATA", "../shared/data"))
    if not data.is_dir():
        raise SystemExit(f"{data}: no such folder; set CXPATH_DATA to the folder of real pictures")
    real = real_pictures(data, evaluation_settings(RealSettings, bundled_settings("real")))
    drawn = synthetic_pictures(options.seed, options.fields)
    print_table(real, drawn)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "drawn_and_real.png"
    cv2.imwrite(str(path), sheet(real.squares, drawn.squares)[..., ::-1])
    print(f"sheet      {path} (real above, drawn below; not to be passed on)")


if __name__ == "__main__":
    main()
