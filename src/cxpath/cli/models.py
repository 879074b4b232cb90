"""`cxpath model` (list, show, train, fine-tune, evaluate, pack) and `cxpath synth slide`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxpath.cli.output import (
    DataOption,
    Device,
    DeviceOption,
    JsonOption,
    ModelOption,
    OverwriteOption,
    print_document,
    print_json,
)
from cxpath.errors import ConfigurationError, OutputError

if TYPE_CHECKING:
    from cxpath.app import Comparison, FineTuned, FineTuneRequest
    from cxpath.documents import Evaluation, Figure
    from cxpath.network import Metric, ModelCard

# `cxpath model evaluate`: measures a model on real and synthetic images it never learned from.


model = typer.Typer(
    help="List models, show their cards, train, fine-tune, evaluate, pack and export them.",
    no_args_is_help=True,
)
synth = typer.Typer(help="Synthetic tissue whose every cell is known.", no_args_is_help=True)


class Sets(StrEnum):
    """Choices of `--on`."""

    REAL = "real"
    RESTAINED = "restained"
    SYNTHETIC = "synthetic"
    ALL = "all"


@model.command()
def evaluate(
    out: Annotated[
        Path,
        typer.Option(help="Folder for evaluation.json, evaluation.html, evaluation.md and contact_sheet."),
    ],
    name: ModelOption = "small",
    sets: Annotated[
        Sets,
        typer.Option(
            "--on",
            help="Real images, restained tissue of validation patients, the synthetic test set, or all.",
        ),
    ] = Sets.ALL,
    data: DataOption = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Largest number of images of each set, and of synthetic slides."),
    ] = None,
    device: DeviceOption = Device.AUTO,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of the network.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that make synthetic slides.", show_default="all cores"),
    ] = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Write the figures that have a target into the model's card; not with --limit."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print evaluation.json instead of a table.")
    ] = False,
) -> None:
    """Measure a model on images that it was not trained on.

    Every figure has a 95 % bootstrap interval and is next to the target that it must reach.
    Interrupt with Ctrl-C and call again: what was measured is not measured again.
    """
    from cxpath.evaluation import EvaluationRequest, evaluate_model, record_in_card
    from cxpath.network import model_folder
    from cxpath.report import build_evaluation_page, write_evaluation_table

    if record and limit is not None:  # said before hours of measuring, not after
        raise ConfigurationError("a limited evaluation is not recorded in a card", "leave out --limit")
    request = EvaluationRequest(
        model=name,
        sets=sets.value,
        out=out,
        data=data,
        limit=limit,
        device=device.value,
        threads=threads,
        workers=workers,
    )
    with _progress() as watch:
        evaluation = evaluate_model(request, watch)
    page = build_evaluation_page(out)
    write_evaluation_table(out)
    if record:
        record_in_card(evaluation, model_folder(name))
    if as_json:
        print(evaluation.text())
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
            """Move the bar of one set; the first call hides the one for loading."""
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
        yield "what the synthetic test set contains"
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


# `cxpath model list`, `show` and `pack`: what models there are, what their cards say, packing a training.


@model.command(name="list")
def list_command(
    as_json: JsonOption = False,
) -> None:
    """List the models that travel with cxpath."""
    from cxpath.network import list_models

    cards = list_models()
    if as_json:
        print_json([card.model_dump(mode="json", by_alias=True) for card in cards])
        return
    for card in cards:
        print(f"{card.name}  {card.version}  {card.digest[:12]}  {card.description}")


@model.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a bundled model, or a model folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show the card of a bundled model, or of a model folder."""
    from cxpath.network import load_card, model_folder

    if as_json:
        print(load_card(name).model_dump_json(indent=2, by_alias=True))
        return
    load_card(name)  # a damaged card is an error, not a print-out
    print((model_folder(name) / "card.toml").read_text(encoding="utf-8").rstrip())


