"""`cxpath report`: rebuild a report from a run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.printing import JsonOption, print_document


def report(
    folder: Annotated[Path, typer.Argument(help="A results folder of cxpath score.")],
    as_json: JsonOption = False,
) -> None:
    """Rebuild report.html from the files of a results folder; the slide is not needed."""
    from cxpath.report.build import build_report

    path = build_report(folder)
    print_document({"report": str(path)}, [f"report   {path}"], as_json=as_json)
