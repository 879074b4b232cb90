"""Compare cxpath's scores with manual reads: the report, and the few figures that a paper quotes.

Run it as `python scripts/recipes/compare_with_manual_reads.py READS.csv RESULTS_FOLDER STUDY_FOLDER`.
RESULTS_FOLDER
holds the results folders of cxpath score; slides are found by name. `cxpath agree init` writes a table to
fill in. For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cxpath

SCORE = "CPS"
QUOTED = [  # key, which part of the study, and at which cut-off or on which scale
    ("icc_a1", {"analysis": "between readers", "scale": "log10(score + 1)"}),
    ("ccc", {"analysis": "comparison", "scale": "log10(score + 1)"}),
    ("opa", {"analysis": "comparison", "cutoff": "≥ 1"}),
    ("ppa", {"analysis": "comparison", "cutoff": "≥ 1"}),
    ("npa", {"analysis": "comparison", "cutoff": "≥ 1"}),
    ("ac1", {"analysis": "comparison", "cutoff": "≥ 1"}),
    ("difference_opa_consensus", {"cutoff": "≥ 1"}),
]


def quoted(study: cxpath.AgreementStudy) -> list[str]:
    """Return a line for each figure that the study could compute."""
    lines = []
    for key, context in QUOTED:
        one = study.find(key, **context)
        if one is None:
            continue
        interval = f"{one.intervals[0].low:.3f} to {one.intervals[0].high:.3f}" if one.intervals else ""
        lines.append(
            f"{context.get('analysis', ''):16} {one.label:32} {one.value:.3f}  {interval}  {one.note}"
        )
    return lines


def main() -> None:
    """Read the table and the results named on the command line and write the study."""
    if len(sys.argv) != 4:
        sys.exit("usage: python compare_with_manual_reads.py READS.csv RESULTS_FOLDER STUDY_FOLDER")
    reads, results, out = (Path(word) for word in sys.argv[1:])
    try:
        study = cxpath.compare_reads(reads, out, results=[results], score=SCORE, overwrite=True)
    except cxpath.CxpathError as error:
        sys.exit(f"{error}")
    print("\n".join(quoted(study)))
    print("\n".join(f"warning: {warning}" for warning in study.warnings))
    print(f"report: {out / 'report.html'}")


if __name__ == "__main__":
    main()
