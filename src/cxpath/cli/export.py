"""`cxpath export`: a result for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.output import JsonOption, print_document, require_files


class Format(StrEnum):
    """Choices of `--format`."""

    H5AD = "h5ad"
    DICOM = "dicom"
    QUPATH = "qupath"


def export(
    folder: Annotated[Path, typer.Argument(help="A results folder of cxpath score.")],
    formats: Annotated[
        list[Format],
        typer.Option("--format", help="h5ad (AnnData), dicom (annotations and report) or qupath (overlay)."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files.", show_default="the results folder")
    ] = None,
    slide: Annotated[
        Path | None, typer.Option(help="A file of the DICOM series that was scored, to refer to.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier files.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a result for other programs: AnnData, DICOM, or an overlay for QuPath."""
    require_files(slide)
    from cxpath.app import ExportFormat, export_results

    wanted = [ExportFormat(one.value) for one in formats]
    done = export_results(folder, wanted, out, slide, overwrite=overwrite)
    lines = [f"written  {path}" for path in done.files] + [f"note     {said}" for said in done.remarks]
    print_document(
        {"files": [str(path) for path in done.files], "remarks": list(done.remarks)}, lines, as_json=as_json
    )
