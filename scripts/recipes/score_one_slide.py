"""Score one slide and print its CPS with intervals and counts.

Run it as `python scripts/recipes/score_one_slide.py SLIDE [RESULTS_FOLDER]`; copy it and change what you
like.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cxpath
from cxpath.scores.counts import printed_interval

ASSAY = "22c3"  # how the slide was stained: 22c3, 28-8, sp142, sp263 or unknown
DEVICE = "auto"  # a GPU if there is one; "cpu" or "cuda" to insist
MPP = None  # micrometres per pixel, such as 0.25, for a file that does not say


def describe(score: cxpath.SlideScore) -> str:
    """Return the score in a few lines, or the reasons why there is none."""
    if score.cps is None or score.counts is None:
        return "\n".join(["CPS not evaluable", *map(str, score.not_evaluable_because)])
    cps, counts = score.cps, score.counts
    return "\n".join(
        [
            f"CPS {cps.reported}",
            f"{cps.level:.0%} interval of this slide: {printed_interval(*cps.interval_slide)}",
            f"{cps.level:.0%} interval of the tumour: {printed_interval(*cps.interval_tissue)}",
            f"tumour cells: {counts.tumour_positive} positive, {counts.tumour_negative} negative",
            f"lymphocytes and macrophages: {counts.immune_positive} positive and counted",
        ]
    )


def main() -> None:
    """Score the slide named on the command line."""
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python score_one_slide.py SLIDE [RESULTS_FOLDER]")
    slide = Path(sys.argv[1])
    folder = Path(sys.argv[2]) if len(sys.argv) == 3 else Path("cxpath-out") / slide.stem
    try:
        score = cxpath.score_slide(slide, folder, overwrite=True, assay=ASSAY, device=DEVICE, mpp=MPP)
    except cxpath.CxpathError as error:
        sys.exit(f"{error}")
    print(describe(score))
    print(f"report: {folder / 'report.html'}")


if __name__ == "__main__":
    main()
