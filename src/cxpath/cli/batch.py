"""`cxpath batch`: run, status, rebuild, export, and the check of a worklist."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cxpath.cli.output import (
    FAILED,
    SOME_FAILED,
    AssayOption,
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
    PseudonymOption,
    ResearchOption,
    SettingsOption,
    StainCheckOption,
    TumourOption,
    effective_configuration,
    multiply_in_one_thread,
    print_document,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cxpath.batch import Event, Problem, SlideTask, Tally
    from cxpath.documents import BatchManifest, BatchStatus, Failure

# How a batch is shown while it runs: live on a terminal, plain lines elsewhere, JSON on request.


class ProgressForm(StrEnum):
    """Choices of `--progress`."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"


@contextmanager
def batch_progress(form: ProgressForm) -> Iterator[Callable[[Event | None, Tally], None]]:
    """Show progress on stderr while a block runs; gives the function to call with every event."""
    if form is ProgressForm.JSON:
        yield _print_json
    elif form is ProgressForm.AUTO and sys.stderr.isatty():
        with _live() as listen:
            yield listen
    else:
        yield _print_plain


def duration(seconds: float | None) -> str:
    """Return "5 h 12 min", "3 min", "41 s"; a dash for what is not known."""
    if seconds is None:
        return "–"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _print_json(event: Event | None, tally: Tally) -> None:
    from cxpath.batch import Finished

    about: dict[str, Any] = {"event": "begun" if event is None else type(event).__name__.lower()}
    if isinstance(event, Finished):
        about["outcome"] = event.outcome.as_dict()
    elif event is not None:
        about |= asdict(event)
    about["progress"] = tally.progress(monotonic()).as_dict()
    print(json.dumps(about, ensure_ascii=False), file=sys.stderr)


def _print_plain(event: Event | None, tally: Tally) -> None:
    from cxpath.batch import Finished
    from cxpath.documents import Status

    if event is None:
        print(f"{tally.total} slides, {tally.kept} of them done before", file=sys.stderr)
    if not isinstance(event, Finished):
        return
    outcome = event.outcome
    again = outcome.status is Status.RUNNING
    what = "its worker ended unexpectedly; it will be tried again" if again else outcome.status
    why = f": {outcome.reason}" if outcome.reason else ""
    place = f"[{tally.done}/{tally.total}]"
    print(
        f"{place} {outcome.id}  {what}{why}  ({speed_line(tally, monotonic())})", file=sys.stderr, flush=True
    )


def speed_line(tally: Tally, now_s: float) -> str:
    """Return failures so far, speed and time left, in words."""
    speed, left = tally.slides_per_hour(now_s), tally.seconds_left(now_s)
    pace = f"{speed:.0f} slides/h, {duration(left)} left" if speed else "speed not known yet"
    return f"{tally.failed} failed, {pace}"


@contextmanager
def _live() -> Iterator[Callable[[Event | None, Tally], None]]:
    from rich.console import Console
    from rich.live import Live

    latest: list[Tally] = []

    def render() -> RenderableType:
        return _picture(latest[0]) if latest else ""

    with Live(get_renderable=render, console=Console(stderr=True), refresh_per_second=2, transient=True):
        yield lambda event, tally: latest.__setitem__(slice(None), [tally])


def _picture(tally: Tally) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    now_s = monotonic()
    share = 100 * tally.done / max(tally.total, 1)
    head = Text(
        f"{tally.done} of {tally.total} slides  {share:.0f} %   {speed_line(tally, now_s)}", style="bold"
    )
    workers = Table.grid(padding=(0, 2))
    for worker, held in sorted(tally.in_hand.items()):
        tiles = f"{held.tiles_done}/{held.tiles} tiles" if held.tiles else ""
        workers.add_row(worker, held.id, tiles, duration(now_s - held.since_s))
    failures = [Text(f"failed  {one.id}: {one.reason}", style="red") for one in tally.failures[-5:]]
    return Group(head, ProgressBar(total=tally.total, completed=tally.done), workers, *failures)


# What `cxpath batch` prints for a person: what a batch left, and how one stands.


SHOWN = 20
"""Slides that are named at most; a batch of thousands must not flood a terminal."""


def summary_lines(manifest: BatchManifest, folder: Path) -> Iterator[str]:
    """Yield the lines for a finished batch: `batch.json` in short."""
    yield f"slides   {manifest.slides}  ({manifest.kept} done before)"
    yield from _counts(manifest)
    yield from _failures(manifest.failures[:SHOWN])
    if len(manifest.failures) > SHOWN:
        yield f"         and {len(manifest.failures) - SHOWN} more: see cohort.csv"
    for same in manifest.same_content:
        yield f"warning  the same slide under different names: {', '.join(same)}"
    yield f"cohort   {folder / 'cohort.html'}"
    yield manifest.research_use


