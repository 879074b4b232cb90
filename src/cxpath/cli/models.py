"""`cxpath models`: what models there are, what their cards say, and packing what a training left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.printing import JsonOption, print_json

models = typer.Typer(help="List models, show their cards, pack a training.", no_args_is_help=True)


@models.command(name="list")
def list_command(
    as_json: JsonOption = False,
) -> None:
    """List the models that travel with cxpath."""
    from cxpath.network.model_store import list_models

    cards = list_models()
    if as_json:
        print_json([card.model_dump(mode="json", by_alias=True) for card in cards])
        return
    for card in cards:
        print(f"{card.name}  {card.version}  {card.digest[:12]}  {card.description}")


@models.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a bundled model, or a model folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show a model's card."""
    from cxpath.network.model_store import load_card, model_folder

    if as_json:
        print(load_card(name).model_dump_json(indent=2, by_alias=True))
        return
    load_card(name)  # a damaged card is an error, not a print-out
    print((model_folder(name) / "card.toml").read_text(encoding="utf-8").rstrip())


@models.command()
def pack(
    work: Annotated[Path, typer.Argument(help="The --work folder of a training, ended or interrupted.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    config: Annotated[Path, typer.Option(help="The settings (TOML) that the training was started with.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the model's card as JSON.")] = False,
) -> None:
    """Choose the thresholds of a training's network as it stands, measure it and pack it as a model.

    The end of `cxpath train`, for one that was interrupted or is still running.
    """
    from cxpath.training.make_model import pack_work
    from cxpath.training.settings import read_training_settings

    command = f"cxpath models pack --config {config.name}"
    card = pack_work(read_training_settings(config), work, out, command=command)
    if as_json:
        print(card.model_dump_json(indent=2, by_alias=True))
        return
    print(f"model    {out}  {card.digest[:12]}  ({card.training.steps} steps)")
    for name, metric in card.metrics.items():
        print(f"         {name}: {metric.value:.3f}")
