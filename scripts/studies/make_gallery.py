"""Make the pictures of docs/gallery.md: reports of synthetic slides, as a browser shows them.

Run as `python -m scripts.studies.make_gallery docs/images`; the other pictures of that page have scripts of
their own.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import cxpath
from cxpath.app import ScoreRequest
from cxpath.batch import BatchRequest, plan_batch, run_tasks
from cxpath.synth import write_synthetic_slide
from scripts.studies.contact_sheet import write_small
from tests.driven_browser import Tab, chromium

SLIDES_CPS = {"case1": 0.2, "case2": 1.5, "case3": 6.0, "case4": 14.0, "case5": 38.0}
READERS = {"amber": (0.1, 0.5), "birch": (-0.2, 0.6), "cedar": (0.0, 0.4), "cxpath": (0.0, 0.3)}
"""Bias and spread of each reader's log score."""
LARGEST_BYTES = 110_000


@dataclass(frozen=True)
class View:
    """A picture of a page: from the heading that is named, or from the top."""

    name: str
    page: str
    heading: str = ""
    width: int = 1100
    height: int = 820


VIEWS = (
    View("report.webp", "cohort/case3/report.html"),
    View("report-fields.webp", "cohort/case3/report.html", "Fields"),
    View("cohort.webp", "cohort/cohort.html"),
    View("agreement.webp", "study/report.html", "Main figures"),
)


def main() -> None:
    """Write the pictures into the folder that is given."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        score_cohort(folder)
        study_reads(folder)
        with chromium(folder / "profile") as driven:
            for view in VIEWS:
                write_view(driven.open_tab(view.width, view.height), view, folder, target)


def score_cohort(folder: Path) -> None:
    """Make the slides and score them as a batch into `cohort`."""
    slides = folder / "slides"
    slides.mkdir()
    for seed, (name, cps) in enumerate(SLIDES_CPS.items(), start=21):
        write_synthetic_slide(slides / f"{name}.svs", seed=seed, cps=cps, width_px=4096, height_px=4096)
    request = BatchRequest(
        source=str(slides),
        out=folder / "cohort",
        template=ScoreRequest(slide=slides, assay="22c3", device="cpu"),
    )
    tasks, _ = plan_batch(request)
    run_tasks(request, tasks, lambda *_: None)


def study_reads(folder: Path) -> None:
    """Simulate the reads of 60 cases and study them into `study`."""
    rng = np.random.default_rng(2026)
    truth = rng.lognormal(np.log(6), 1.6, size=60)
    seen = {
        name: np.clip(truth * np.exp(bias + spread * rng.standard_normal(60)), 0, 100)
        for name, (bias, spread) in READERS.items()
    }
    rows = [
        ",".join([f"case{case + 1:02}", *(f"{scores[case]:.3g}" for scores in seen.values())])
        for case in range(60)
    ]
    (folder / "reads.csv").write_text("\n".join([",".join(["case", *seen]), *rows]), encoding="utf-8")
    cxpath.compare_reads(folder / "reads.csv", folder / "study", software="cxpath")


def write_view(tab: Tab, view: View, folder: Path, target: Path) -> None:
    """Open a page, scroll to the heading, and write what is seen."""
    tab.goto((folder / view.page).as_uri())
    tab.wait_for("[...document.images].every(one => one.complete)")
    if view.heading:
        starts = f"one.innerText.startsWith({json.dumps(view.heading)})"
        tab.evaluate(f"[...document.querySelectorAll('h2')].find(one => {starts}).scrollIntoView()")
    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    quality = write_small(picture, target / view.name, LARGEST_BYTES)
    print(target / view.name, (target / view.name).stat().st_size, f"quality {quality}")


if __name__ == "__main__":
    main()