@model.command()
def export(
    name: Annotated[str, typer.Argument(help="Name of a bundled model, or a model folder.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a model as ONNX, for programs that run networks without torch.

    The input `tiles` takes bytes (batch, height, width, 3) with sides that are multiples of 16; the outputs
    are the network's raw maps. Thresholds, calibration, classes, µm/px and digest are metadata of the file.
    Needs the extra `onnx`.
    """
    if out.suffix.lower() != ".onnx":
        raise ConfigurationError(f"{out}: not the name of an ONNX file", "end it in .onnx")
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: the file exists", "pass --overwrite or name another file")
    from cxpath.io import atomic_write
    from cxpath.network import load_model, onnx_content

    found = load_model(name)
    content = onnx_content(found)
    with atomic_write(out) as partial:
        partial.write_bytes(content)
    lines = [f"model    {found.card.name} {found.card.version}  {found.card.digest[:12]}", f"onnx     {out}"]
    print_document({"model": found.card.digest, "onnx": str(out)}, lines, as_json=as_json)


@model.command()
def pack(
    work: Annotated[Path, typer.Argument(help="The --work folder of a training, finished or interrupted.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    config: Annotated[Path, typer.Option(help="The settings (TOML) that the training was started with.")],
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the model's card as JSON.")] = False,
) -> None:
    """Choose the thresholds of a training's network as it is, measure it, and pack it as a model.

    This is the last part of cxpath model train, for a training that was interrupted or is still running. A
    folder that contains anything other than a model is never replaced.
    """
    from cxpath.app import pack_work
    from cxpath.training import read_training_settings

    command = f"cxpath model pack --config {config.name}"
    card = pack_work(read_training_settings(config), work, out, command=command, data=data)
    if as_json:
        print(card.model_dump_json(indent=2, by_alias=True))
        return
    print(f"model    {out}  {card.digest[:12]}  ({card.training.steps} steps)")
    for name, metric in card.metrics.items():
        print(f"         {name}: {metric.value:.3f}")


# `cxpath synth restain`: real tissue with painted staining.


class PaintingChoice(StrEnum):
    """Choices of `--painting`."""

    TRAINING = "training"
    USUAL = "usual"
    INDEPENDENT = "independent"
    RESERVED = "reserved"


@synth.command()
def restain(
    out: Annotated[Path, typer.Argument(help="Folder for the pictures and their tables of cells.")],
    data: DataOption = None,
    number: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Another seed paints differently.")] = 1,
    painting: Annotated[
        PaintingChoice,
        typer.Option(
            help="How PD-L1 is painted: as in training (a mixture), usual, independent of the "
            "class, or reserved for evaluation."
        ),
    ] = PaintingChoice.TRAINING,
    as_json: JsonOption = False,
) -> None:
    """Restain real H&E tiles as H-DAB with painted PD-L1, as training does.

    Each picture comes with a table of its cells.
    Tiles and pictures keep the licences of their sources.
    """
    from cxpath.synth import Painting, write_examples

    if data is None:
        raise ConfigurationError("no data folder", "set CXPATH_DATA, or give --data")
    wanted = None if painting is PaintingChoice.TRAINING else Painting(painting.value)
    pictures = write_examples(data, out, number, seed, wanted)
    lines = [f"{len(pictures)} pictures in {out}, each with a table of its cells"]
    print_document({"pictures": [str(path) for path in pictures]}, lines, as_json=as_json)


# `cxpath synth slide`: a slide with exact truth.


@synth.command(name="slide")
def synth_slide(
    slide: Annotated[Path, typer.Argument(help="The slide to write, ending in .svs.")],
    seed: Annotated[int, typer.Option(help="Another seed makes another slide.")] = 1,
    cps: Annotated[float, typer.Option(min=0, max=100, help="Approximate true CPS of the slide.")] = 5.0,
    side_px: Annotated[int, typer.Option(min=1024, help="Side of the slide in pixels.")] = 8192,
    as_json: JsonOption = False,
) -> None:
    """Make a pyramidal slide at 0.25 µm/px whose every cell is known, and print its counts and true CPS."""
    from cxpath.synth import write_synthetic_slide

    truth = write_synthetic_slide(slide, seed=seed, cps=cps, width_px=side_px, height_px=side_px)
    counts = {name: value for name, value in vars(truth).items() if isinstance(value, int | float)}
    lines = [f"slide    {slide}", *(f"{name:16} {value:g}" for name, value in counts.items())]
    print_document({"slide": str(slide), "seed": seed, **counts}, lines, as_json=as_json)


# `cxpath model train` and `fine-tune`: from settings, or from a model and a lab's annotations, to a model.


_WORK_HELP = "Folder for the checkpoint and the training data; a second call resumes."
WorkOption = Annotated[Path, typer.Option(help=_WORK_HELP)]
ModelOutOption = Annotated[Path | None, typer.Option(help="Model folder.", show_default="WORK/model")]
CardJsonOption = Annotated[bool, typer.Option("--json", help="Print the model's card as JSON.")]


@model.command()
def train(
    config: Annotated[Path, typer.Option(help="Settings (TOML), such as configs/training/small.toml.")],
    work: WorkOption = Path("cxpath-out/training"),
    out: ModelOutOption = None,
    data: DataOption = None,
    as_json: CardJsonOption = False,
) -> None:
    """Train a network on synthetic tissue, measure it on held-out fields and pack the model.

    Settings with `restained.pairs` add real H&E tissue of the data folder, restained as H-DAB.
    Interrupt with Ctrl-C and call again: training resumes from its checkpoint.
    """
    from rich.console import Console

    from cxpath.app import make_model
    from cxpath.training import read_training_settings, training_bar

    settings, folder = read_training_settings(config), out or work / "model"
    command = f"cxpath model train --config {config.name}"
    with training_bar(Console(stderr=True)) as watch:
        card = make_model(settings, work, folder, command=command, watch=watch, data=data)
    lines = [f"{name}: {metric.value:.3f}" for name, metric in card.metrics.items()]
    _print_packed(card, folder, lines, as_json=as_json)


@model.command(name="fine-tune")
def fine_tune(
    annotations: Annotated[
        Path, typer.Argument(help="Folder of images or slides with QuPath GeoJSON of the same names.")
    ],
    start: Annotated[
        str, typer.Option("--from", help="Model to start from: a bundled name, or a model folder.")
    ] = "small",
    config: Annotated[
        Path | None, typer.Option(help="Settings of fine-tuning (TOML).", show_default="defaults")
    ] = None,
    class_map: Annotated[
        Path | None,
        typer.Option(help="What class names mean (TOML).", show_default="qupath_pdl1.toml"),
    ] = None,
    mpp: Annotated[
        float | None, typer.Option(help="Micrometres per pixel of images that do not state it.")
    ] = None,
    work: WorkOption = Path("cxpath-out/fine-tuning"),
    out: ModelOutOption = None,
    as_json: CardJsonOption = False,
) -> None:
    """Fine-tune a model on your own annotated images, and measure it before and after on held-out images.

    Interrupt with Ctrl-C and call again: training resumes from its checkpoint.
    """
    from cxpath.app import FineTuneRequest
    from cxpath.training import FineTuneSettings, default_class_map, read_class_map, read_fine_tune_settings

    folder = out or work / "model"
    request = FineTuneRequest(
        model=start,
        annotations=annotations,
        class_map=read_class_map(class_map or default_class_map()),
        settings=read_fine_tune_settings(config) if config else FineTuneSettings(),
        work=work,
        out=folder,
        mpp=mpp,
    )
    tuned = _fine_tuned(request)
    _print_packed(tuned.card, folder, list(_table(tuned)), as_json=as_json)


def _print_packed(card: ModelCard, folder: Path, lines: list[str], *, as_json: bool) -> None:
    if as_json:
        print(card.model_dump_json(indent=2, by_alias=True))
        return
    print(f"model    {folder}  {card.digest[:12]}")
    for line in lines:
        print(f"         {line}".rstrip())


def _fine_tuned(request: FineTuneRequest) -> FineTuned:
    from rich.console import Console

    from cxpath.app.fine_tune import fine_tune as run_fine_tuning
    from cxpath.training import training_bar

    with training_bar(Console(stderr=True)) as watch:
        return run_fine_tuning(request, watch=watch)


def _table(tuned: FineTuned) -> Iterator[str]:
    yield f"measured on {tuned.evaluated_on}"
    yield f"{'':40}{'before':>22}{'after':>22}{'of':>8}"
    for one in tuned.comparisons:
        yield f"{one.label:40}{_figure(one.before):>22}{_figure(one.after):>22}{_rests_on(one):>8}"


def _figure(metric: Metric | None) -> str:
    if metric is None:
        return "not known"
    interval = f" ({metric.low:.2f} to {metric.high:.2f})" if metric.low is not None else ""
    return f"{metric.value:.3f}{interval}"


def _rests_on(one: Comparison) -> str:
    metric = one.after or one.before
    return "" if metric is None else str(metric.count)
