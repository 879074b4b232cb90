"""`cxpath score`, `report`, `fields`, `cases`, `demo` and `doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cxpath.cli.output import (
    FAILED,
    NOT_EVALUABLE,
    AssayOption,
    ConfigOption,
    DeviceOption,
    IgnoreClassOption,
    JsonNotSummary,
    JsonOption,
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
    print_document,
    print_json,
    print_json_file,
)

# `cxpath cases`: several slides of one patient to one score.


class Rule(StrEnum):
    """Choices of `--rule`."""

    POOLED = "pooled"
    HIGHEST = "highest"


def cases(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of cxpath score, one a slide.")],
    rule: Annotated[Rule, typer.Option(help="Add all counts up, or take the highest block.")] = Rule.POOLED,
    out: Annotated[Path | None, typer.Option(help="Write the case's JSON to this file.")] = None,
    as_json: JsonNotSummary = False,
) -> None:
    """Combine the slides or blocks of one patient; the rule is stated and each slide's part is shown.

    Ends with 4 when no slide of the case is evaluable.
    """
    from cxpath.app.cases import case_document
    from cxpath.app.documents import write_json
    from cxpath.scores.case import CaseRule

    document = case_document(folders, CaseRule(rule.value))
    if out:
        write_json(out, document)
    print_document(document, _lines(document), as_json=as_json)
    if not document["evaluable"]:
        raise typer.Exit(NOT_EVALUABLE)


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    from cxpath.scores.counts import two_decimals

    yield f"rule     {document['rule']}: {document['rule_in_words']}"
    if document["evaluable"]:
        for name in ("cps", "tps"):
            score = document[name]
            low, high = score["interval_tissue"]
            interval = f"{score['level']:.0%} interval {low:.2f} to {high:.2f}"
            yield f"{name.upper()}      {score['reported']}  ({two_decimals(score['value'])}; {interval})"
        for value, cutoff in document["cps"].get("cutoffs", {}).items():
            words = "met" if cutoff["met"] else "not met"
            doubt = f"; {cutoff['review']}" if cutoff["borderline"] else ""
            yield f"         CPS >= {value} ({cutoff['basis']}): {words}{doubt}"
    for part in document["slides"]:
        counts = part["counts"]
        cells = counts["tumour_positive"] + counts["tumour_negative"]
        stands = "" if part["stands_for_case"] else "; does not stand for the case"
        yield (
            f"slide    {part['name']}: CPS {two_decimals(part['cps'])}, {cells} tumour cells "
            f"({part['share_of_tumour_cells']:.0%} of the case){stands}"
        )
    for left in document["left_out"]:
        yield f"left out {left['slide']}: {'; '.join(left['because'])}"
    yield from (f"because  {reason}" for reason in document["not_evaluable_because"])
    yield str(document["research_use"])


# `cxpath demo`: draw a slide with known truth, score it, and print both.


def demo(
    out: Annotated[Path, typer.Option(help="Results folder; the drawn slide lies beside it.")] = Path(
        "cxpath-out/demo"
    ),
    seed: Annotated[int, typer.Option(help="Another seed draws another slide.")] = 1,
    cps: Annotated[float, typer.Option(min=0, max=100, help="About the true CPS to draw.")] = 5.0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Draw a slide of several mm² with known counts, score it, and compare with the truth."""
    from cxpath.app.demo import make_demo_slide, score_demo_slide
    from cxpath.cli.output import tile_progress

    if not as_json:
        print("drawing a slide ...", flush=True)
    drawn = make_demo_slide(out, seed, cps)
    with tile_progress("scoring it") as move:
        result = score_demo_slide(drawn, out, device, move)
    truth = drawn.truth
    if as_json:
        value = result.cps.value if result.cps else None
        print_json({"cps": value, "true_cps": truth.cps, "report": str(out / "report.html")})
        return
    print_result(out, as_json=False)
    print(f"truth    CPS {truth.cps:.2f}, {truth.tumour_cells} tumour cells (drawn, seed {seed})")


# `cxpath doctor`: says whether everything is there and works.


def doctor(
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Check versions, device, OpenSlide and models, and detect the cells of one drawn tile."""
    from dataclasses import asdict

    from cxpath.app.demo import examine

    findings = list(examine(device))
    width = max(len(finding.what) for finding in findings)
    lines = (f"{'ok  ' if one.fine else 'FAIL'}  {one.what:{width}}  {one.found}" for one in findings)
    print_document([asdict(one) for one in findings], lines, as_json=as_json)
    if not all(finding.fine for finding in findings):
        raise typer.Exit(FAILED)


# `cxpath fields`: viable tumour cells of every field, and where to look.


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
    from cxpath.app.cases import field_csv, field_document, field_rows
    from cxpath.io.atomic import atomic_write

    rows = field_rows(folder)
    if out:
        with atomic_write(out) as partial:
            partial.write_text(field_csv(rows), encoding="utf-8")
    if as_json:
        print_json(field_document(rows))
    elif out:
        print(f"fields   {out}  ({len(rows)} with viable tumour cells)")
    else:
        print(field_csv(rows), end="")


# `cxpath report`: rebuild a report from a run's folder.


def report(
    folder: Annotated[Path, typer.Argument(help="A results folder of cxpath score.")],
    as_json: JsonOption = False,
) -> None:
    """Rebuild report.html from the files of a results folder; the slide is not needed."""
    from cxpath.report.slide_page import build_report

    path = build_report(folder)
    print_document({"report": str(path)}, [f"report   {path}"], as_json=as_json)


# `cxpath score`: one slide to its results folder.


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
    ignore_class: IgnoreClassOption = None,
    as_json: JsonNotSummary = False,
) -> None:
    """Score one slide: CPS and TPS with intervals, cells, pictures and a report.

    Ends with 0 when scored, 4 when the slide is not evaluable, 1 when something failed.
    """
    from cxpath.app.request import ScoreRequest

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
        ignore_classes=tuple(ignore_class or ()),
        configuration=effective_configuration(config, settings, stain_check),
    )
    from cxpath.app.score_slide import score_slide
    from cxpath.cli.output import tile_progress

    with tile_progress(request.shown_name or slide.name) as move:
        evaluable = score_slide(request, move).evaluable
    print_result(request.folder, as_json=as_json)
    if not evaluable:
        raise typer.Exit(NOT_EVALUABLE)


def print_result(folder: Path, *, as_json: bool) -> None:
    """Print what `score.json` in `folder` says, as it is or as a summary."""
    import json

    from cxpath.cli.output import summary_lines

    result = folder / "score.json"
    if as_json:
        print_json_file(result)
    else:
        print("\n".join(summary_lines(json.loads(result.read_text(encoding="utf-8")), folder)))
