"""`cxpath batch`: many slides to a cohort; how it stands; its tables anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxpath.cli.batch_progress import ProgressForm, batch_progress, duration
from cxpath.cli.exits import FAILED, SOME_FAILED
from cxpath.cli.score import Marker, StainCheck

if TYPE_CHECKING:
    from cxpath.runs.batch.check_worklist import Problem

GIB = 1024**3
BaselineOption = Annotated[
    Path | None, typer.Option(help="Cohort (folder or cohort.csv) that drift is judged against.")
]
DatabaseOption = Annotated[
    str | None, typer.Option(envvar="CXPATH_DATABASE", help="Shared database, postgresql://…")
]
_SHOWN = 20

batch = typer.Typer(help="Score many slides; resume; see how it stands.", no_args_is_help=True)


@batch.command()
def run(
    source: Annotated[str, typer.Argument(help="A folder, a pattern in quotes, or a table (CSV, XLSX).")],
    out: Annotated[
        Path | None, typer.Option(help="The batch's folder.", show_default="cxpath-out/<source>")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check the worklist and stop.")] = False,
    workers: Annotated[int, typer.Option(help="Worker processes on this machine, such as one a GPU.")] = 1,
    dask: Annotated[str, typer.Option(help="Dask scheduler (tcp://host:8786), or slurm.")] = "",
    dask_config: Annotated[Path | None, typer.Option(help="Queue settings for --dask slurm (TOML).")] = None,
    retries: Annotated[int, typer.Option(help="Further tries after errors of disk or network.", min=0)] = 3,
    cache: Annotated[Path | None, typer.Option(help="Local folder for copies of remote slides.")] = None,
    cache_gib: Annotated[float, typer.Option(help="Most that it may hold, in GiB.", min=0.0)] = 100.0,
    baseline: BaselineOption = None,
    database: DatabaseOption = None,
    progress: Annotated[
        ProgressForm, typer.Option(help="json: one event a line on stderr.")
    ] = ProgressForm.AUTO,
    mpp: Annotated[
        float | None, typer.Option(help="Micrometres per pixel of slides that do not say.")
    ] = None,
    assay: Annotated[str, typer.Option(help="22c3, 28-8, sp142, sp263 or unknown.")] = "unknown",
    tumour: Annotated[str, typer.Option(help="Tumour site.")] = "cervix",
    research: Annotated[
        bool, typer.Option("--research", help="Compute scores the assay does not support.")
    ] = False,
    marker: Annotated[Marker, typer.Option(help="Other markers give an H-score.")] = Marker.PDL1,
    model: Annotated[str, typer.Option(help="Name of a bundled model, or a model folder.")] = "small",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    config: Annotated[Path | None, typer.Option(help="Settings (TOML); see configs/default.toml.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting: section.key=VALUE. Repeatable.")
    ] = None,
    stain_check: Annotated[StainCheck | None, typer.Option(help="off scores whatever the colours.")] = None,
    pseudonym: Annotated[
        bool, typer.Option("--pseudonym", help="Replace slides' names by keyed hashes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print batch.json instead of a summary.")] = False,
) -> None:
    """Score every slide of a worklist; the same command again goes on where it was left.

    Ends with 0 when all slides were scored or are not evaluable, 3 when some failed, 1 when the batch could
    not run.
    """
    from cxpath.runs.batch.attempt import Patience
    from cxpath.runs.batch.conduct import BatchRequest, conduct_batch, plan_batch
    from cxpath.runs.batch.slide_cache import SlideCache
    from cxpath.runs.configuration import load_configuration
    from cxpath.runs.score_request import ScoreRequest

    checks = [f"tissue.stain_check={stain_check.value}"] if stain_check else []
    template = ScoreRequest(
        slide=Path(source),
        mpp=mpp,
        assay=assay,
        tumour=tumour,
        research=research,
        marker=marker.value,
        model=model,
        device=device,
        pseudonym=pseudonym,
        configuration=load_configuration(config, [*(settings or []), *checks]),
    )
    request = BatchRequest(
        source=source,
        out=out or Path("cxpath-out") / (Path(source).stem.strip("*?[]") or "batch"),
        template=template,
        workers=workers,
        dask=dask,
        dask_config=dask_config,
        patience=Patience(retries),
        cache=SlideCache(cache.absolute(), round(cache_gib * GIB)) if cache else None,
        baseline=baseline,
        database=database,
    )
    tasks, contradictions = plan_batch(request)
    if check or contradictions:
        _check(len(tasks), contradictions, _unreadable(tasks, contradictions), as_json=as_json)
        return
    _warn(_unreadable(tasks, ()))
    with batch_progress(progress) as listen:
        manifest = conduct_batch(request, tasks, listen)
    print(
        json.dumps(manifest, indent=2, ensure_ascii=False)
        if as_json
        else "\n".join(_summary(manifest, request.out))
    )
    if manifest["failed"]:
        raise typer.Exit(SOME_FAILED)


@batch.command()
def status(
    folder: Annotated[Path, typer.Argument(help="The --out folder of cxpath batch run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Say how a batch stands, from any terminal that sees its folder."""
    from cxpath.runs.batch.batch_status import batch_status

    found = batch_status(folder)
    print(json.dumps(found, indent=2, ensure_ascii=False) if as_json else "\n".join(_status_lines(found)))


