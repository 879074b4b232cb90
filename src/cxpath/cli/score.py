"""`cxpath score`: one slide to its results folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.exits import NOT_EVALUABLE
from cxpath.cli.printing import JsonNotSummary, print_json_file
from cxpath.cli.scoring_options import (
    AssayOption,
    ConfigOption,
    DeviceOption,
    Marker,
    MarkerOption,
    ModelOption,
    MppOption,
    PseudonymOption,
    ResearchOption,
    SettingsOption,
    StainCheckOption,
    TumourOption,
    effective_configuration,
)


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
    mpp: MppOption = None,
    assay: AssayOption = "unknown",
    tumour: TumourOption = "cervix",
    research: ResearchOption = False,
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
    marker: MarkerOption = Marker.PDL1,
    model: ModelOption = "small",
    device: DeviceOption = "auto",
    config: ConfigOption = None,
    settings: SettingsOption = None,
    stain_check: StainCheckOption = None,
    pseudonym: PseudonymOption = False,
    as_json: JsonNotSummary = False,
) -> None:
    """Score one slide: CPS and TPS with intervals, cells, pictures and a report.

    Ends with 0 when scored, 4 when the slide is not evaluable, 1 when something failed.
    """
    from cxpath.runs.score_request import ScoreRequest

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
        configuration=effective_configuration(config, settings, stain_check),
    )
    from cxpath.cli.progress import tile_progress  # heavy, so only after the options were understood
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

    result = folder / "score.json"
    if as_json:
        print_json_file(result)
    else:
        print("\n".join(summary_lines(json.loads(result.read_text(encoding="utf-8")), folder)))
