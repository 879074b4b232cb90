"""Make the pictures of a synthetic slide's report and of the worked case's board page, for README and docs.

Run as `python -m scripts.studies.make_report_pictures docs/images`.
"""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import cxpath as cx
from cxpath.synth.slide import write_synthetic_slide
from scripts.studies.contact_sheet import write_small
from tests.driven_browser import Tab, chromium

WIDTH, HEIGHT, SCALE = 1000, 800, 1.25
LARGEST_BYTES = 160_000
MARGIN_PX = 12
PICTURES = {
    "report-top": (".title", ".summary"),
    "report-tissue": (".overview",),
    "report-field": (".legend", "article.field"),
    "report-score": (".certainty",),
}
"""The name of each picture and what it shows: from the first element to the last."""
WORKED_CASE = "configs/profile/worked_case.toml"


def main() -> None:
    """Write the pictures into the folder that is given."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide = folder / "case-17.svs"
        write_synthetic_slide(slide, seed=5, cps=12.0, width_px=8192, height_px=8192)
        cx.score_slide(slide, folder / "out", assay="22c3", device="cpu")
        with chromium(folder / "profile") as driven:
            tab = driven.open_tab(WIDTH, HEIGHT)
            tab.resize(WIDTH, HEIGHT, SCALE)
            tab.goto((folder / "out" / "report.html").as_uri())
            tab.evaluate("document.querySelectorAll('.field-map').forEach(one => one.remove())")
            tab.wait_for("[...document.images].every(one => one.complete)")
            for picture, selectors in PICTURES.items():
                _write(tab, selectors, target / f"{picture}.webp")
            _board(tab, folder / "board", target / "board.webp")


def _board(tab: Tab, out: Path, path: Path) -> None:
    """Show the first page of the worked case as it is printed."""
    words = ["therapy", "review", WORKED_CASE, "--out", str(out)]
    subprocess.run([sys.executable, "-m", "cxpath", *words], check=True, capture_output=True)
    tab.goto((out / "board.html").as_uri())
    _write(tab, (".title", ".first-cautions"), path)


def _write(tab: Tab, selectors: tuple[str, ...], path: Path) -> None:
    boxes = [
        tab.evaluate(
            f"(() => {{ const b = document.querySelector('{one}').getBoundingClientRect();"
            " return [b.left + scrollX, b.top + scrollY, b.right + scrollX, b.bottom + scrollY] })()"
        )
        for one in selectors
    ]
    left, top = (min(box[at] for box in boxes) for at in (0, 1))
    right, bottom = (max(box[at] for box in boxes) for at in (2, 3))
    clip = {"x": left - MARGIN_PX, "y": top, "width": right - left + 2 * MARGIN_PX, "height": bottom - top}
    shot = tab.send(
        "Page.captureScreenshot", format="png", clip=clip | {"scale": 1}, captureBeyondViewport=True
    )
    picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    quality = write_small(picture, path, LARGEST_BYTES)
    print(path, picture.size, path.stat().st_size, f"quality {quality}")


if __name__ == "__main__":
    main()
