"""`cxpath train`: from a configuration to a packed model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Option(help="Training settings (TOML), as configs/training/small.toml.")],
    work: Annotated[
        Path, typer.Option(help="Drawn fields and the checkpoint; a second call resumes.")
    ] = Path("cxpath-out/training"),
    out: Annotated[Path | None, typer.Option(help="Model folder.", show_default="WORK/model")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the model's card as JSON.")] = False,
) -> None:
    """Draw tissue, train a network on it, measure it on held-out drawings, and pack the model.

    Interrupt with Ctrl-C and call again: training goes on from its checkpoint.
    """
    from rich.console import Console

    from cxpath.training.make_model import make_model
    from cxpath.training.progress_bar import training_bar
    from cxpath.training.settings import read_training_settings

    settings = read_training_settings(config)
    command = f"cxpath train --config {config.name}"
    with training_bar(Console(stderr=True)) as watch:
        card = make_model(settings, work, out or work / "model", command=command, watch=watch)
    if as_json:
        print(card.model_dump_json(indent=2, by_alias=True))
        return
    print(f"model    {out or work / 'model'}  {card.digest[:12]}")
    for name, metric in card.metrics.items():
        print(f"         {name}: {metric.value:.3f}")
