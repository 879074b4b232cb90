"""`cxpath review`: audit a score, apply a person's edits, sign and verify."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cxpath.cli.output import JsonOption, OverwriteOption, print_document, require_files
from cxpath.data import counted
from cxpath.errors import ConfigurationError

if TYPE_CHECKING:
    from cxpath.documents import AdaptedEntry, AuditedEntry, EditedEntry, GainEntry
    from cxpath.review import Verified

review = typer.Typer(
    help="Audit a score with a person's answers, apply edits, sign and verify. For Research Use Only.",
    no_args_is_help=True,
)

WANTED_FOLD = 1.5
"""Upper end of an interval divided by its lower end that is worth working for."""

FolderArgument = Annotated[Path, typer.Argument(help="A results folder of cxpath score.")]
ReviewerOption = Annotated[str, typer.Option(help="The reader's printed name.")]


class SignatureMeaning(StrEnum):
    """Choices of `--meaning`."""

    REVIEWED = "reviewed"
    APPROVED = "approved"


@review.command(name="open")
def open_in_browser(
    folder: FolderArgument,
    slide: Annotated[
        Path | None,
        typer.Option(help="The slide that was scored (required); another one is refused."),
    ] = None,
    reviewer: Annotated[
        str | None, typer.Option(help="The reader's printed name; left out, the browser asks for it.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine.", show_default="a free one")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the link in the browser, or only print it.")
    ] = True,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; another address than this machine's needs --proxy-origin."),
    ] = "127.0.0.1",
    proxy_origin: Annotated[
        str | None,
        typer.Option(help="Origin of an authenticating proxy in front, such as https://review.example."),
    ] = None,
) -> None:
    """Review a scored slide in the browser: audit, edit, sign.

    The server answers this machine alone, and the link that it prints works once. Every decision is saved
    before the page shows it. Ctrl-C ends; the same command resumes. Several windows, and other review
    commands, may work on one record at the same time. Needs the extra `review`.
    """
    require_browser_extra()
    if slide is None:
        raise ConfigurationError("the slide is needed for its pictures", "pass --slide FILE")
    require_files(slide)
    serve_review(folder, slide, reviewer, Listen(host, port, proxy_origin), browser=browser)


class Listen(NamedTuple):
    """Where the server listens; see `Binding`."""

    host: str = "127.0.0.1"
    port: int = 0
    proxy_origin: str | None = None


def require_browser_extra() -> None:
    """Say in one line what to install where the server's libraries are missing."""
    from cxpath.data import import_extra

    for module in ("uvicorn", "starlette"):
        import_extra(module, "review")


def serve_review(
    folder: Path, slide: Path, reviewer: str | None, listen: Listen | None = None, *, browser: bool = True
) -> None:
    """Serve a review until Ctrl-C, and say how to resume."""
    from cxpath.viewer.launch import Binding, run_review

    binding = Binding(*(listen or Listen()))
    record = run_review(folder, slide, reviewer, binding, _announce, browser=browser)
    print(f"\nrecord   {record}" if record else "\nnothing was decided")
    print(f"resume   cxpath review open {shlex.quote(str(folder))} --slide {shlex.quote(str(slide))}")


def _announce(link: str) -> None:
    print(f"review   {link}  (works once)")
    print("         Ctrl-C ends; every decision is kept", flush=True)


@review.command()
def audit(
    folder: FolderArgument,
    slide: Annotated[
        Path | None, typer.Option(help="The slide that was scored; needed for the contact sheet.")
    ] = None,
    number: Annotated[
        int | None, typer.Option("--cells", help="Cells to ask about.", show_default="100")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed samples and records another audit.")] = None,
    squares: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Squares of 50 µm in which cells that the network missed are counted. Without any, "
            "the audit says nothing about missed cells.",
            show_default="0",
        ),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="The table of answers, filled in; gives the audited score.")
    ] = None,
    reviewer: ReviewerOption = "",
    as_json: JsonOption = False,
) -> None:
    """Sample cells at random for a blind audit; with --answers, read the answers and score.

    The sample is written as a contact sheet (sheet.html) that hides the network's calls, with a table of
    answers (answers.csv). Both work without a connection; 100 answers take three to four minutes. Class is
    tumour, immune, other, not a cell or cannot tell; stained is yes or no where asks_stained says yes.

    The sample is recorded before the first answer, and running audit again shows the same one. A table that
    is incomplete or of another audit is refused.
    """
    if answers is None:
        from cxpath.app import write_audit

        files = write_audit(folder, slide, number=number, seed=seed, squares=squares)
        stated = {"sheet": str(files.sheet), "answers": str(files.table), "cells": files.cells}
        lines = [
            f"sheet    {files.sheet}  ({files.cells} cells, {files.squares} squares)",
            f"answers  {files.table}",
            f"then     cxpath review audit {folder} --answers FILE --reviewer NAME",
        ]
        print_document(stated | {"squares": files.squares}, lines, as_json=as_json)
        return
    from cxpath.app import score_audit

    entry = score_audit(folder, answers, _named(reviewer))
    print_document(entry.model_dump(mode="json"), _audited_lines(entry), as_json=as_json)


