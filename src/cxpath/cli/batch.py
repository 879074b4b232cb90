"""`cxpath batch`: many slides to a cohort; how it stands; its tables anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.batch_check import end_with_check, slides_that_would_fail, warn
from cxpath.cli.batch_lines import status_lines, summary_lines
from cxpath.cli.batch_progress import ProgressForm, batch_progress
from cxpath.cli.exits import SOME_FAILED
from cxpath.cli.printing import JsonNotSummary, JsonOption, print_document
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

GIB = 1024**3
BaselineOption = Annotated[
    Path | None, typer.Option(help="Cohort (folder or cohort.csv) that drift is judged against.")
]
DatabaseOption = Annotated[
    str | None, typer.Option(envvar="CXPATH_DATABASE", help="Shared database, postgresql://…")
]

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
    mpp: MppOption = None,
    assay: AssayOption = "unknown",
    tumour: TumourOption = "cervix",
    research: ResearchOption = False,
    marker: MarkerOption = Marker.PDL1,
    model: ModelOption = "small",
    device: DeviceOption = "auto",
    config: ConfigOption = None,
    settings: SettingsOption = None,
    stain_check: StainCheckOption = None,
    pseudonym: PseudonymOption = False,
    as_json: JsonNotSummary = False,
) -> None:
    """Score every slide of a worklist; the same command again goes on where it was left.

    Ends with 0 when all slides were scored or are not evaluable, 3 when some failed, 1 when the batch could
    not run.
    """
    from cxpath.runs.batch.attempt import Patience
    from cxpath.runs.batch.conduct import BatchRequest, conduct_batch, plan_batch
    from cxpath.runs.batch.slide_cache import SlideCache
    from cxpath.runs.score_request import ScoreRequest

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
        cache=SlideCache(cache.absolute(), round(cache_gib * GIB)) if cache else None,
        baseline=baseline,
        database=database,
    )
    tasks, contradictions = plan_batch(request)
    unreadable = slides_that_would_fail(tasks, contradictions)
    if check or contradictions:
        end_with_check(len(tasks), contradictions, unreadable, as_json=as_json)
    warn(unreadable)
    with batch_progress(progress) as listen:
        manifest = conduct_batch(request, tasks, listen)
    print_document(manifest, summary_lines(manifest, request.out), as_json=as_json)
    if manifest["failed"]:
        raise typer.Exit(SOME_FAILED)


@batch.command()
def status(
    folder: Annotated[Path, typer.Argument(help="The --out folder of cxpath batch run.")],
    as_json: JsonOption = False,
) -> None:
    """Say how a batch stands, from any terminal that sees its folder."""
    from cxpath.runs.batch.batch_status import batch_status

    found = batch_status(folder)
    print_document(found, status_lines(found), as_json=as_json)


@batch.command()
def rebuild(
    folder: Annotated[Path, typer.Argument(help="The --out folder of cxpath batch run.")],
    baseline: BaselineOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a batch's tables, page and database anew from its slides' folders."""
    from cxpath.runs.batch.cohort import rebuild_cohort
    from cxpath.runs.batch.drift import read_baseline

    rows = rebuild_cohort(folder, read_baseline(baseline) if baseline else None, database)
    line = f"cohort   {folder / 'cohort.html'}  ({len(rows)} slides)"
    print_document({"slides": len(rows)}, [line], as_json=as_json)
