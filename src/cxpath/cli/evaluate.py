"""`cxpath evaluate`: measures a model on real and drawn images it never learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxpath.cli.printing import print_json_file
from cxpath.cli.scoring_options import DeviceOption, ModelOption
from cxpath.values.errors import ConfigurationError

if TYPE_CHECKING:
    from cxpath.training.judging.evaluation_document import Evaluation
    from cxpath.training.judging.figure import Figure


class Sets(StrEnum):
    """Choices of `--set`."""

    REAL = "real"
    SYNTHETIC = "synthetic"
    ALL = "all"


def evaluate(
    out: Annotated[Path, typer.Option(help="Folder for evaluation.json and evaluation.html.")],
    model: ModelOption = "small",
    sets: Annotated[Sets, typer.Option("--set", help="Real images, the drawn test set, or all.")] = Sets.ALL,
    data: Annotated[
        Path | None, typer.Option(envvar="CXPATH_DATA", help="Folder of real labelled images.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many images a set, so many drawn slides.")
    ] = None,
    device: DeviceOption = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Of the network, on a processor.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that draw.", show_default="all cores")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Write figures that have targets into the model's card.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print evaluation.json, no table.")] = False,
) -> None:
    """Measure a model: figures with 95 % bootstrap intervals, beside the targets they must reach.

    Interrupt with Ctrl-C and call again: what was measured is not measured anew.
    """
    from cxpath.network.model_store import model_folder
    from cxpath.report.evaluation_page import build_evaluation_page
    from cxpath.report.evaluation_table import write_evaluation_table
    from cxpath.training.judging.card_record import record_in_card
    from cxpath.training.judging.evaluate_model import EvaluationRequest, evaluate_model

    if record and limit is not None:  # said before hours of measuring, not after
        raise ConfigurationError("a limited evaluation is not recorded in a card", "leave out --limit")
    request = EvaluationRequest(
        model=model,
        sets=sets.value,
        out=out,
        data=data,
        limit=limit,
        device=device,
        threads=threads,
        workers=workers,
    )
    with _progress() as watch:
        evaluation = evaluate_model(request, watch)
    page = build_evaluation_page(out)
    write_evaluation_table(out)
    if record:
        record_in_card(evaluation, model_folder(model))
    if as_json:
        print_json_file(out / "evaluation.json")
        return
    print("\n".join(_lines(evaluation)))
    print(f"report   {page}")
    print(evaluation.research_use)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show on stderr which set is being measured and how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks = {"": progress.add_task("loading the model", total=None)}

        def watch(name: str, done: int, total: int) -> None:
            if name not in tasks:
                progress.update(tasks[""], visible=False)
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done, total=total)

        yield watch


def _lines(evaluation: Evaluation) -> Iterator[str]:
    model = evaluation.model
    yield f"model    {model.name} {model.version}  {model.digest[:12]}  ({model.device}, {model.precision})"
    for one in evaluation.sets:
        mpp = f"{one.mpp:g} µm/px, {one.mpp_source}" if one.mpp else f"µm/px: {one.mpp_source}"
        yield ""
        yield f"{one.title} ({one.items}; {mpp})"
        yield from (_line(figure) for figure in evaluation.figures if figure.set_name == one.name)
    pooled = {figure.set_name for figure in evaluation.figures} - {one.name for one in evaluation.sets}
    for name in sorted(pooled):
        yield ""
        yield name.replace("_", " ")
        yield from (_line(figure) for figure in evaluation.figures if figure.set_name == name)
    if evaluation.composition:
        yield ""
        yield "what the drawn test set holds"
        for item in evaluation.composition:
            yield f"  {item.label:58} {item.value:8g}  ≥ {item.required:g}: {_verdict(met=item.met)}"
    yield ""
    yield from (f"skipped  {skipped.item}: {skipped.reason}" for skipped in evaluation.skipped)


def _line(figure: Figure) -> str:
    if figure.value is None:
        return f"  {figure.label:58} {'none':>8}"
    interval = f"{figure.low:.3f} to {figure.high:.3f}" if figure.low is not None else ""
    target = (
        f"{figure.target}: {_verdict(met=figure.met)}" if figure.target and figure.met is not None else ""
    )
    return f"  {figure.label:58} {figure.value:8.3f}  {interval:18} {target:16} n {figure.n} {figure.n_of}"


def _verdict(*, met: bool | None) -> str:
    return "met" if met else "missed"
