"""`cxpath study`: begin a reader study, open it for the readers, see where they stand, export, report."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxpath.cli.output import INPUT, OUTPUT, JsonOption, OverwriteOption, print_document, print_text
from cxpath.data import counted

if TYPE_CHECKING:
    from cxpath.app import BegunStudy
    from cxpath.documents import ExportDocument, StudyReportDocument, StudyStatus

study = typer.Typer(
    help="Reader studies: blinded reads of slides, unaided and aided, to a report. For Research Use Only.",
    no_args_is_help=True,
)

DESIGN, SERVER = "Design", "Server"
"""Panels of `--help`."""

FolderArgument = Annotated[Path, typer.Argument(help="The study's folder.")]


class Design(StrEnum):
    """Choices of `--design`."""

    UNAIDED = "unaided"
    CROSSED = "crossed"
    SEQUENTIAL = "sequential"


NameOption = Annotated[
    str, typer.Option(rich_help_panel=DESIGN, help="Name of the study.", show_default="the folder's name")
]
ReadersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--reader", rich_help_panel=DESIGN, help="A reader's pseudonym. Repeatable, or with commas."
    ),
]
DesignOption = Annotated[
    Design,
    typer.Option(
        rich_help_panel=DESIGN,
        help="unaided: each slide once. crossed: after a wash-out again, with the software's "
        "score. sequential: aided directly after each unaided read.",
    ),
]
CutoffsOption = Annotated[
    str, typer.Option(rich_help_panel=DESIGN, help="Cut-offs in rising order, separated by commas.")
]
WashOutOption = Annotated[
    float, typer.Option(rich_help_panel=DESIGN, min=0, help="Days between two rounds of a reader.")
]
PracticeOption = Annotated[
    int, typer.Option(rich_help_panel=DESIGN, min=0, help="Number of slides for practice: the first by name.")
]
AnchorsOption = Annotated[
    int,
    typer.Option(
        rich_help_panel=DESIGN, min=0, help="Number of slides that everyone reads: the next by name."
    ),
]
ReadersPerSlideOption = Annotated[
    int,
    typer.Option(rich_help_panel=DESIGN, min=0, help="Readers of each slide that is no anchor; 0 means all."),
]
OrderSeedOption = Annotated[
    int | None,
    typer.Option(
        rich_help_panel=DESIGN, min=0, help="Seed of orders, shares and blinded names.", show_default="random"
    ),
]


@study.command()
def init(
    folder: FolderArgument,
    slides: Annotated[
        Path, typer.Option(rich_help_panel=INPUT, help="Folder of the slides to read, subfolders included.")
    ],
    results: Annotated[
        list[Path] | None,
        typer.Option(
            rich_help_panel=INPUT, help="Results of cxpath score, to show to aided readers. Repeatable."
        ),
    ] = None,
    name: NameOption = "",
    readers: ReadersOption = None,
    design: DesignOption = Design.UNAIDED,
    cutoffs: CutoffsOption = "1,10",
    wash_out_days: WashOutOption = 14.0,
    practice: PracticeOption = 0,
    anchors: AnchorsOption = 0,
    readers_per_slide: ReadersPerSlideOption = 0,
    seed: OrderSeedOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=OUTPUT, help="Replace a study without reads.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented study.toml and one token for each reader.

    Tokens are printed once and stored only as hashes.
    """
    from cxpath.app import DesignKind, StudyRequest, agreement_settings, init_study

    named = tuple(part.strip() for one in readers or () for part in one.split(",") if part.strip())
    request = StudyRequest(
        name=name or folder.resolve().name,
        slides=slides,
        results=tuple(results or ()),
        readers=named or ("reader1", "reader2", "reader3"),
        kind=DesignKind(design.value),
        cutoffs=agreement_settings(cutoffs=cutoffs.split(",")).cutoffs,
        wash_out_days=wash_out_days,
        practice=practice,
        anchors=anchors,
        readers_per_slide=readers_per_slide,
        seed=seed,
    )
    begun = init_study(folder, request, overwrite=overwrite)
    written = {"study": str(folder / "study.toml"), "tokens": dict(begun.tokens)}
    print_document(written, _init_lines(begun, folder), as_json=as_json)


def _init_lines(begun: BegunStudy, folder: Path) -> Iterator[str]:
    yield f"study    {folder / 'study.toml'}  ({counted(len(begun.study.design.slides), 'slide')})"
    yield from (f"token    {who}: {token}" for who, token in begun.tokens.items())
    yield "         give each reader their own; they are not stored and are not shown again"
    yield f"then     check study.toml, and open the study: cxpath study open {folder}"


