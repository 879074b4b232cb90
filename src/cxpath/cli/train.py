"""`cxpath train`: from a configuration, or from a model and a lab's annotations, to a packed model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxpath.values.errors import ConfigurationError

if TYPE_CHECKING:
    from cxpath.network.card import Metric, ModelCard
    from cxpath.training.annotations.fine_tune import Comparison, FineTuned, FineTuneRequest


def train(
    config: Annotated[
        Path | None,
        typer.Option(help="Settings (TOML), as configs/training/small.toml; optional with --annotations."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Model that fine-tuning starts from: a name or a folder.")
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Folder of images with QuPath GeoJSON of the same names.")
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(help="What their class names teach (TOML).", show_default="qupath_pdl1.toml"),
    ] = None,
    mpp: Annotated[float | None, typer.Option(help="µm per pixel of images that do not say it.")] = None,
    work: Annotated[
        Path, typer.Option(help="Drawn fields and the checkpoint; a second call resumes.")
    ] = Path("cxpath-out/training"),
    out: Annotated[Path | None, typer.Option(help="Model folder.", show_default="WORK/model")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the model's card as JSON.")] = False,
) -> None:
    """Train a network on drawn tissue, or fine-tune a model on annotated images of your own.

    `--config FILE` draws tissue, trains, measures on held-out drawings and packs the model.
    `--from MODEL --annotations DIR` goes on from a model, measures it before and after on held-out images.
    Interrupt with Ctrl-C and call again: training goes on from its checkpoint.
    """
    folder = out or work / "model"
    if annotations is None:
        _refuse_without_annotations(start, classes, mpp)
        card = _from_configuration(config, work, folder)
        lines = [f"{name}: {metric.value:.3f}" for name, metric in card.metrics.items()]
    else:
        tuned = _fine_tuned(_request(config, start, annotations, classes, mpp, work, folder))
        card, lines = tuned.card, list(_table(tuned))
    if as_json:
        print(card.model_dump_json(indent=2, by_alias=True))
        return
    print(f"model    {folder}  {card.digest[:12]}")
    for line in lines:
        print(f"         {line}".rstrip())


def _refuse_without_annotations(start: str | None, classes: Path | None, mpp: float | None) -> None:
    for name, value in (("--from", start), ("--classes", classes), ("--mpp", mpp)):
        if value is not None:
            raise ConfigurationError(
                f"{name} goes with --annotations DIR",
                "to go on from a model with drawn tissue alone, set start_from in the configuration",
            )


def _from_configuration(config: Path | None, work: Path, folder: Path) -> ModelCard:
    from rich.console import Console

    from cxpath.training.make_model import make_model
    from cxpath.training.progress_bar import training_bar
    from cxpath.training.settings import read_training_settings

    if config is None:
        raise ConfigurationError("nothing to train", "give --config FILE, or --from MODEL --annotations DIR")
    settings = read_training_settings(config)
    with training_bar(Console(stderr=True)) as watch:
        return make_model(settings, work, folder, command=f"cxpath train --config {config.name}", watch=watch)


def _request(
    config: Path | None,
    start: str | None,
    annotations: Path,
    classes: Path | None,
    mpp: float | None,
    work: Path,
    folder: Path,
) -> FineTuneRequest:
    from cxpath.training.annotations.class_map import default_class_map, read_class_map
    from cxpath.training.annotations.fine_tune import FineTuneRequest
    from cxpath.training.annotations.settings import FineTuneSettings, read_fine_tune_settings

    if start is None:
        raise ConfigurationError("--annotations needs a model to start from", "add --from small")
    return FineTuneRequest(
        model=start,
        annotations=annotations,
        class_map=read_class_map(classes or default_class_map()),
        settings=read_fine_tune_settings(config) if config else FineTuneSettings(),
        work=work,
        out=folder,
        mpp=mpp,
    )


def _fine_tuned(request: FineTuneRequest) -> FineTuned:
    from rich.console import Console

    from cxpath.training.annotations.fine_tune import fine_tune
    from cxpath.training.progress_bar import training_bar

    with training_bar(Console(stderr=True)) as watch:
        return fine_tune(request, watch=watch)


def _table(tuned: FineTuned) -> Iterator[str]:
    yield f"judged on {tuned.judged_on}"
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
