"""`cxpath doctor`: says whether everything is there and works."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cxpath.cli.exits import FAILED


def doctor(
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check versions, device, OpenSlide and models, and detect the cells of one drawn tile."""
    from dataclasses import asdict

    from cxpath.runs.doctor import examine

    findings = list(examine(device))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        width = max(len(finding.what) for finding in findings)
        for finding in findings:
            print(f"{'ok  ' if finding.fine else 'FAIL'}  {finding.what:{width}}  {finding.found}")
    if not all(finding.fine for finding in findings):
        raise typer.Exit(FAILED)
