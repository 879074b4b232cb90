"""`cxpath synth`: draw a slide with exact truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.printing import JsonOption, print_document


def synth(
    slide: Annotated[Path, typer.Argument(help="The slide to write, .svs.")],
    seed: Annotated[int, typer.Option(help="Another seed draws another slide.")] = 1,
    cps: Annotated[float, typer.Option(min=0, max=100, help="About the true CPS to draw.")] = 5.0,
    side_px: Annotated[int, typer.Option(min=1024, help="Side of the slide in pixels.")] = 8192,
    as_json: JsonOption = False,
) -> None:
    """Draw a pyramidal slide at 0.25 µm/px whose every cell is known."""
    from cxpath.training.synthetic.slide import draw_slide

    truth = draw_slide(slide, seed=seed, cps=cps, width_px=side_px, height_px=side_px)
    counts = {name: value for name, value in vars(truth).items() if isinstance(value, int | float)}
    lines = [f"slide    {slide}", *(f"{name:16} {value:g}" for name, value in counts.items())]
    print_document({"slide": str(slide), "seed": seed, **counts}, lines, as_json=as_json)
