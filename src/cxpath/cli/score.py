"""`cxpath score`: one slide to its results folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.exits import NOT_EVALUABLE


class StainCheck(StrEnum):
    """Choices of `--stain-check`."""

    ON = "on"
    OFF = "off"


class Marker(StrEnum):
    """Choices of `--marker`."""

    PDL1 = "pdl1"
    HER2 = "her2"
    EGFR = "egfr"
    VEGF = "vegf"


class Mode(StrEnum):
    """Choices of `--mode`."""

    WHOLE = "whole"
    ADAPTIVE = "adaptive"


def score(
    slide: Annotated[Path, typer.Argument(help="A whole-slide file, or a picture with --mpp.")],
    out: Annotated[
        Path | None, typer.Option(help="Results folder.", show_default="cxpath-out/<slide>")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")] = False,
    mpp: Annotated[
        float | None, typer.Option(help="Micrometres per pixel, if the file does not say.")
    ] = None,
    assay: Annotated[str, typer.Option(help="22c3, 28-8, sp142, sp263 or unknown.")] = "unknown",
    tumour: Annotated[str, typer.Option(help="Tumour site.")] = "cervix",
    research: Annotated[
        bool, typer.Option("--research", help="Compute scores the assay does not support.")
    ] = False,
    roi: Annotated[
        Path | None,
        typer.Option(help="Regions to include and exclude (QuPath GeoJSON, ASAP or ImageScope XML)."),
    ] = None,
    cells: Annotated[
        Path | None, typer.Option(help="Score these cells (Parquet, CSV, QuPath), not the network's.")
    ] = None,
    cell_classes: Annotated[
        Path | None,
        typer.Option(help="What the cells' class names mean (TOML); see configs/cells/qupath.toml."),
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="adaptive reads only as many fields as the score needs.")
    ] = Mode.WHOLE,
    marker: Annotated[Marker, typer.Option(help="Other markers give an H-score.")] = Marker.PDL1,
    model: Annotated[str, typer.Option(help="Name of a bundled model, or a model folder.")] = "small",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    config: Annotated[Path | None, typer.Option(help="Settings (TOML); see configs/default.toml.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting: section.key=VALUE. Repeatable.")
    ] = None,
    stain_check: Annotated[
        StainCheck | None, typer.Option(help="off scores a slide whatever its colours.")
    ] = None,
    pseudonym: Annotated[
        bool, typer.Option("--pseudonym", help="Replace the slide's name by a keyed hash.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print score.json instead of a summary.")] = False,
) -> None:
    """Score one slide: CPS and TPS with intervals, cells, pictures and a report.

    Ends with 0 when scored, 4 when the slide is not evaluable, 1 when something failed.
    """
    from cxpath.runs.configuration import load_configuration
    from cxpath.runs.score_request import ScoreRequest

    checks = [f"tissue.stain_check={stain_check.value}"] if stain_check else []
    request = ScoreRequest(
        slide=slide,
        out=out,
        overwrite=overwrite,
        mpp=mpp,
        assay=assay,
        tumour=tumour,
        research=research,
        roi=roi,
        cells=cells,
        cell_classes=cell_classes,
        marker=marker.value,
        mode=mode.value,
        model=model,
        device=device,
        pseudonym=pseudonym,
        configuration=load_configuration(config, [*(settings or []), *checks]),
    )
    from cxpath.cli.progress import tile_progress
    from cxpath.runs.score_slide import score_slide

    with tile_progress(request.shown_name or slide.name) as move:
        evaluable = score_slide(request, move).evaluable
    print_result(request.folder, as_json=as_json)
    if not evaluable:
        raise typer.Exit(NOT_EVALUABLE)


def print_result(folder: Path, *, as_json: bool) -> None:
    """Print what `score.json` in `folder` says, as it is or as a summary."""
    import json

    from cxpath.cli.summary import summary_lines

    text = (folder / "score.json").read_text(encoding="utf-8")
    print(text.rstrip() if as_json else "\n".join(summary_lines(json.loads(text), folder)))
