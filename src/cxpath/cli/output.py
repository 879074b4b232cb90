"""What every command shares: options, exit codes, printed lines and progress bars."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cxpath.app.configuration import Configuration

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


def print_json_file(path: Path) -> None:
    """Print a file of JSON as it stands."""
    print(path.read_text(encoding="utf-8").rstrip())


def print_document(document: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print a document as JSON, or as `lines`, which say the same to a person."""
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
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tiles  {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None, rate="")

        def move(done: int, total: int) -> None:
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            rate = f"{speed:.1f}/s" if speed else ""
            progress.update(task, completed=done, total=total, rate=rate)

        yield move


# The options by which one slide, or every slide of a batch, is scored.


class StainCheck(StrEnum):
    """Choices of `--stain-check`."""

    ON = "on"
    OFF = "off"


class Marker(StrEnum):
    """Choices of `--marker`."""

    PDL1 = "pdl1"
    HER2 = "her2"
    EGFR = "egfr"
    VEGF = "vegf"


MppOption = Annotated[float | None, typer.Option(help="Micrometres per pixel, if the file does not say.")]
AssayOption = Annotated[str, typer.Option(help="22c3, 28-8, sp142, sp263 or unknown.")]
TumourOption = Annotated[str, typer.Option(help="Tumour site.")]
ResearchOption = Annotated[
    bool, typer.Option("--research", help="Compute scores the assay does not support.")
]
MarkerOption = Annotated[Marker, typer.Option(help="Other markers give an H-score.")]
ModelOption = Annotated[str, typer.Option(help="Name of a bundled model, or a model folder.")]
DataOption = Annotated[
    Path | None, typer.Option(envvar="CXPATH_DATA", help="Folder of real labelled images.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
ConfigOption = Annotated[Path | None, typer.Option(help="Settings (TOML); see configs/default.toml.")]
SettingsOption = Annotated[
    list[str] | None, typer.Option("--set", help="One setting: section.key=VALUE. Repeatable.")
]
StainCheckOption = Annotated[StainCheck | None, typer.Option(help="off scores a slide whatever its colours.")]
IgnoreClassOption = Annotated[
    list[str] | None,
    typer.Option("--ignore-class", help="Leave out regions and cells of this class. Repeatable."),
]
PseudonymOption = Annotated[bool, typer.Option("--pseudonym", help="Replace a slide's name by a keyed hash.")]


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
    from cxpath.app.configuration import load_configuration

    checks = [f"tissue.stain_check={stain_check.value}"] if stain_check else []
    return load_configuration(config, [*(settings or []), *checks])


# What `cxpath score` prints: the score and its doubts, in a few aligned lines.


_NO_CPS = "no CPS, decides no cut-off"


def summary_lines(document: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Yield the lines for one slide.

    Parameters
    ----------
    document : mapping
        The content of `score.json`.
    folder : Path
        Where the results are.
    """
    yield f"slide    {document['slide']['name']}"
    if not document["evaluable"]:
        yield "CPS      not evaluable"
        yield from (f"         because {reason}" for reason in document["not_evaluable_because"])
    else:
        yield from _scores(document)
    yield from (f"warning  {warning}" for warning in document["warnings"])
    yield f"report   {folder / 'report.html'}"
    yield str(document["research_use"])


def _scores(document: Mapping[str, Any]) -> Iterator[str]:
    counts = document["counts"]
    for name in ("cps", "tps"):
        if document[name]:
            yield f"{name.upper()}      {_estimate(document[name])}"
    if own := document.get("laboratory_map"):
        yield f"         laboratory's scale {own['value']:.2f}, by its map of {own['cases']} cases: {_NO_CPS}"
    if document["h_score"] is not None:
        yield f"H-score  {document['h_score']:.0f}"
        if shares := document.get("h_score_grades"):
            yield f"         {', '.join(f'{grade}: {share:.0f} %' for grade, share in shares.items())}"
    for value, cutoff in (document["cps"] or {}).get("cutoffs", {}).items():
        yield f"         CPS >= {value} ({cutoff['basis']}): {_verdict(cutoff)}"
    yield (
        f"cells    tumour {counts['tumour_positive']} positive, {counts['tumour_negative']} negative; "
        f"immune {counts['immune_positive']} positive counted"
    )


def _estimate(score: Mapping[str, Any]) -> str:
    from cxpath.scores.counts import two_decimals

    low, high = score["interval_tissue"]
    interval = f"{score['level']:.0%} interval {low:.2f} to {high:.2f}"
    return f"{score['reported']}  ({two_decimals(score['value'])}; {interval})"


def _verdict(cutoff: Mapping[str, Any]) -> str:
    words = "met" if cutoff["met"] else "not met"
    doubt = "; near the cut-off: pathologist review" if cutoff["borderline"] else ""
    return f"{words}, probability {cutoff['probability']:.3f}{doubt}"
