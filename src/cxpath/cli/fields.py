"""`cxpath fields`: viable tumour cells of every field, and where to look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.printing import print_json


def fields(
    folder: Annotated[Path, typer.Argument(help="A results folder of cxpath score.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the CSV to this file instead of printing it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of CSV.")] = False,
) -> None:
    """List the fields of a scored slide with their viable tumour cells, most first: a denominator by eye.

    Places are in level-0 pixels and in micrometres from the slide's top left corner.
    """
    from cxpath.exchange.whole_file import whole_file
    from cxpath.runs.field_table import field_csv, field_document, field_rows

    rows = field_rows(folder)
    if out:
        with whole_file(out) as partial:
            partial.write_text(field_csv(rows), encoding="utf-8")
    if as_json:
        print_json(field_document(rows))
    elif out:
        print(f"fields   {out}  ({len(rows)} with viable tumour cells)")
    else:
        print(field_csv(rows), end="")
