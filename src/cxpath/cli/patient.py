"""`cxpath therapy` and `cxpath tmb`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxpath.cli.output import FAILED, JsonNotSummary, JsonOption, OverwriteOption, print_document, print_text

if TYPE_CHECKING:
    from cxpath.documents import CriterionEntry, SampleBurden, TherapyDocument, TmbDocument, TmbTable

# `cxpath therapy`: a profile's template, its review, and the check of the criteria.


therapy = typer.Typer(
    help="Biomarkers against cited therapy criteria, for the tumour board. Recommends nothing.",
    no_args_is_help=True,
)


@therapy.command()
def init(
    profile: Annotated[Path, typer.Argument(help="File to write.")] = Path("profile.toml"),
    jurisdiction: Annotated[
        list[str] | None, typer.Option(help="us, eu, jp or cn; asked for at a terminal. Repeatable.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a commented template of a patient's profile, in which every field is unknown.

    A file of that name is never replaced.
    """
    from cxpath.app import write_profile_template

    write_profile_template(profile, jurisdiction or _asked_jurisdiction())
    print_document({"profile": str(profile)}, [f"profile  {profile}"], as_json=as_json)


def _asked_jurisdiction() -> list[str]:
    """Ask for the jurisdiction where somebody can answer; an empty answer leaves it open."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return []
    answer = str(typer.prompt("Jurisdiction (us, eu, jp, cn; empty to leave it open)", default="")).strip()
    return [answer.lower()] if answer else []


@therapy.command()
def review(
    profile: Annotated[Path, typer.Argument(help="A patient's profile (TOML or JSON).")],
    out: Annotated[Path, typer.Option(help="Folder for board.html, fhir.json and therapy.json.")],
    score: Annotated[
        list[Path] | None,
        typer.Option(
            help="score.json of a slide, or case.json of several blocks, to include; an unconfirmed "
            "score decides nothing. Repeatable."
        ),
    ] = None,
    jurisdiction: Annotated[
        list[str] | None, typer.Option(help="us, eu, jp, cn or all; the profile's by default. Repeatable.")
    ] = None,
    criteria: Annotated[Path | None, typer.Option(help="Folder of your own criteria (TOML).")] = None,
    patient_sheet: Annotated[
        bool,
        typer.Option(
            "--patient-sheet", help="Also write patient.html, for the conversation with the patient."
        ),
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also write the pages as PDF; needs the extra `pdf`.")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonNotSummary = False,
) -> None:
    """Say which cited criteria are met, not met or indeterminate, with reasons; never a recommendation."""
    from cxpath.app import ReviewRequest, review_profile

    document = review_profile(
        ReviewRequest(
            profile=profile,
            out=out,
            scores=tuple(score or ()),
            jurisdictions=tuple(jurisdiction or ()),
            criteria=criteria,
            patient_sheet=patient_sheet,
            pdf=pdf,
            overwrite=overwrite,
        )
    )
    print_text(document, _lines(document, out), as_json=as_json)


@therapy.command()
def explain(
    criterion: Annotated[str, typer.Argument(help="Id of a criterion, as in therapy.json.")],
    criteria: Annotated[Path | None, typer.Option(help="Folder of your own criteria (TOML).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print a criterion with its conditions, cautions and sources."""
    from cxpath.app import explain_criterion

    document, lines = explain_criterion(criterion, criteria)
    print_document(document, lines, as_json=as_json)


