"""Make the pictures of a review and of a reader study: synthetic slides in a real browser.

Run as `python -m scripts.studies.make_review_pictures docs/images`.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

import cxpath as cx
from cxpath.app.study import renew_token
from cxpath.synth.slide import write_synthetic_slide
from scripts.studies.contact_sheet import write_small
from tests.driven_browser import SHIFT, Tab, chromium
from tests.viewer.reviewed_page import PAGE, open_page, press_answer, saved, served, start_audit, switch_to
from tests.viewer.study_servers import own_process, slides, study_of

WIDTH, HEIGHT = 1280, 800
LARGEST_BYTES = 120_000
ANSWERS = 23
SHARP_S = 5.0


def main() -> None:
    """Write the pictures into the folder that is given."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide = folder / "synthetic.svs"
        write_synthetic_slide(slide, seed=5, cps=12.0, width_px=8192, height_px=8192)
        cx.score_slide(slide, folder / "out", assay="22c3", device="cpu")
        with served(folder / "out", slide) as review, chromium(folder / "profile") as driven:
            tab = open_page(driven, review.link)
            tab.resize(WIDTH, HEIGHT)
            _fields(tab, target)
            _gallery(tab, target)
            _audit(tab, target)
        _reading(folder, target)


def _reading(folder: Path, target: Path) -> None:
    """Show a slide of a reader study as a reader meets it."""
    study = study_of(folder / "study", slides(folder / "read"))
    with own_process(study) as site, chromium(folder / "reader") as driven:
        tab = driven.open_tab(WIDTH, HEIGHT)
        tab.goto(f"{site.origin}/enter#{renew_token(site.study, 'r2')}")
        tab.wait_for("location.pathname === '/' && document.querySelector('#start')?.hidden === false")
        tab.click_on("#start")
        tab.wait_for("document.querySelector('.scale-bar').textContent", patience_s=60)
        time.sleep(SHARP_S)  # the viewer says nothing of it when its tiles are sharp
        _picture(tab, target / "reader-study.webp")


def _fields(tab: Tab, target: Path) -> None:
    switch_to(tab, "fields")
    _settled(tab)
    tab.press("]")
    _write(tab, target / "review-fields.webp")


def _gallery(tab: Tab, target: Path) -> None:
    switch_to(tab, "gallery")
    tab.wait_for("document.querySelectorAll('.tile').length > 16")
    tab.click_on(".tile:nth-child(2)")
    tab.press("1")
    tab.click_on(".tile:nth-child(11)")
    tab.click_on(".tile:nth-child(14)", SHIFT)
    _write(tab, target / "review-gallery.webp")
    tab.press("Escape")


def _audit(tab: Tab, target: Path) -> None:
    start_audit(tab)
    for place in range(ANSWERS):
        press_answer(tab, ("tumour", "immune", "other")[place % 3], stained=False)
    tab.press("1")
    _write(tab, target / "review-audit.webp")


def _settled(tab: Tab) -> None:
    """Wait until every tile of the view is drawn."""
    loaded = "p.modes.slide.view.osd?.world.getItemAt(0)?.getFullyLoaded()"
    tab.wait_for(f"{PAGE}.then(p => {loaded})", patience_s=300)


def _write(tab: Tab, path: Path) -> None:
    saved(tab)
    _picture(tab, path)


def _picture(tab: Tab, path: Path) -> None:
    tab.wait_for("[...document.images].every(one => one.complete)")
    quality = write_small(Image.open(io.BytesIO(tab.screenshot())).convert("RGB"), path, LARGEST_BYTES)
    print(path, path.stat().st_size, f"quality {quality}")


if __name__ == "__main__":
    main()
