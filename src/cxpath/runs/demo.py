"""The demo: a drawn slide whose every cell is known, scored like any other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cxpath.runs.documents import write_json
from cxpath.runs.score_request import ScoreRequest
from cxpath.runs.score_slide import Progress, score_slide
from cxpath.scores.slide_score import SlideScore
from cxpath.training.synthetic.slide import SlideTruth, draw_slide
from cxpath.values.errors import OutputError


@dataclass(frozen=True, eq=False)
class DemoSlide:
    """A drawn slide and its truth."""

    path: Path
    truth: SlideTruth


def draw_demo_slide(out: Path, seed: int, cps: float) -> DemoSlide:
    """Draw the slide beside the results folder, with its truth in a JSON of the same name.

    Parameters
    ----------
    out : Path
        The results folder to be.
    seed : int
    cps : float
        About the true CPS to draw.
    """
    path = out.parent / f"{out.name}-slide.svs"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot be written: {error.strerror}", "choose another --out"
        ) from error
    truth = draw_slide(path, seed=seed, cps=cps)
    counts = {name: value for name, value in vars(truth).items() if isinstance(value, int | float)}
    write_json(path.with_suffix(".truth.json"), {"seed": seed, **counts})
    return DemoSlide(path, truth)


def score_demo_slide(
    drawn: DemoSlide, out: Path, device: str, progress: Progress | None = None
) -> SlideScore:
    """Score a drawn slide as if it had been stained with 22C3; replaces an earlier demo's result."""
    request = ScoreRequest(drawn.path, out, overwrite=True, assay="22c3", device=device)
    return score_slide(request, progress)