def _audited_lines(entry: AuditedEntry) -> Iterator[str]:
    from cxpath.scores import answers_for_width, printed_form, printed_interval, two_decimals

    of_slide, of_tumour = printed_interval(*entry.interval), printed_interval(*entry.interval_tissue)
    yield (
        f"audited  CPS {printed_form(entry.cps)}  ({two_decimals(entry.cps)}; {entry.level:.0%} interval "
        f"{of_slide} for this slide, {of_tumour} for the tumour)"
    )
    yield f"answers  {entry.n} by {entry.reviewer}, {entry.cannot_tell} cannot tell"
    if entry.cannot_tell:
        yield f"         counted both ways: CPS {' to '.join(map(two_decimals, entry.bounds))}"
    cells = sum(one.cells for one in entry.answers)
    wanted = answers_for_width(entry.n, entry.interval, WANTED_FOLD, cells)
    if wanted and wanted > entry.n:
        yield f"         about {wanted} answers in all: upper end {WANTED_FOLD:g} times the lower"
    yield from (f"warning  {warning}" for warning in entry.warnings)
    yield f"record   {counted(entry.events, 'event')}, head {entry.head_hash[:12]}"


@review.command()
def apply(
    folder: FolderArgument,
    cells: Annotated[Path, typer.Option(help="The edited cells: Parquet, CSV or QuPath's GeoJSON.")],
    reviewer: ReviewerOption,
    as_json: JsonOption = False,
) -> None:
    """Score an edited table of cells.

    Cells are matched by position with those of the run. A cell that a person changed or added counts as it
    is, without a term for the network's errors; all other cells have that term. cxpath score --cells gives
    the term to every cell, since it does not know who changed what, so its intervals differ.
    """
    from cxpath.app import apply_edits

    entry, _ = apply_edits(folder, cells, _named(reviewer))
    print_document(entry.model_dump(mode="json"), _edited_lines(entry), as_json=as_json)


def _edited_lines(entry: EditedEntry) -> Iterator[str]:
    from cxpath.scores import printed_form, printed_interval, two_decimals

    yield f"edited   {counted(entry.changed, 'cell')} changed, {entry.added} added, {entry.removed} removed"
    if entry.estimate is None:
        yield from (f"CPS      not evaluable: {reason}" for reason in entry.not_evaluable_because)
    else:
        interval, cps = printed_interval(*entry.estimate.interval_tissue), entry.estimate.value
        yield f"CPS      {printed_form(cps)}  ({two_decimals(cps)}; interval {interval} for the tumour)"
    yield from (f"warning  {warning}" for warning in entry.warnings)
    yield f"record   {counted(entry.events, 'event')}, head {entry.head_hash[:12]}"


@review.command()
def sign(
    folder: FolderArgument,
    reviewer: ReviewerOption,
    meaning: Annotated[SignatureMeaning, typer.Option(help="What the signature states.")] = (
        SignatureMeaning.REVIEWED
    ),
    as_json: JsonOption = False,
) -> None:
    """Sign everything decided so far, with name, time and meaning.

    A later answer, edit or undo makes the signature void.
    """
    from cxpath.app import sign_review
    from cxpath.review import Meaning

    entry = sign_review(folder, _named(reviewer), Meaning(meaning.value))
    lines = [
        f"signed   {entry.meaning} by {entry.name}, {entry.utc}",
        f"record   {counted(entry.events, 'event')}, head {entry.head_hash[:12]}",
    ]
    print_document(entry.model_dump(mode="json"), lines, as_json=as_json)


@review.command()
def undo(
    folder: FolderArgument,
    event: Annotated[int, typer.Option(min=1, help="Number of the event, as in events.ndjson.")],
    reviewer: ReviewerOption,
    as_json: JsonOption = False,
) -> None:
    """Take back one answer, square, edit or undo.

    The record keeps both. A signature is void afterwards. An event that a later decision rests on is not
    undone.
    """
    from cxpath.app import undo_event

    done = undo_event(folder, event, _named(reviewer))
    lines = [
        f"undone   {done.target}",
        f"record   {counted(done.n, 'event')}, head {done.hash[:12]}",
        "then     give the answers or the edited table again to score the present state",
    ]
    print_document({"events": done.n, "head_hash": done.hash, "target": done.target}, lines, as_json=as_json)


