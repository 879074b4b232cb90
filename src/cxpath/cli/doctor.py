"""`cxpath doctor`: says whether everything is there and works."""

from __future__ import annotations

import typer

from cxpath.cli.exits import FAILED
from cxpath.cli.printing import JsonOption, print_document
from cxpath.cli.scoring_options import DeviceOption


def doctor(
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Check versions, device, OpenSlide and models, and detect the cells of one drawn tile."""
    from dataclasses import asdict

    from cxpath.runs.doctor import examine

    findings = list(examine(device))
    width = max(len(finding.what) for finding in findings)
    lines = (f"{'ok  ' if one.fine else 'FAIL'}  {one.what:{width}}  {one.found}" for one in findings)
    print_document([asdict(one) for one in findings], lines, as_json=as_json)
    if not all(finding.fine for finding in findings):
        raise typer.Exit(FAILED)
