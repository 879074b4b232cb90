"""`cxpath report`: rebuild a report from a run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(help="A results folder of cxpath score.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Rebuild report.html from the files of a results folder; the slide is not needed."""
    from cxpath.report.build import build_report

    path = build_report(folder)
    print(json.dumps({"report": str(path)}) if as_json else f"report   {path}")