def status_lines(found: BatchStatus) -> Iterator[str]:
    """Yield the lines for a batch that is running or was left: `cxpath/batch-status/1` in short."""
    if found.running:
        yield f"running  {found.engine}, since {found.started}"
    elif found.left:
        yield "stopped  not running; the same cxpath batch run resumes it"
    else:
        yield "done     not running, nothing left"
    yield f"slides   {found.slides - found.left} of {found.slides}"
    yield from _counts(found)
    yield from _failures(found.failures[-SHOWN:])
    if found.slides_per_hour:
        yield f"speed    {found.slides_per_hour:.0f} slides/h, {duration(found.seconds_left)} left"
    for held in found.in_hand:
        tiles = f"  {held.tiles_done}/{held.tiles} tiles" if held.tiles else ""
        yield f"in hand  {held.worker}: {held.id}{tiles}  {duration(held.seconds)}"


def _counts(document: BatchManifest | BatchStatus) -> Iterator[str]:
    yield f"scored   {document.scored}"
    yield f"not evaluable  {document.not_evaluable}"
    yield f"failed   {document.failed}"


def _failures(failures: Sequence[Failure]) -> Iterator[str]:
    yield from (f"         {one.id}: {one.reason}" for one in failures)


# What `cxpath batch run` says of a worklist before anything starts, and how `--check` ends.


def slides_that_would_fail(tasks: Sequence[SlideTask], contradictions: Sequence[Problem]) -> list[Problem]:
    """Return the slides that cannot be read, without those that contradict something already."""
    from cxpath.batch import unreadable

    known = {problem.id for problem in contradictions}
    return [problem for problem in unreadable(tasks) if problem.id not in known]


def end_with_check(
    slides: int, contradictions: Sequence[Problem], unreadable: Sequence[Problem], *, as_json: bool
) -> NoReturn:
    """Print all that is wrong with a worklist and end: 1 it cannot be run, 3 some slides would fail, 0."""
    document = {
        "slides": slides,
        "contradictions": [vars(problem) for problem in contradictions],
        "unreadable": [vars(problem) for problem in unreadable],
    }
    print_document(document, _lines(slides, contradictions, unreadable), as_json=as_json)
    if contradictions:
        raise typer.Exit(FAILED)
    raise typer.Exit(SOME_FAILED if unreadable else 0)


