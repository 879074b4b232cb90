"""`cxpath calibrate`: the staining threshold that agrees best with a laboratory's reads; its own scale."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cxpath.runs.calibrate import Calibration


def calibrate(
    reads: Annotated[Path, typer.Argument(help="Table of manual CPS reads, CSV or XLSX.")],
    results: Annotated[list[Path], typer.Argument(help="Results of cxpath score, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The configuration file to write.")] = Path("calibrated.toml"),
    with_map: Annotated[
        bool, typer.Option("--map", help="Fit a rising map from the CPS to your reads, too.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the folds.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a summary.")] = False,
) -> None:
    """Choose the staining threshold by your own reads; the figure comes from nested cross-validation."""
    from cxpath.runs.calibrate import Fit
    from cxpath.runs.calibrate import calibrate as run_calibration
    from cxpath.runs.calibration_file import write_configuration

    found = run_calibration(reads, results, seed, Fit.THRESHOLD_AND_MAP if with_map else Fit.THRESHOLD)
    write_configuration(found, out, overwrite=overwrite)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(found, out)))


def _lines(found: Calibration, out: Path) -> Iterator[str]:
    from cxpath.runs.calibration_file import with_interval
    from cxpath.runs.documents import RESEARCH_USE

    choice, chosen = found.choice, found.map_choice
    yield f"threshold {choice.threshold:g}, before {found.present:g}; {found.cases} cases"
    yield f"  concordance {with_interval(choice.honest)} by nested cross-validation"
    yield f"  before      {choice.present:.3f}; on the cases it was chosen on {choice.apparent:.3f}"
    yield f"  agreement at CPS >= 1: {choice.honest_agreement:.1%}, before {choice.present_agreement:.1%}"
    if chosen:
        verdict = "written" if chosen.helps else "not written: the interval of the difference holds 0"
        yield f"map       {len(chosen.score_map.scores)} points, {verdict}"
        yield f"  concordance {with_interval(chosen.honest)} by nested cross-validation"
        yield f"  without     {with_interval(chosen.unmapped)}; difference {with_interval(chosen.gain, '+')}"
    yield f"written  {out}  (use it with cxpath score --config {out})"
    yield RESEARCH_USE