@review.command()
def adapt(
    folder: FolderArgument,
    reviewer: Annotated[
        str, typer.Option(help="The reader whose answers are used, if several readers answered.")
    ] = "",
    save_profile: Annotated[
        str,
        typer.Option(
            help="Keep it for other slides of the laboratory, as NAME.profile.json.", metavar="NAME"
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Adapt the network's calls to the answers, where held-out answers gain by it; decides no cut-off.

    It fits two numbers for the log-odds of tumour and a staining threshold to at least 20 answers. Each is
    offered only where ten-fold cross-validation on the answers gains by more than its standard error. A
    profile that gains nothing is not saved; a profile of another model is refused.
    """
    from cxpath.app import adapt_review

    done = adapt_review(folder, reviewer, save_profile)
    lines = [*_adapted_lines(done.entry), *([f"profile  {done.profile}"] if done.profile else [])]
    content = done.entry.model_dump(mode="json") | {"profile": str(done.profile) if done.profile else None}
    print_document(content, lines, as_json=as_json)


def _adapted_lines(entry: AdaptedEntry) -> Iterator[str]:
    from cxpath.scores import printed_interval

    yield _gain_line("tumour", entry.tumour_gain)
    yield _gain_line("staining", entry.stained_gain)
    for what, gain in (("tumour", entry.tumour_regression_gain), ("staining", entry.stained_regression_gain)):
        if gain is not None:
            yield f"{_gain_line(what, gain)} (regression on the embedding, for this slide alone)"
    if entry.offered:
        yield f"log-odds of tumour: shift {entry.tumour_shift:+.2f}, scale {entry.tumour_scale:.2f}"
        yield f"staining threshold {entry.stained_threshold:.3f}"
    if entry.estimate is not None:
        interval = printed_interval(*entry.estimate.interval_tissue)
        level = f"{entry.estimate.level:.0%}"
        yield f"CPS      {entry.estimate.reported}  (network, adapted; {level} interval {interval})"


def _gain_line(what: str, gain: GainEntry | None) -> str:
    if gain is None:
        return f"{what:<8} not offered: too few answers on one side"
    verdict = "offered" if gain.offered else "not offered"
    losses = f"{gain.loss_network:.3f}, adapted {gain.loss_adapted:.3f}"
    return f"{what:<8} {verdict}: held-out log loss {losses} (standard error of the gain {gain.error:.3f})"


@review.command()
def export(
    folder: FolderArgument,
    to: Annotated[Path, typer.Option(help="The file to write, ending in .geojson.")],
    reviewer: Annotated[
        str, typer.Option(help="The reader whose answers are used, if several readers answered.")
    ] = "",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write every answered, changed or added cell as a point with its class.

    The file is for QuPath and for cxpath model fine-tune. What is not a cell becomes Ignore*, and what the
    reviewer could not tell becomes Unsure; neither is trained on.
    """
    from cxpath.app import export_answers

    done = export_answers(folder, to, reviewer, overwrite=overwrite)
    lines = [f"points   {to}", *(f"         {number} {name}" for name, number in sorted(done.cells.items()))]
    print_document({"points": str(to), "cells": dict(done.cells)}, lines, as_json=as_json)


@review.command()
def verify(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Check every line of the record, its signatures, and what other files repeat of it.

    Names the first bad line and ends with 1.
    """
    from cxpath.app import verify_review

    path, found = verify_review(folder)
    print_document(_verified(path, found), _verified_lines(path, found), as_json=as_json)


def _verified(path: Path, found: Verified) -> dict[str, Any]:
    signature = found.state.signature
    return {
        "record": str(path),
        "events": found.seal.events,
        "head_hash": found.seal.head_hash,
        "answers": len(found.state.answers),
        "edits": len(found.state.edits),
        "signature": None if signature is None else dict(signature),
    }


def _verified_lines(path: Path, found: Verified) -> Iterator[str]:
    from cxpath.review import audit_queue

    yield f"record   {path}"
    yield f"         unbroken: {counted(found.seal.events, 'event')}, head {found.seal.head_hash[:12]}"
    answers, edits = (
        counted(len(found.state.answers), "answer"),
        counted(len(found.state.edits), "edited cell"),
    )
    yield f"has      {answers}, {edits}"
    for reader in sorted({actor for actor, _ in found.state.answers}):
        queue = audit_queue(found.state, reader)
        yield f"         audit by {reader}: {queue.answered} answered, {len(queue.open)} open"
    signature = found.state.signature
    signed = f"{signature['meaning']} by {signature['name']}" if signature else "no valid signature"
    yield f"signed   {signed}"


def _named(reviewer: str) -> str:
    if not reviewer.strip():
        raise ConfigurationError("a review needs the reader's name", "pass --reviewer NAME")
    return reviewer
