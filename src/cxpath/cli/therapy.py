"""`cxpath therapy`: a profile's template, its review, and the check of the criteria."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cxpath.cli.exits import FAILED
from cxpath.cli.printing import JsonNotSummary, JsonOption, print_document

therapy = typer.Typer(
    help="Biomarkers against cited therapy criteria, for the tumour board. Recommends nothing.",
    no_args_is_help=True,
)


@therapy.command()
def init(
    profile: Annotated[Path, typer.Argument(help="File to write.")] = Path("profile.toml"),
    as_json: JsonOption = False,
) -> None:
    """Write a commented template of a patient's profile; every field in it is unknown."""
    from cxpath.runs.profile_file import write_template

    write_template(profile)
    print_document({"profile": str(profile)}, [f"profile  {profile}"], as_json=as_json)


@therapy.command()
def review(
    profile: Annotated[Path, typer.Argument(help="A patient's profile (TOML or JSON).")],
    out: Annotated[Path, typer.Option(help="Folder for board.html, patient.html, fhir.json, therapy.json.")],
    score: Annotated[
        list[Path] | None, typer.Option(help="score.json of a slide to take in. Repeatable.")
    ] = None,
    jurisdiction: Annotated[
        list[str] | None, typer.Option(help="us, eu, jp or cn; repeatable; all by default.")
    ] = None,
    criteria: Annotated[Path | None, typer.Option(help="Folder of your own criteria (TOML).")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print both pages to PDF, too (cxpath[pdf]).")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier review.")] = False,
    as_json: JsonNotSummary = False,
) -> None:
    """Say which cited criteria are met, not met or indeterminate, with reasons; never a recommendation."""
    from cxpath.runs.review_profile import ReviewRequest, review_profile

    document = review_profile(
        ReviewRequest(
            profile=profile,
            out=out,
            scores=tuple(score or ()),
            jurisdictions=tuple(jurisdiction or ()),
            criteria=criteria,
            pdf=pdf,
            overwrite=overwrite,
        )
    )
    print_document(document, _lines(document, out), as_json=as_json)


@therapy.command()
def lint(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders of criteria; cxpath's own by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check criteria: source, date, certainty, known facts; warns of what is older than a year.

    Ends with 1 when a criterion fails.
    """
    from datetime import date

    from cxpath.runs.therapy_criteria import lint_files

    found = lint_files(files or [], date.today())
    errors = sum(one.severity == "error" for one in found)
    lines = [f"{one.severity.value:8} {one.file}: {one.entry}: {one.what}" for one in found]
    lines.append(f"{errors} errors, {len(found) - errors} warnings")
    print_document([one.as_dict() for one in found], lines, as_json=as_json)
    if errors:
        raise typer.Exit(FAILED)


def _lines(document: Mapping[str, Any], out: Path) -> Iterator[str]:
    yield f"case     {document['case'] or 'no pseudonym stated'}"
    yield from (f"conflict {conflict}" for conflict in document["conflicts"])
    titles = {
        "met": "criteria met, each needs confirmation",
        "indeterminate": "indeterminate",
        "not_met": "not met",
    }
    for verdict, title in titles.items():
        of_it = [one for one in document["criteria"] if one["verdict"] == verdict]
        yield f"{title} ({len(of_it)})"
        for one in of_it:
            reasons = "; ".join([*one["missing"], *one["not_met_because"]])
            because = f": {reasons}" if reasons else ""
            yield f"         {one['jurisdiction'].upper():3}  {one['regimen']}{because}"
    yield f"board    {out / 'board.html'}"
    yield f"patient  {out / 'patient.html'}"
    yield str(document["research_use"])
