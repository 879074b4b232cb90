"""Simulate slides of known truth, count how often the intervals hold it, and draw the plot of docs/scores.md.

Run it as `python scripts/coverage_study.py [SLIDES] [FOLDER]`; by default 2,000 slides into docs/images.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from cxpath.report.coverage_picture import draw_coverage
from cxpath.scores.coverage_study import Coverage, run_coverage_study, summary_rows
from cxpath.scores.slide_error import SlideErrorSettings

READERS = {
    "careful": SlideErrorSettings(
        tumour_recall=0.9, tumour_recall_spread=0.3, tumour_specificity=0.9995,
        tumour_specificity_spread=0.7, immune_recall=0.85, immune_recall_spread=0.3,
        immune_specificity=0.997, immune_specificity_spread=0.7, tumour_found=1.0, tumour_found_spread=0.05,
    ),
    "default": SlideErrorSettings(),
}  # fmt: skip
"""How calls go wrong: as a careful reader's might, and as the settings' defaults say."""


def describe(study: Coverage) -> str:
    """Return the tables of a study as Markdown."""
    lines = ["| slides | n | slide | tissue | binomial | bootstrap | width, slide | width, tissue |"]
    lines += ["|---|" + "---:|" * 7]
    lines += [
        f"| {row[0]} | {row[1]} | " + " | ".join(f"{x:.3f}" for x in row[2:]) + " |"
        for row in summary_rows(study)
    ]
    wrong, far, many = study.other_side(), study.far(), study.tumour >= 1_000
    flagged = study.flagged()
    of_far = f"{flagged[far].mean():.3f}; with 1,000 tumour cells or more {flagged[far & many].mean():.3f}"
    lines += ["", f"on the other side: {wrong.sum()}, flagged {study.borderline[wrong].mean():.3f}"]
    alone = np.any(study.counting_alone, axis=1)
    lines += [f"more than twofold away: {far.sum()}, flagged {of_far}"]
    lines += [f"the same of flawless calls on even tissue: {alone[far].mean():.3f}"]
    lines += [f"as estimated: {study.error}"]
    return "\n".join(lines)


def main() -> None:
    """Run the study for each reader and draw the careful one's."""
    slides = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("docs/images")
    for name, error in READERS.items():
        study = run_coverage_study(slides, error, seed=2026)
        print(f"\n## {name}\n\n{describe(study)}")
        draw_coverage(study, folder / f"coverage-{name}.svg")


if __name__ == "__main__":
    main()