def warn(problems: Sequence[Problem]) -> None:
    """Say on stderr which slides will fail; the others are scored all the same."""
    for problem in problems[:SHOWN]:
        print(f"cxpath: will fail: {problem.id}: {problem}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"cxpath: will fail: {len(problems) - SHOWN} more slides", file=sys.stderr)


def _lines(slides: int, contradictions: Sequence[Problem], unreadable: Sequence[Problem]) -> Iterator[str]:
    yield f"slides   {slides}"
    yield from (f"wrong    {problem.id}: {problem}" for problem in contradictions)
    yield from (f"fails    {problem.id}: {problem}" for problem in unreadable)
    yield "verdict  " + _verdict(contradictions, unreadable)


def _verdict(contradictions: Sequence[Problem], unreadable: Sequence[Problem]) -> str:
    if contradictions:
        return f"cannot be run: {len(contradictions)} to be corrected in the worklist"
    if unreadable:
        slides = "1 slide" if len(unreadable) == 1 else f"{len(unreadable)} slides"
        return f"can be run; {slides} would fail"
    return "can be run"


# `cxpath batch`: many slides to a cohort; how it stands; its tables anew.


BaselineOption = Annotated[
    Path | None, typer.Option(help="Cohort (folder or cohort.csv) that drift is measured against.")
]
SourceArgument = Annotated[
    str, typer.Argument(help="A folder, a pattern in quotes, a table (CSV, XLSX), or a project of QuPath.")
]
BatchFolderOption = Annotated[
    Path | None, typer.Option(help="The batch's folder.", show_default="cxpath-out/<source>")
]
BatchFolderArgument = Annotated[Path, typer.Argument(help="The --out folder of cxpath batch run.")]
WorkersOption = Annotated[
    int, typer.Option(help="Slides scored at a time on this machine, such as one for each GPU.")
]
DaskOption = Annotated[str, typer.Option(help="Address of a Dask scheduler (tls://host:8786), or slurm.")]
DaskConfigOption = Annotated[Path | None, typer.Option(help="Queue settings for --dask slurm (TOML).")]
RetriesOption = Annotated[int, typer.Option(help="Further tries after an error of disk or network.", min=0)]
ProgressOption = Annotated[
    ProgressForm, typer.Option(help="plain prints one line per slide, json one event per line on stderr.")
]

batch = typer.Typer(help="Score many slides, resume a batch, show its progress.", no_args_is_help=True)


@batch.command()
def run(
    source: SourceArgument,
    out: BatchFolderOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check the worklist and stop; nothing is scored.")
    ] = False,
    workers: WorkersOption = 1,
    dask: DaskOption = "",
    dask_config: DaskConfigOption = None,
    retries: RetriesOption = 3,
    baseline: BaselineOption = None,
    progress: ProgressOption = ProgressForm.AUTO,
    mpp: MppOption = None,
    assay: AssayOption = "unknown",
    tumour: TumourOption = "cervix",
    research: ResearchOption = False,
    marker: MarkerOption = Marker.PDL1,
    model: ModelOption = "small",
    device: DeviceOption = Device.AUTO,
    config: ConfigOption = None,
    settings: SettingsOption = None,
    stain_check: StainCheckOption = None,
    pseudonym: PseudonymOption = False,
    ignore_class: IgnoreClassOption = None,
    as_json: JsonNotSummary = False,
) -> None:
    """Score every slide of a worklist. The same command resumes a batch where it stopped.

    Options apply to slides whose row in the worklist does not say otherwise. Ends with 0 when every slide was
    scored or is not evaluable, 3 when some failed, 1 when the batch could not run or had to stop.
    """
    multiply_in_one_thread()
    from cxpath.app import ScoreRequest
    from cxpath.batch import BatchRequest, Patience, plan_batch, run_tasks

    template = ScoreRequest(
        slide=Path(source),
        mpp=mpp,
        assay=assay,
        tumour=tumour,
        research=research,
        marker=marker.value,
        model=model,
        device=device.value,
        pseudonym=pseudonym,
        ignore_classes=tuple(ignore_class or ()),
        configuration=effective_configuration(config, settings, stain_check),
    )
    request = BatchRequest(
        source=source,
        out=out or Path("cxpath-out") / (Path(source).stem.strip("*?[]") or "batch"),
        template=template,
        workers=workers,
        dask=dask,
        dask_config=dask_config,
        patience=Patience(retries),
        baseline=baseline,
    )
    tasks, contradictions = plan_batch(request)
    unreadable = slides_that_would_fail(tasks, contradictions)
    if check or contradictions:
        end_with_check(len(tasks), contradictions, unreadable, as_json=as_json)
    warn(unreadable)
    with batch_progress(progress) as listen:
        manifest = run_tasks(request, tasks, listen)
    print_document(manifest.as_dict(), summary_lines(manifest, request.out), as_json=as_json)
    if manifest.failed:
        raise typer.Exit(SOME_FAILED)


@batch.command()
def status(
    folder: BatchFolderArgument,
    as_json: JsonOption = False,
) -> None:
    """Show the state of a batch, from any terminal that sees its folder.

    Whether it runs, slides done, failures so far, speed, time left, and what each worker is doing.
    """
    from cxpath.batch import batch_status

    found = batch_status(folder)
    print_document(found.as_dict(), status_lines(found), as_json=as_json)


@batch.command()
def rebuild(
    folder: BatchFolderArgument,
    baseline: BaselineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a batch's tables and page again from its slides' folders."""
    from cxpath.batch import read_baseline, rebuild_cohort

    rows = rebuild_cohort(folder, read_baseline(baseline) if baseline else None)
    line = f"cohort   {folder / 'cohort.html'}  ({len(rows)} slides)"
    print_document({"slides": len(rows)}, [line], as_json=as_json)


@batch.command()
def export(
    folder: BatchFolderArgument,
    sql: Annotated[
        str,
        typer.Option(
            envvar="CXPATH_SQL",
            help="postgresql://user:password@host/name, or the path of a file for SQLite.",
        ),
    ] = "",
    table: Annotated[
        str,
        typer.Option(help="Name of the table; created if it is missing, refused if its columns differ."),
    ] = "cxpath_slides",
    as_json: JsonOption = False,
) -> None:
    """Write a batch's cohort table into a database, all rows or none.

    Rows of the same slide are replaced, others stay. Needs the extra `sql`.
    """
    from cxpath.batch import export_cohort

    written = export_cohort(folder, sql, table)
    line = f"exported {written.slides} slides to table {written.table} of {written.database}"
    print_document(vars(written), [line], as_json=as_json)
