"""`cxpath agree`: run, init, plan, cells and calibrate."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxpath.cli.output import ClassMapOption, OverwriteOption, print_document, print_text
from cxpath.data import RESEARCH_USE, counted

if TYPE_CHECKING:
    from cxpath.agreement import AgreementStudy, Components, Plan, ReaderStudyPlan
    from cxpath.app import Calibration

# `cxpath agree`: validates cxpath, or any software, against manual reads, and readers against each other.


agree = typer.Typer(
    help="Agreement of manual reads and software: study, template, sample size, calibration.",
    no_args_is_help=True,
)


class Target(StrEnum):
    """Choices of `agree plan`."""

    KAPPA = "kappa"
    ICC = "icc"
    PPA = "ppa"
    MRMC = "mrmc"


@agree.command()
def run(
    reads: Annotated[list[Path], typer.Argument(help="Tables of manual reads: CSV, TSV or XLSX.")],
    out: Annotated[Path, typer.Option(help="Folder for agreement.json, report.html, tables and figures.")],
    results: Annotated[
        list[Path] | None,
        typer.Option(
            help="A results folder of cxpath score, or a folder that contains some; cxpath becomes "
            "the software. Repeatable."
        ),
    ] = None,
    software: Annotated[str, typer.Option(help="The reader in the table that is software.")] = "",
    reference: Annotated[
        str, typer.Option(help="The reader that is the reference.", show_default="the readers' median")
    ] = "",
    readers: Annotated[
        list[str] | None,
        typer.Option(
            help="The readers to use: columns of a wide table, or names in the column `reader`. "
            "Needed where a wide table has columns that are not readers, such as an age. "
            "Repeatable, or with commas."
        ),
    ] = None,
    prefer: Annotated[
        str,
        typer.Option(help="Which of several results of one slide: `newest`, or part of its folder's path."),
    ] = "",
    score: Annotated[
        str,
        typer.Option(
            help="The score that was read; with --results CPS or TPS.",
            show_default="the one that the tables name",
        ),
    ] = "",
    cutoffs: Annotated[str, typer.Option(help="Cut-offs in rising order, separated by commas.")] = "1,10",
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Another column to group cases by, besides site, scanner, histology and specimen. "
            "Repeatable."
        ),
    ] = None,
    margin: Annotated[
        float, typer.Option(help="Margin of non-inferiority; choose it before you look at the data.")
    ] = 0.05,
    replicates: Annotated[int, typer.Option(min=100, help="Bootstrap samples of patients.")] = 2000,
    level: Annotated[float, typer.Option(help="Level of all intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 1,
    overwrite: OverwriteOption = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print agreement.json instead of a summary.")
    ] = False,
) -> None:
    """Study the agreement of readers with each other, and of the software with them."""
    from cxpath.app import AgreementRequest, agreement_settings, run_agreement

    settings = agreement_settings(
        cutoffs=cutoffs.split(","), margin=margin, replicates=replicates, level=level, seed=seed
    )
    request = AgreementRequest(
        reads=tuple(reads),
        results=tuple(results or ()),
        score=score,
        prefer=prefer,
        software=software,
        reference=reference,
        groups=tuple(by or ()),
        readers=tuple(name.strip() for one in readers or () for name in one.split(",") if name.strip()),
        settings=settings,
    )
    study = run_agreement(request, out, overwrite=overwrite)
    _print_study(study, out, as_json=as_json)


def _print_study(study: AgreementStudy, out: Path, *, as_json: bool) -> None:
    """Print the document of a study, or its summary."""
    from cxpath.documents import AgreementDocument

    if as_json:
        print((out / "agreement.json").read_text(encoding="utf-8").rstrip())
        return
    said = AgreementDocument.read(out / "agreement.json").warnings
    print("\n".join(_lines(study, [one.text for one in said])))
    print(f"report   {out / 'report.html'}")


@agree.command()
def init(
    path: Annotated[Path, typer.Argument(help="The table to write: .csv or .xlsx.")] = Path("reads.csv"),
    cases: Annotated[int, typer.Option(min=1, help="Number of cases.")] = 3,
    readers: Annotated[int, typer.Option(min=1, help="Number of readers.")] = 2,
    overwrite: OverwriteOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a table of reads to fill in, CSV or XLSX by its name."""
    from cxpath.app import write_reads_template

    write_reads_template(path, cases, readers, overwrite=overwrite)
    print(json.dumps({"template": str(path)}) if as_json else f"template {path}")


