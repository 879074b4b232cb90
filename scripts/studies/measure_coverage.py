"""Simulate slides of known truth, count how often the intervals hold it, and draw it for docs/scores.md.

    python -m scripts.studies.measure_coverage [SLIDES] [FOLDER] [--seed 2027] [--reader careful bundled]

By default 2,000 slides into docs/images, of calls as a careful reader's and as the bundled model's.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cxpath.app.score_slide import scoring_of
from cxpath.network.model import load_card
from cxpath.scores.settings import ScoringSettings, slide_error_of
from scripts.studies.coverage import (
    CAREFUL,
    Coverage,
    draw_coverage,
    flag_rows,
    run_coverage_study,
    summary_rows,
)

BUNDLED = slide_error_of(scoring_of(load_card("small"), ScoringSettings()))
READERS = {"careful": CAREFUL, "bundled": BUNDLED}
TAILS_BEYOND = (0.025, 0.05, 0.07, 0.1, 0.12, 0.15)


def describe(study: Coverage) -> str:
    """Return the tables of a study as Markdown."""
    lines = [_row("slides", "n", "slide", "tissue", "binomial", "bootstrap", "width, slide", "width, tissue")]
    lines += ["|---|" + "---:|" * 7]
    lines += [_row(name, f"{n:d}", *(f"{x:.3f}" for x in rest)) for name, n, *rest in summary_rows(study)]
    wrong, far = study.other_side(), study.far()
    lines += ["", f"on the other side: {wrong.sum()}; more than twofold away: {far.sum()}", ""]
    lines += [_row("tail beyond", "wrong side flagged", "far flagged", "of many cells"), "|" + "---:|" * 4]
    lines += [_row(*(f"{x:.3f}" for x in row)) for row in flag_rows(study, TAILS_BEYOND)]
    alone = study.flagged_by_counting_alone()[far].mean()
    lines += ["", f"far, flagged of flawless calls on even tissue: {alone:.3f}"]
    return "\n".join([*lines, f"as estimated: {study.error}"])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run the study for each reader and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("slides", nargs="?", type=int, default=2_000)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images"))
    parser.add_argument("--seed", type=int, default=2027)
    parser.add_argument("--reader", nargs="+", choices=READERS, default=tuple(READERS))
    options = parser.parse_args()
    for name in options.reader:
        study = run_coverage_study(options.slides, READERS[name], seed=options.seed)
        print(f"\n## {name}\n\n{describe(study)}", flush=True)
        draw_coverage(study, options.folder / f"coverage-{name}.svg")


if __name__ == "__main__":
    main()
