"""`cxpath calibrate`: the staining threshold that agrees best with a laboratory's reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def calibrate(
    reads: Annotated[Path, typer.Argument(help="Table of manual CPS reads, CSV or XLSX.")],
    results: Annotated[list[Path], typer.Argument(help="Results of cxpath score, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The configuration file to write.")] = Path("calibrated.toml"),
    seed: Annotated[int, typer.Option(help="Of the folds.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a summary.")] = False,
) -> None:
    """Choose the staining threshold by your own reads; the figure comes from nested cross-validation."""
    from cxpath.runs.calibrate import calibrate as run_calibration
    from cxpath.runs.calibrate import write_configuration
    from cxpath.runs.documents import RESEARCH_USE

    found = run_calibration(reads, results, seed)
    write_configuration(found, out, overwrite=overwrite)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        return
    choice = found.choice
    interval = choice.honest.intervals[0] if choice.honest.intervals else None
    edges = f" ({interval.low:.3f} to {interval.high:.3f})" if interval else ""
    print(f"threshold {choice.threshold:g}, before {found.present:g}; {found.cases} cases")
    print(f"  concordance {choice.honest.value:.3f}{edges} by nested cross-validation")
    print(f"  before      {choice.present:.3f}; on the cases it was chosen on {choice.apparent:.3f}")
    print(f"  agreement at CPS >= 1: {choice.honest_agreement:.1%}, before {choice.present_agreement:.1%}")
    print(f"written  {out}  (use it with cxpath score --config {out})")
    print(RESEARCH_USE)