@batch.command()
def rebuild(
    folder: Annotated[Path, typer.Argument(help="The --out folder of cxpath batch run.")],
    baseline: BaselineOption = None,
    database: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a line.")] = False,
) -> None:
    """Make a batch's tables, page and database anew from its slides' folders."""
    from cxpath.runs.batch.cohort import rebuild_cohort
    from cxpath.runs.batch.drift import read_baseline

    rows = rebuild_cohort(folder, read_baseline(baseline) if baseline else None, database)
    print(
        json.dumps({"slides": len(rows)})
        if as_json
        else f"cohort   {folder / 'cohort.html'}  ({len(rows)} slides)"
    )


def _unreadable(tasks: Sequence[Any], contradictions: Sequence[Problem]) -> list[Problem]:
    from cxpath.runs.batch.check_worklist import unreadable

    known = {problem.id for problem in contradictions}
    return [problem for problem in unreadable(tasks) if problem.id not in known]


def _check(
    slides: int, contradictions: Sequence[Problem], unreadable: Sequence[Problem], *, as_json: bool
) -> None:
    """Print all that is wrong with a worklist; 1 when it cannot be run, 3 when some slides would fail."""
    if as_json:
        document = {
            "slides": slides,
            "contradictions": [vars(problem) for problem in contradictions],
            "unreadable": [vars(problem) for problem in unreadable],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print(f"slides   {slides}")
        for problem in contradictions:
            print(f"wrong    {problem.id}: {problem}")
        for problem in unreadable:
            print(f"fails    {problem.id}: {problem}")
        print("verdict  " + _verdict(contradictions, unreadable))
    if contradictions:
        raise typer.Exit(FAILED)
    if unreadable:
        raise typer.Exit(SOME_FAILED)


def _verdict(contradictions: Sequence[Problem], unreadable: Sequence[Problem]) -> str:
    if contradictions:
        return f"cannot be run: {len(contradictions)} to be mended in the worklist"
    if unreadable:
        return f"can be run; {len(unreadable)} slides would fail"
    return "can be run"


def _warn(problems: Sequence[Problem]) -> None:
    for problem in problems[:_SHOWN]:
        print(f"cxpath: will fail: {problem.id}: {problem}", file=sys.stderr)
    if len(problems) > _SHOWN:
        print(f"cxpath: will fail: {len(problems) - _SHOWN} more slides", file=sys.stderr)


def _summary(manifest: Mapping[str, Any], folder: Path) -> Iterator[str]:
    yield f"slides   {manifest['slides']}  ({manifest['kept']} done before)"
    yield f"scored   {manifest['scored']}"
    yield f"not evaluable  {manifest['not_evaluable']}"
    yield f"failed   {manifest['failed']}"
    yield from (f"         {one['id']}: {one['reason']}" for one in manifest["failures"][:_SHOWN])
    if len(manifest["failures"]) > _SHOWN:
        yield f"         and {len(manifest['failures']) - _SHOWN} more: see cohort.csv"
    for same in manifest["same_content"]:
        yield f"warning  the same slide under different names: {', '.join(same)}"
    yield f"cohort   {folder / 'cohort.html'}"
    yield str(manifest["research_use"])


def _status_lines(found: Mapping[str, Any]) -> Iterator[str]:
    done = found["slides"] - found["left"]
    if found["running"]:
        yield f"running  {found['engine']} on {found['host']}, since {found['started']}"
    elif found["left"]:
        yield "stopped  not running; the same cxpath batch run goes on where it was left"
    else:
        yield "done     not running, nothing left"
    yield f"slides   {done} of {found['slides']}"
    yield f"scored   {found['scored']}"
    yield f"not evaluable  {found['not_evaluable']}"
    yield f"failed   {found['failed']}"
    yield from (f"         {one['id']}: {one['reason']}" for one in found["failures"][-_SHOWN:])
    if found["slides_per_hour"]:
        yield f"speed    {found['slides_per_hour']:.0f} slides/h, {duration(found['seconds_left'])} left"
    for held in found["in_hand"]:
        tiles = f"  {held['tiles_done']}/{held['tiles']} tiles" if held["tiles"] else ""
        yield f"in hand  {held['worker']}: {held['id']}{tiles}  {duration(held['seconds'])}"
