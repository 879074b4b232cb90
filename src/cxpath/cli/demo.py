"""`cxpath demo`: draw a slide with known truth, score it, and print both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.printing import JsonOption, print_json
from cxpath.cli.scoring_options import DeviceOption


def demo(
    out: Annotated[Path, typer.Option(help="Results folder; the drawn slide lies beside it.")] = Path(
        "cxpath-out/demo"
    ),
    seed: Annotated[int, typer.Option(help="Another seed draws another slide.")] = 1,
    cps: Annotated[float, typer.Option(min=0, max=100, help="About the true CPS to draw.")] = 5.0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Draw a slide of several mm² with known counts, score it, and compare with the truth."""
    from cxpath.cli.progress import tile_progress
    from cxpath.cli.score import print_result
    from cxpath.runs.demo import draw_demo_slide, score_demo_slide

    if not as_json:
        print("drawing a slide ...", flush=True)
    drawn = draw_demo_slide(out, seed, cps)
    with tile_progress("scoring it") as move:
        result = score_demo_slide(drawn, out, device, move)
    truth = drawn.truth
    if as_json:
        value = result.cps.value if result.cps else None
        print_json({"cps": value, "true_cps": truth.cps, "report": str(out / "report.html")})
        return
    print_result(out, as_json=False)
    print(f"truth    CPS {truth.cps:.2f}, {truth.tumour_cells} tumour cells (drawn, seed {seed})")