@therapy.command()
def lint(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders of criteria; cxpath's own by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check criteria: source, date, certainty and known facts; warns of what is older than a year.

    Ends with 1 when a criterion fails.
    """
    from datetime import date

    from cxpath.app import lint_files

    found = lint_files(files or [], date.today())
    errors = sum(one.severity == "error" for one in found)
    lines = [f"{one.severity.value:8} {one.file}: {one.entry}: {one.what}" for one in found]
    lines.append(f"{errors} errors, {len(found) - errors} warnings")
    print_document([one.as_dict() for one in found], lines, as_json=as_json)
    if errors:
        raise typer.Exit(FAILED)


def _lines(document: TherapyDocument, out: Path) -> Iterator[str]:
    from cxpath.patient import Verdict

    yield f"case     {document.case or 'no pseudonym stated'}"
    yield from (f"conflict {conflict}" for conflict in document.conflicts)
    able = [one for one in document.criteria if one.approval.can_be_met]
    titles = {
        Verdict.MET: "criteria met, each needs confirmation",
        Verdict.INDETERMINATE: "indeterminate",
        Verdict.NOT_MET: "not met",
    }
    for verdict, title in titles.items():
        yield from _evaluated(title, [one for one in able if one.verdict is verdict])
    unable = [one for one in document.criteria if not one.approval.can_be_met]
    yield from _evaluated("not approved, refuted or not verified", unable)
    yield from (f"warning  {one.notice}" for one in document.profile.pdl1 if one.notice)
    yield f"board    {out / 'board.html'}"
    if (out / "patient.html").exists():
        yield f"patient  {out / 'patient.html'}"
    yield document.research_use


def _evaluated(title: str, criteria: Sequence[CriterionEntry]) -> Iterator[str]:
    yield f"{title} ({len(criteria)})"
    for one in criteria:
        reasons = "; ".join([*one.missing, *one.not_met_because])
        because = f": {reasons}" if reasons else ""
        yield f"         {one.jurisdiction.upper():3}  {one.regimen}{because}"


# `cxpath tmb`: tumour mutational burden from a file of variants.


_MOST_WARNINGS = 20


class Normal(StrEnum):
    """Choices of `--normal`."""

    MATCHED = "matched"
    NONE = "none"


def tmb(
    variants: Annotated[Path, typer.Argument(help="VCF, BCF or MAF, plain or gzipped.")],
    preset: Annotated[
        str, typer.Option(help="Which variants count: f1cdx_like, msk_like, wes_nonsyn or tso500_like.")
    ],
    bed: Annotated[Path | None, typer.Option(help="Coding targets of the panel (BED).")] = None,
    callable_bed: Annotated[
        Path | None,
        typer.Option("--callable", help="Regions of sufficient depth (BED); only bases in both files count."),
    ] = None,
    megabases: Annotated[float | None, typer.Option(help="Size in megabases, instead of a BED.")] = None,
    sample: Annotated[
        str | None,
        typer.Option(
            help="The tumour's sample; left out, the header's tumour or the only sample, and all "
            "samples of a MAF."
        ),
    ] = None,
    normal: Annotated[
        Normal | None,
        typer.Option(
            help="Whether variants were called against a matched normal; left out, what the file says."
        ),
    ] = None,
    purity: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of tumour cells in the sample.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tmb.json.")] = None,
    as_json: JsonNotSummary = False,
) -> None:
    """Compute the tumour mutational burden by a preset, with an exact interval and every filter's part.

    A preset follows a published method and is never interchangeable with it.
    """
    from cxpath.app import TmbRequest, tmb_document, write_tmb
    from cxpath.patient import Circumstances

    matched = None if normal is None else normal is Normal.MATCHED
    document = tmb_document(
        TmbRequest(
            variants=variants,
            preset=preset,
            bed=bed,
            callable_bed=callable_bed,
            megabases=megabases,
            sample=sample,
            circumstances=Circumstances(matched, purity),
        )
    )
    if out is not None:
        write_tmb(out, document)
    print_text(document, _burden_lines(document), as_json=as_json)


def _burden_lines(document: TmbDocument | TmbTable) -> Iterator[str]:
    from cxpath.documents import TmbTable

    yield from _table(document.samples) if isinstance(document, TmbTable) else _one(document)
    yield document.research_use


def _one(result: SampleBurden) -> Iterator[str]:
    low, high = result.interval
    yield f"sample   {result.sample}"
    yield from (f"warning  {warning}" for warning in result.warnings)
    yield (
        f"TMB      {result.value:.2f} per Mb, {result.method} "
        f"({result.level:.0%} interval {low:.1f} to {high:.1f})"
    )
    variants = "1 variant" if result.variants == 1 else f"{result.variants} variants"
    yield f"         {variants}, {result.megabases:.4g} Mb"
    for step in result.funnel:
        unknown = f", {step.unknown} not stated and kept" if step.unknown else ""
        part = f"-{step.removed}{unknown}" if step.applied else f"not applied: {step.why_not}"
        yield f"         {step.left:8}  {step.step}  ({part})"
    yield from (f"not made {what}" for what in result.not_reproduced)


def _table(results: tuple[SampleBurden, ...]) -> Iterator[str]:
    from statistics import median

    yield from _common_warnings(results)
    yield f"{'sample':24} {'TMB':>8}  {'95 % interval':>16}  variants"
    for one in results:
        low, high = one.interval
        yield f"{one.sample:24} {one.value:8.2f}  {low:7.2f} to {high:5.2f}  {one.variants:8}"
    middle = median(one.value for one in results)
    yield f"{len(results)} samples, median {middle:.2f} per Mb, {results[0].method}"


def _common_warnings(results: Sequence[SampleBurden]) -> Iterator[str]:
    """Yield each warning once: alone where it applies to all samples, else with how many it applies to."""
    counts = Counter(warning for one in results for warning in one.warnings)
    shown = list(counts.items())[:_MOST_WARNINGS]
    for warning, count in shown:
        who = "" if count == len(results) else f"{count} of {len(results)} samples: "
        yield f"warning  {who}{warning}"
    if len(counts) > len(shown):
        yield f"warning  and {len(counts) - len(shown)} more, in tmb.json (--out)"
