"""`cxpath score`, `report`, `fields`, `cases`, `export`, `demo` and `doctor`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxpath.cli.output import (
    FAILED,
    INPUT,
    NOT_EVALUABLE,
    OUTPUT,
    SCORE,
    AssayOption,
    ClassMapOption,
    ConfigOption,
    Device,
    DeviceOption,
    IgnoreClassOption,
    JsonNotSummary,
    JsonOption,
    Marker,
    MarkerOption,
    ModelOption,
    MppOption,
    OverwriteOption,
    PseudonymOption,
    RegionsOption,
    ResearchOption,
    SettingsOption,
    StainCheckOption,
    TumourOption,
    effective_configuration,
    estimate_lines,
    multiply_in_one_thread,
    print_document,
    print_json,
    print_text,
    require_files,
    summary_lines,
    tile_progress,
)
from cxpath.errors import ConfigurationError

if TYPE_CHECKING:
    from cxpath.app import ScoreRequest
    from cxpath.documents import CaseDocument


# `cxpath cases`: several slides of one patient to one score.


class Rule(StrEnum):
    """Choices of `--rule`."""

    POOLED = "pooled"
    HIGHEST = "highest"


def cases(
    folders: Annotated[
        list[Path], typer.Argument(help="Results folders of cxpath score, one for each slide.")
    ],
    rule: Annotated[
        Rule,
        typer.Option(
            help="pooled adds all counts and divides once; highest takes the score of the block "
            "with the highest CPS. No source says which is right."
        ),
    ] = Rule.POOLED,
    out: Annotated[Path | None, typer.Option(help="Folder for case.json.")] = None,
    as_json: JsonNotSummary = False,
) -> None:
    """Combine the slides or blocks of one patient into one score.

    The rule is stated, and each slide's part is shown. Slides of different assays, tumours, models or
    settings are refused, and so is a slide given twice. Slides that are not evaluable are listed and not
    counted. Ends with 4 when no slide of the case is evaluable.
    """
    from cxpath.app import case_document
    from cxpath.io import folder_for
    from cxpath.scores import CaseRule

    document = case_document(folders, CaseRule(rule.value))
    if out:
        document.write(folder_for(out) / "case.json")
    print_text(document, _lines(document), as_json=as_json)
    if not document.evaluable:
        raise typer.Exit(NOT_EVALUABLE)


def _lines(document: CaseDocument) -> Iterator[str]:
    from cxpath.scores import printed_form

    yield f"rule     {document.rule}: {document.rule_in_words}"
    yield from estimate_lines(document.cps, document.tps)
    for part in document.slides:
        cells = part.counts.tumour_positive + part.counts.tumour_negative
        stands = "" if part.stands_for_case else "; not the score of the case"
        yield (
            f"slide    {part.name}: CPS {printed_form(part.cps)} ({part.basis.words}), {cells} tumour cells "
            f"({part.share_of_tumour_cells:.0%} of the case){stands}"
        )
    for left in document.left_out:
        yield f"left out {left.slide}: {'; '.join(reason.text for reason in left.because)}"
    yield from (f"because  {reason.text}" for reason in document.not_evaluable_because)
    if document.notice:
        yield f"warning  {document.notice}"
    yield document.research_use


# `cxpath demo`: make a slide with known truth, score it, and print both.


def demo(
    out: Annotated[
        Path,
        typer.Option(
            help="Results folder, replaced if it is there; the synthetic slide and its true counts "
            "are next to it."
        ),
    ] = Path("cxpath-out/demo"),
    seed: Annotated[int, typer.Option(help="Another seed makes another slide.")] = 1,
    cps: Annotated[float, typer.Option(min=0, max=100, help="Approximate true CPS of the slide.")] = 5.0,
    device: DeviceOption = Device.AUTO,
    as_json: JsonOption = False,
) -> None:
    """Make a synthetic slide of several mm² with known counts, score it and compare with the truth."""
    from cxpath.app import make_demo_slide, score_demo_slide

    if not as_json:
        print("making a slide ...", flush=True)
    made = make_demo_slide(out, seed, cps)
    with tile_progress("scoring it") as move:
        result = score_demo_slide(made, out, device.value, move)
    truth = made.truth
    if as_json:
        value = result.cps.value if result.cps else None
        print_json({"cps": value, "true_cps": truth.cps, "report": str(out / "report.html")})
        return
    print_result(out, as_json=False)
    print(f"truth    CPS {truth.cps:.2f}, {truth.tumour_cells} tumour cells (synthetic, seed {seed})")
    opened = f"cxpath review open {shlex.quote(str(out))} --slide {shlex.quote(str(made.path))}"
    print(f"review   {opened}  (needs pip install 'cxpath[review]')")


# `cxpath doctor`: says whether everything is there and works.


def doctor(
    device: DeviceOption = Device.AUTO,
    as_json: JsonOption = False,
) -> None:
    """Check versions, device, OpenSlide and models, and find the cells of one synthetic tile.

    Ends with 1 when something is wrong.
    """
    from dataclasses import asdict

    from cxpath.app import examine

    findings = list(examine(device.value))
    width = max(len(finding.what) for finding in findings)
    lines = (f"{'ok  ' if one.fine else 'FAIL'}  {one.what:{width}}  {one.found}" for one in findings)
    print_document([asdict(one) for one in findings], lines, as_json=as_json)
    if not all(finding.fine for finding in findings):
        raise typer.Exit(FAILED)


# `cxpath fields`: viable tumour cells of every field, and where to look.


def fields(
    folder: Annotated[Path, typer.Argument(help="A results folder of cxpath score.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for fields.csv; left out, the table is printed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of CSV.")] = False,
) -> None:
    """List the fields of a scored slide with their viable tumour cells, those with most cells first.

    This gives a denominator to whoever scores by eye. Positions are in level-0 pixels and in micrometres from
    the slide's top left corner.
    """
    from cxpath.app import field_csv, field_table
    from cxpath.io import atomic_write, folder_for

    table = field_table(folder)
    if out:
        with atomic_write(folder_for(out) / "fields.csv") as partial:
            partial.write_text(field_csv(table), encoding="utf-8")
    if as_json:
        print(table.text())
    elif out:
        print(f"fields   {out / 'fields.csv'}  ({len(table.fields)} with viable tumour cells)")
    else:
        print(field_csv(table), end="")


# `cxpath report`: rebuild a report from a run's folder.


def report(
    folder: Annotated[Path, typer.Argument(help="A results folder of cxpath score.")],
    as_json: JsonOption = False,
) -> None:
    """Rebuild report.html from the files of a results folder, a review included.

    The slide is not needed, and the same folder gives the same bytes.
    """
    from cxpath.app import publish_any_review
    from cxpath.report import build_report

    publish_any_review(folder)
    path = build_report(folder)
    print_document({"report": str(path)}, [f"report   {path}"], as_json=as_json)


# `cxpath score`: one slide to its results folder.


class Mode(StrEnum):
    """Choices of `--mode`."""

    WHOLE = "whole"
    ADAPTIVE = "adaptive"


CellsOption = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=INPUT,
        help="Score these cells instead of the network's: Parquet as cells.parquet, CSV, "
        "QuPath's GeoJSON or measurement table, AnnData or DICOM annotations of cxpath "
        "export. The form is recognised by content. The intervals contain an error term for all "
        "cells, even for those that a person corrected; cxpath review apply leaves it out for these.",
    ),
]
ProfileOption = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=SCORE,
        help="A laboratory's profile made by cxpath review adapt: it adapts the network's calls, "
        "and the report says so.",
    ),
]
ModeOption = Annotated[
    Mode,
    typer.Option(
        rich_help_panel=SCORE,
        help="adaptive reads only as many fields as the score needs, and says which share.",
    ),
]
ResultsOption = Annotated[
    Path | None,
    typer.Option(rich_help_panel=OUTPUT, help="Results folder.", show_default="cxpath-out/<slide>"),
]
ReviewOption = Annotated[
    bool,
    typer.Option(
        "--review", rich_help_panel=OUTPUT, help="Open the review of the result in the browser afterwards."
    ),
]


def score(
    slide: Annotated[
        Path, typer.Argument(help="A whole-slide file (any file of a DICOM series), or a picture with --mpp.")
    ],
    out: ResultsOption = None,
    overwrite: OverwriteOption = False,
    mpp: MppOption = None,
    assay: AssayOption = "unknown",
    tumour: TumourOption = "cervix",
    research: ResearchOption = False,
    regions: RegionsOption = None,
    cells: CellsOption = None,
    profile: ProfileOption = None,
    class_map: ClassMapOption = None,
    mode: ModeOption = Mode.WHOLE,
    marker: MarkerOption = Marker.PDL1,
    model: ModelOption = "small",
    device: DeviceOption = Device.AUTO,
    config: ConfigOption = None,
    settings: SettingsOption = None,
    stain_check: StainCheckOption = None,
    pseudonym: PseudonymOption = False,
    ignore_class: IgnoreClassOption = None,
    review: ReviewOption = False,
    as_json: JsonNotSummary = False,
) -> None:
    """Score one slide: CPS and TPS with intervals, cells, pictures and a report.

    Ends with 0 when scored, 4 when the slide is not evaluable, 1 when something failed.
    """
    multiply_in_one_thread()
    require_files(slide, regions, cells, profile, class_map, config)
    if review:
        _require_reviewable(mode, marker, as_json=as_json)
    from cxpath.app import ScoreRequest

    request = ScoreRequest(
        slide=slide,
        out=out,
        overwrite=overwrite,
        mpp=mpp,
        assay=assay,
        tumour=tumour,
        research=research,
        regions=regions,
        cells=cells,
        profile=profile,
        class_map=class_map,
        marker=marker.value,
        mode=mode.value,
        model=model,
        device=device.value,
        pseudonym=pseudonym,
        ignore_classes=tuple(ignore_class or ()),
        configuration=effective_configuration(config, settings, stain_check),
    )
    evaluable = _score(request)
    print_result(request.folder, as_json=as_json)
    if review:
        from cxpath.cli.review import serve_review

        serve_review(request.folder, slide, None)
    if not evaluable:
        raise typer.Exit(NOT_EVALUABLE)


def _score(request: ScoreRequest) -> bool:
    """Score the slide and show how far that is; say whether it is evaluable."""
    from cxpath.app import run_request

    with tile_progress(request.shown_name or request.slide.name) as move:
        return run_request(request, move).evaluable


def _require_reviewable(mode: Mode, marker: Marker, *, as_json: bool) -> None:
    """Refuse before the work what could not be reviewed after it."""
    from cxpath.cli.review import require_browser_extra

    if as_json:
        raise ConfigurationError("--review is for a person, --json for a program", "leave out one of them")
    if mode is Mode.ADAPTIVE or marker is not Marker.PDL1:
        raise ConfigurationError(
            "--review needs a whole slide scored for PD-L1", "leave out --mode adaptive and --marker"
        )
    require_browser_extra()


def print_result(folder: Path, *, as_json: bool) -> None:
    """Print what `score.json` in `folder` says, as it is or as a summary."""
    from cxpath.documents import read_score

    document = read_score(folder)
    print_text(document, summary_lines(document, folder), as_json=as_json)


# `cxpath export`: a result for other programs.


class Format(StrEnum):
    """Choices of `--format`."""

    H5AD = "h5ad"
    DICOM = "dicom"
    QUPATH = "qupath"


def export(
    folder: Annotated[Path, typer.Argument(help="A results folder of cxpath score.")],
    formats: Annotated[
        list[Format],
        typer.Option(
            "--format",
            help="h5ad (AnnData), dicom (annotations and report) or qupath (overlay of tissue, "
            "fields and local scores).",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files.", show_default="the results folder")
    ] = None,
    slide: Annotated[
        Path | None,
        typer.Option(help="A file of the DICOM series that was scored: DICOM files then refer to it."),
    ] = None,
    overwrite: OverwriteOption = False,
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