@study.command("open")
def open_for_readers(
    folder: FolderArgument,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, rich_help_panel=SERVER, help="Port to listen on.", show_default="a free one"
        ),
    ] = 0,
    host: Annotated[
        str,
        typer.Option(
            rich_help_panel=SERVER,
            help="Address to listen on; another address than this machine's needs --proxy-origin.",
        ),
    ] = "127.0.0.1",
    proxy_origin: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=SERVER,
            help="Origin of an authenticating proxy in front, such as https://study.example.",
        ),
    ] = None,
) -> None:
    """Serve the study to its readers, several at once.

    Readers enter their own tokens. Without a proxy the server answers this machine alone. Ctrl-C ends; the
    same command resumes.
    """
    from cxpath.data import import_extra

    for module in ("uvicorn", "starlette"):
        import_extra(module, "review")
    from cxpath.app import read_study
    from cxpath.viewer.launch import Binding
    from cxpath.viewer.study_server import run_study

    run_study(read_study(folder), Binding(host, port, proxy_origin), _announce)
    print(f"\nresume   cxpath study open {folder}")


def _announce(address: str) -> None:
    print(f"open     {address}  (each reader enters a token, or opens {address}#TOKEN)")
    print("         Ctrl-C ends; every answer that was submitted is kept", flush=True)


@study.command()
def token(
    folder: FolderArgument,
    reader: Annotated[str, typer.Argument(help="The reader, as in study.toml.")],
    as_json: JsonOption = False,
) -> None:
    """Give a reader a new token; the old one is void at once."""
    from cxpath.app import read_study, renew_token

    found = renew_token(read_study(folder), reader)
    print_document({"reader": reader, "token": found}, [f"token    {reader}: {found}"], as_json=as_json)


@study.command()
def status(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Show how far each reader is, without any answer or score."""
    from cxpath.app import read_study, study_status

    found = study_status(read_study(folder))
    print_text(found, _status_lines(found), as_json=as_json)


def _status_lines(found: StudyStatus) -> Iterator[str]:
    yield f"study    {found.study}: {found.reads} of {found.planned} reads"
    for one in found.readers:
        rounds = ", ".join(f"round {part.round} {part.read} of {part.planned}" for part in one.rounds)
        waits = f" until {one.opens_utc}" if one.opens_utc else ""
        last = f"; last seen {one.last_utc}" if one.last_utc else "; not seen yet"
        yield f"  {one.reader:16} {one.stage + waits:10} {rounds}{last}"


@study.command()
def export(
    folder: FolderArgument,
    out: Annotated[Path, typer.Option(rich_help_panel=OUTPUT, help="Folder for tables and records.")],
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the reads as cxpath agree run takes them, all answers, and the readers' records."""
    from cxpath.app import export_study, read_study

    found = export_study(read_study(folder), out, overwrite=overwrite)
    print_text(found, _export_lines(found, out), as_json=as_json)


def _export_lines(found: ExportDocument, out: Path) -> Iterator[str]:
    rest = "" if found.complete else f"; {found.planned - found.reads} are still to be made"
    yield f"reads    {out / 'reads.csv'}  ({found.reads} reads{rest})"
    yield f"answers  {out / 'answers.csv'}"
    yield f"records  {out / 'audit'}  ({len(found.records)} readers, unbroken)"
    yield f"then     cxpath agree run {out / 'reads.csv'} --out FOLDER"


@study.command()
def report(
    folder: FolderArgument,
    out: Annotated[Path, typer.Option(rich_help_panel=OUTPUT, help="Folder for report, tables and export.")],
    replicates: Annotated[
        int, typer.Option(rich_help_panel=DESIGN, min=100, help="Bootstrap samples of readers and patients.")
    ] = 2000,
    level: Annotated[float, typer.Option(rich_help_panel=DESIGN, help="Level of all intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(rich_help_panel=DESIGN, help="Seed of the bootstrap.")] = 1,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write export, agreement, unaided against aided reading, methods and checklists into one folder."""
    from cxpath.app import ReportRequest, read_study, report_study

    request = ReportRequest(replicates=replicates, seed=seed, level=level)
    found = report_study(read_study(folder), out, request, overwrite=overwrite)
    print_text(found, _report_lines(found, out), as_json=as_json)


def _report_lines(found: StudyReportDocument, out: Path) -> Iterator[str]:
    yield f"study    {found.study}: {found.reads} of {found.planned} reads, {len(found.readers)} readers"
    for one in found.statistics:
        if one.reader or one.key not in _SHOWN or one.estimate is None:
            continue
        low, high = one.interval or (None, None)
        edges = "no interval" if low is None or high is None else f"{low:.3f} to {high:.3f}"
        yield f"  {one.label:52} {one.cutoff or '':6} {one.estimate:8.3f}  {edges}"
    yield from (f"warning  {warning}" for warning in found.warnings)
    yield f"report   {out / 'report.html'}"
    yield str(found.research_use)


_SHOWN = ("right_unaided", "right_aided", "right_gain", "side_changed", "anchored", "seconds_saved")
