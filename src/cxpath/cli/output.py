"""What every command shares: options, exit codes, printed lines and progress bars."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxpath.errors import MissingFileError

if TYPE_CHECKING:
    from cxpath.app import Configuration
    from cxpath.documents import DecidingScore, Document, Estimate, ScoreDocument

# Exit codes of the `cxpath` command.


FAILED = 1
USAGE = 2
SOME_FAILED = 3
NOT_EVALUABLE = 4
INTERRUPTED = 130
"""Ctrl-C: 128 and the number of SIGINT."""


# What a command prints: its document as JSON, or lines for a person.


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonNotSummary = Annotated[bool, typer.Option("--json", help="Print JSON instead of a summary.")]


def print_json(document: object) -> None:
    """Print a document of mappings, sequences, words and numbers."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_text(document: Document, lines: Iterable[str], *, as_json: bool) -> None:
    """Print a document of cxpath as it is written, or as `lines`, which say the same to a person."""
    print(document.text() if as_json else "\n".join(lines))


def print_document(document: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print JSON, or `lines`, which say the same to a person."""
    if as_json:
        print_json(document)
    else:
        print("\n".join(lines))


# A progress bar on the terminal: tiles done, rate, time left.


@contextmanager
def tile_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr while a block runs; gives the function that moves it.

    Parameters
    ----------
    title : str
        What is being done, such as the slide's name.

    Yields
    ------
    callable
        Takes the number of tiles done and the number in all.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),  # a file may be called "a[b].svs"
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tiles  {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None, rate="")

        def move(done: int, total: int) -> None:
            """Move the bar and show the speed."""
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            rate = f"{speed:.1f}/s" if speed else ""
            progress.update(task, completed=done, total=total, rate=rate)

        yield move


# The options by which one slide, or every slide of a batch, is scored.


class StainCheck(StrEnum):
    """Choices of `--stain-check`."""

    ON = "on"
    OFF = "off"


class Device(StrEnum):
    """Choices of `--device`."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Marker(StrEnum):
    """Choices of `--marker`."""

    PDL1 = "pdl1"
    HER2 = "her2"
    EGFR = "egfr"
    VEGF = "vegf"


INPUT, SCORE, MODEL, OUTPUT = "Input", "Score", "Model", "Output"
"""Panels of `--help`."""

MppOption = Annotated[
    float | None,
    typer.Option(rich_help_panel=INPUT, help="Micrometres per pixel; overrides the file."),
]
AssayOption = Annotated[
    str, typer.Option(rich_help_panel=SCORE, help="The assay: 22c3, 28-8, sp142, sp263 or unknown.")
]
TumourOption = Annotated[
    str, typer.Option(rich_help_panel=SCORE, help="Tumour site; another site than cervix needs --research.")
]
ResearchOption = Annotated[
    bool,
    typer.Option(
        "--research",
        rich_help_panel=SCORE,
        help="Compute scores that the assay or the site does not support; the report says so.",
    ),
]
MarkerOption = Annotated[
    Marker,
    typer.Option(
        rich_help_panel=SCORE,
        help="her2, egfr and vegf give an H-score of tumour cells and no CPS; they need "
        "scoring.intensity_thresholds_od.",
    ),
]
ModelOption = Annotated[
    str, typer.Option("--model", rich_help_panel=MODEL, help="Name of a bundled model, or a model folder.")
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data", envvar="CXPATH_DATA", rich_help_panel=INPUT, help="Folder of real labelled images."
    ),
]
DeviceOption = Annotated[
    Device,
    typer.Option(
        rich_help_panel=MODEL, help="Where the network runs; auto takes a CUDA GPU if there is one."
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        rich_help_panel=SCORE,
        help="Settings (TOML); `cxpath config init` writes a file with all of them.",
    ),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        rich_help_panel=SCORE,
        help="One setting, SECTION.KEY=VALUE, the value as in TOML; overrides the file. Repeatable.",
    ),
]
StainCheckOption = Annotated[
    StainCheck | None,
    typer.Option(rich_help_panel=SCORE, help="off scores a slide of any colour; the result says so."),
]
IgnoreClassOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore-class",
        help="Leave out drawn regions and given cells of this class, whatever it means "
        "otherwise; the result says how many. Repeatable.",
    ),
]
PseudonymOption = Annotated[
    bool,
    typer.Option(
        "--pseudonym", rich_help_panel=OUTPUT, help="Replace a slide's name by a keyed hash everywhere."
    ),
]


RegionsOption = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=INPUT,
        help="Regions to include and exclude: QuPath GeoJSON, or XML of ASAP, ImageScope or HALO, "
        "plain or gzipped; recognised by content.",
    ),
]
ClassMapOption = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=INPUT,
        help="What the class names of given cells mean (TOML); `cxpath config path "
        "cells/qupath.toml` shows one.",
    ),
]

OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", rich_help_panel=OUTPUT, help="Replace what is there already.")
]


def require_files(*paths: Path | None) -> None:
    """Refuse a mistyped path at once, before anything heavy is imported.

    Raises
    ------
    MissingFileError
        Naming the first path that does not exist.
    """
    for path in paths:
        if path is not None and not _exists(path):
            raise MissingFileError(f"{path}: no such file", "check the path")


def multiply_in_one_thread() -> None:
    """Let NumPy multiply matrices in the thread that asks: to be called before NumPy is imported.

    A run's matrices are small. OpenBLAS's own threads wait busily for the next one, for longer than such a
    product takes, and take the processor from the network.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL byte, is no file
        return False


def effective_configuration(
    config: Path | None, settings: Sequence[str] | None, stain_check: StainCheck | None
) -> Configuration:
    """Return the settings of the file, then those of `--set`, then that of `--stain-check`.

    Raises
    ------
    ConfigurationError
        When a key is unknown or a value is not allowed.
    MissingFileError
        When there is no such file.
    """
    from cxpath.app import load_configuration

    checks = [f"tissue.stain_check={stain_check.value}"] if stain_check else []
    return load_configuration(config, [*(settings or []), *checks])


# What `cxpath score` prints: the score and its doubts, in a few aligned lines.


_NO_CPS = "no CPS, decides no cut-off"


def summary_lines(document: ScoreDocument, folder: Path) -> Iterator[str]:
    """Yield the lines for one slide.

    Parameters
    ----------
    document : ScoreDocument
    folder : Path
        Where the results are.
    """
    yield f"slide    {document.slide.name}"
    if document.evaluable:
        yield from _scores(document)
    else:
        yield "CPS      not evaluable"
        yield from (f"         because {reason.text}" for reason in document.not_evaluable_because)
    yield from (f"warning  {warning.text}" for warning in document.warnings)
    yield f"report   {folder / 'report.html'}"
    yield document.research_use


def _scores(document: ScoreDocument) -> Iterator[str]:
    from cxpath.scores import printed_form

    read = document.deciding
    if read.basis.value == "network":
        yield from estimate_lines(document.cps, document.tps)
    else:
        yield from _scores_side_by_side(document)
    if own := document.laboratory_map:
        scale = f"laboratory's scale {printed_form(own.value)}, by its map of {own.cases} cases"
        yield f"         {scale}: {_NO_CPS}"
    if document.h_score is not None:
        yield f"H-score  {printed_form(document.h_score)}{_whose(read)}"
    if shares := document.h_score_grades:
        grades = (f"{grade}: {printed_form(share)} %" for grade, share in shares.items())
        yield f"         {', '.join(grades)}"
    if counts := document.counts:
        yield (
            f"cells    tumour {counts.tumour_positive} positive, {counts.tumour_negative} negative; "
            f"immune {counts.immune_positive} positive{_whose(read)}"
        )


def _whose(read: DecidingScore) -> str:
    """Return whose a number is, where it stands below a score that a person's review gave."""
    return "" if read.basis.value == "network" else ", from the network"


def _scores_side_by_side(document: ScoreDocument) -> Iterator[str]:
    """Yield the CPS that decides, then the network's CPS and TPS, each with whose cells it counts."""
    read = document.deciding
    if read.estimate is None:
        because = "; ".join(read.not_evaluable_because)
        yield f"CPS      not evaluable, {read.basis.words}: {because}"
    yield from estimate_lines(read.estimate, None)
    yield f"         the CPS is {read.basis.words}"
    for name, own in (("CPS", document.cps), ("TPS", document.tps)):
        if own:
            yield f"network  {name} {_with_interval(own)}"
    if document.review and (signature := document.review.signature):
        yield f"signed   {signature.meaning} by {signature.name}, {signature.utc}"


def estimate_lines(cps: Estimate | None, tps: Estimate | None) -> Iterator[str]:
    """Yield CPS and TPS with their intervals, as far as there are any, and every cut-off."""
    from cxpath.report import cutoff_lines

    for name, score in (("CPS", cps), ("TPS", tps)):
        if score:
            yield f"{name}      {_with_interval(score)}"
    for line in cutoff_lines(cps) if cps else ():
        yield f"         {line.sentence.replace('≥', '>=')}"  # a terminal may know no more than ASCII


def _with_interval(score: Estimate) -> str:
    from cxpath.scores import printed_interval

    return f"{score.reported}  ({score.level:.0%} interval {printed_interval(*score.interval_tissue)})"
