"""`cxpath models`: what models there are and what their cards say."""

from __future__ import annotations

from typing import Annotated

import typer

models = typer.Typer(help="List models and show their cards.", no_args_is_help=True)


@models.command(name="list")
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that travel with cxpath."""
    import json

    from cxpath.network.model_store import list_models

    cards = list_models()
    if as_json:
        print(json.dumps([card.model_dump(mode="json", by_alias=True) for card in cards], indent=2))
        return
    for card in cards:
        print(f"{card.name}  {card.version}  {card.digest[:12]}  {card.description}")


@models.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a bundled model, or a model folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a model's card."""
    from cxpath.network.model_store import load_card, model_folder

    if as_json:
        print(load_card(name).model_dump_json(indent=2, by_alias=True))
        return
    load_card(name)  # a damaged card is an error, not a print-out
    print((model_folder(name) / "card.toml").read_text(encoding="utf-8").rstrip())