@agree.command()
def plan(
    figure: Annotated[Target, typer.Argument(help="What the study is planned for.")],
    value: Annotated[
        float,
        typer.Option(
            help="Its expected value for cases that are not near a cut-off; for icc the ICC(A,1), "
            "for mrmc the difference between the arms."
        ),
    ],
    width: Annotated[float | None, typer.Option(help="Largest acceptable width of the interval.")] = None,
    at_least: Annotated[
        float | None, typer.Option(help="Lowest acceptable lower end of the interval.")
    ] = None,
    prevalence: Annotated[float, typer.Option(help="Share of cases that reach the cut-off.")] = 0.5,
    near: Annotated[float, typer.Option(help="Share of cases near the cut-off.")] = 0.0,
    near_value: Annotated[float, typer.Option(help="Expected value for those cases.")] = 0.0,
    readers: Annotated[int, typer.Option(help="Number of readers, for icc and mrmc.")] = 2,
    reader_bias: Annotated[
        float,
        typer.Option(help="For icc: how much readers differ in level, in standard deviations of the scores."),
    ] = 0.0,
    pilot: Annotated[
        Path | None, typer.Option(help="For mrmc: study.json written by cxpath study report.")
    ] = None,
    figure_of_merit: Annotated[
        str,
        typer.Option(help="For mrmc: which test of the pilot study.", show_default="share on the right side"),
    ] = "",
    cutoff: Annotated[str, typer.Option(help="For mrmc: which cut-off of the pilot study.")] = "",
    components: Annotated[
        str,
        typer.Option(
            help="For mrmc without a pilot study: error=…,cov1=…,cov2=…,cov3=…,arm_reader=…,cases=…"
        ),
    ] = "",
    assurance: Annotated[
        float, typer.Option(help="Share of studies that must reach the aim; for mrmc the power.")
    ] = 0.8,
    level: Annotated[float, typer.Option(help="Coverage of the interval.")] = 0.95,
    studies: Annotated[int, typer.Option(help="Studies simulated at each number of cases.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how many cases a study needs.

    kappa, icc and ppa (positive percent agreement) are planned by simulation. mrmc says how many cases so
    many readers, and some fewer and more, need to find a difference between two arms of a reader study.
    """
    from cxpath.agreement import ReaderStudyPlan

    if figure is Target.MRMC:
        parts = _pilot_or_stated(pilot, figure_of_merit, cutoff, components)
        _plan_arms(ReaderStudyPlan(value, parts, level), readers, assurance, as_json=as_json)
        return
    from cxpath.agreement import Plan, Planned

    wished = Plan(
        figure=Planned(figure.value),
        value=value,
        width=width,
        at_least=at_least,
        prevalence=prevalence,
        near=near,
        near_value=near_value,
        readers=readers,
        reader_bias=reader_bias,
        assurance=assurance,
        level=level,
        studies=studies,
        seed=seed,
    )
    _plan_cases(wished, as_json=as_json)


def _plan_cases(plan: Plan, *, as_json: bool) -> None:
    """Say how many cases a study of one figure needs."""
    from dataclasses import asdict

    from cxpath.agreement import plan_study

    found = plan_study(plan)
    if as_json:
        print(json.dumps({"plan": asdict(plan), "study": asdict(found)}, indent=2))
        return
    print(
        f"cases    {found.cases}  ({found.reached:.0%} of {plan.studies:,} simulated studies reach the aim)"
    )
    print(f"         {found.below} or more below the cut-off, {found.near} or more near it")
    print(
        f"expected {plan.figure.value} {plan.expected:.3f}, prevalence {plan.prevalence:g}; seed {plan.seed}"
    )


def _plan_arms(plan: ReaderStudyPlan, readers: int, power: float, *, as_json: bool) -> None:
    """Print how many cases so many readers need, and some fewer and more."""
    from dataclasses import asdict

    from cxpath.app import plan_readers

    found = plan_readers(plan, readers, power)
    stated = {"plan": asdict(plan), "power": power, "studies": [asdict(one) for one in found]}
    lines = [f"finds a difference of {plan.difference:g} with a power of {power:.0%} (Hillis et al. 2011)"]
    for one in found:
        cases = f"{one.cases} cases  (power {one.power:.3f})" if one.cases else "no number of cases is enough"
        lines.append(f"  {one.readers:3d} readers  {cases}")
    print_document(stated, lines, as_json=as_json)


def _pilot_or_stated(pilot: Path | None, figure: str, cutoff: str, components: str) -> Components:
    from cxpath.app import DEFAULT_FIGURE, pilot_components, stated_components
    from cxpath.errors import ConfigurationError

    if (pilot is None) == (not components):
        raise ConfigurationError(
            "a plan for mrmc needs a pilot study, or its variance components", "pass --pilot or --components"
        )
    if pilot is not None:
        return pilot_components(pilot, figure or DEFAULT_FIGURE, cutoff)
    return stated_components(components)


@agree.command()
def cells(
    truth: Annotated[
        list[Path],
        typer.Option(help="GeoJSON of cells that a person marked; once for each image. Repeatable."),
    ],
    found: Annotated[
        list[Path], typer.Option(help="GeoJSON or results folder to compare, in the same order. Repeatable.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for cells.json.")] = None,
    mpp: Annotated[
        float | None, typer.Option(help="Micrometres per pixel, if no results folder states it.")
    ] = None,
    class_map: ClassMapOption = None,
    radius_um: Annotated[
        float, typer.Option(min=1, help="Cells nearer than this are matched, in micrometres.")
    ] = 6.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a summary.")] = False,
) -> None:
    """Compare cells that a person marked in QuPath with cells of cxpath, or of another person.

    Cells outside the outlines of the truth count on neither side.
    """
    from cxpath.app import CellsRequest, cell_lines, compare_cells
    from cxpath.io import folder_for

    request = CellsRequest(
        reference=tuple(truth),
        compared=tuple(found),
        mpp=mpp,
        class_map=class_map,
        radius_um=radius_um,
    )
    document = compare_cells(request)
    if out:
        document.write(folder_for(out) / "cells.json")
    print_text(document, cell_lines(document), as_json=as_json)


def _lines(study: AgreementStudy, warnings: Sequence[str]) -> Iterator[str]:
    for number, roles in study.rounds.items():
        readers = roles.readers
        cases, people = counted(len(readers.units), "case"), counted(len(readers.readers), "reader")
        yield f"round {number}  {cases}, {people}; {roles.why}"
        for analysis, key, label in _SHOWN:
            for one in study.statistics:
                context = one.context
                if (context.get("analysis"), one.key, context.get("round")) != (analysis, key, str(number)):
                    continue
                where = context.get("cutoff") or context.get("scale", "")
                interval = one.intervals[0] if one.intervals else None
                edges = f"{interval.low:.3f} to {interval.high:.3f}" if interval else "no interval"
                whose = label.format(**context)
                value = "not defined" if math.isnan(one.value) else f"{one.value:7.3f}"
                yield f"  {whose:34} {where:24} {value}  {edges}"
    yield from (f"warning  {warning}" for warning in warnings)
    yield RESEARCH_USE


_SHOWN = (
    ("between readers", "icc_a1", "readers: ICC(A,1)"),
    ("between readers", "pairwise_opa", "readers: mean pairwise agreement"),
    ("between readers", "fleiss_kappa", "readers: Fleiss' kappa"),
    ("between readers", "ac1", "readers: AC1"),
    ("comparison", "icc_a1", "{compared} against {reference}: ICC(A,1)"),
    ("comparison", "opa", "{compared} against {reference}: OPA"),
    ("comparison", "ppa", "{compared} against {reference}: PPA"),
    ("comparison", "npa", "{compared} against {reference}: NPA"),
    ("comparison", "kappa", "{compared} against {reference}: kappa"),
    ("software against readers", "difference_opa_consensus", "software less readers: OPA"),
    ("software against readers", "difference_ccc_consensus", "software less readers: CCC"),
)


# `cxpath agree calibrate`: the staining threshold that agrees best with a laboratory's reads; its own scale.


@agree.command()
def calibrate(
    reads: Annotated[Path, typer.Argument(help="Table of manual CPS reads: CSV or XLSX.")],
    results: Annotated[list[Path], typer.Argument(help="Results of cxpath score, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for calibrated.toml.")] = Path("cxpath-out/calibration"),
    with_map: Annotated[
        bool,
        typer.Option(
            "--map", help="Also fit a rising map from the CPS to your reads; needs 60 cases of 60 patients."
        ),
    ] = False,
    readers: Annotated[
        list[str] | None,
        typer.Option(help="The readers to use: columns of a wide table. Repeatable, or with commas."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the folds.")] = 1,
    overwrite: OverwriteOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a summary.")] = False,
) -> None:
    """Choose the staining threshold that agrees best with your own reads.

    Agreement is Lin's concordance of log10(CPS + 1) with the readers' median; the figure to quote comes from
    nested cross-validation over patients. It takes at least 30 cases of 30 patients, 5 on either side of CPS
    1, and all results from one model, assay and setting. The file calibrated.toml is for --config. Calibrate
    again when the model changes.

    A map is written only if it agrees better by more than chance on cases that it has not seen. cxpath score
    then shows the mapped score next to the CPS; cut-offs are always decided on the CPS.
    """
    from cxpath.app import Fit, write_configuration
    from cxpath.app.calibrate import calibrate as run_calibration
    from cxpath.io import folder_for

    fit = Fit.THRESHOLD_AND_MAP if with_map else Fit.THRESHOLD
    people = [name.strip() for one in readers or () for name in one.split(",") if name.strip()]
    found = run_calibration(reads, results, seed, fit, people)
    path = folder_for(out) / "calibrated.toml"
    write_configuration(found, path, overwrite=overwrite)
    print_text(found.document(), _calibration_lines(found, path), as_json=as_json)


def _calibration_lines(found: Calibration, out: Path) -> Iterator[str]:
    from cxpath.app import with_interval

    choice, chosen = found.choice, found.map_choice
    yield f"threshold {choice.threshold:g}, before {found.present:g}; {found.cases} cases"
    yield f"  concordance {with_interval(choice.honest)} by nested cross-validation"
    yield f"  before      {choice.present:.3f}; on the cases it was chosen on {choice.apparent:.3f}"
    yield f"  agreement at CPS >= 1: {choice.honest_agreement:.1%}, before {choice.present_agreement:.1%}"
    if chosen:
        verdict = "written" if chosen.helps else "not written: the interval of the difference contains 0"
        yield f"map       {len(chosen.score_map.scores)} points, {verdict}"
        yield f"  concordance {with_interval(chosen.honest)} by nested cross-validation"
        yield f"  without     {with_interval(chosen.unmapped)}; difference {with_interval(chosen.gain, '+')}"
    yield f"written  {out}  (use it with cxpath score --config {out})"
    yield RESEARCH_USE
