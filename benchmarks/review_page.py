"""The page of a review in a real browser: seconds until the slide and its cells show, frames a second.

Headless Chromium draws WebGL2 on the processor (SwiftShader), so the frames are those of a machine without
graphics; one with graphics shows more. It is a part of `make bench ONLY=review`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.review_server import served
from cxpath.slide.open import open_slide
from tests.driven_browser import Tab, chromium

_PAGE = "import('/static/main.js').then(m => m.page)"
_SECONDS = 5
_READY = f"{_PAGE}.then(p => p.ready)"
_TO_SLIDE = "import('/static/main.js').then(m => { m.switchTo('slide') })"
_SLIDE_SHOWS = (
    f"{_PAGE}.then(p => p.ready && p.modes.slide.view.ready && p.modes.slide.view.cells?.count > 0)"
)
_CLEARED = "p.modes.slide.view.osd.world.getItemAt(0)?.getFullyLoaded()"

# Moves the view a little before every frame, as a hand does that drags it, and counts the frames.
_FRAMES = f"""{_PAGE}.then(page => new Promise(done => {{
  const view = page.modes.slide.view;
  const started = performance.now();
  let frames = 0;
  const step = (now) => {{
    if (now - started > {1000 * _SECONDS}) return done(frames / {_SECONDS});
    frames += 1;
    MOVE
    view.redraw();
    requestAnimationFrame(step);
  }};
  requestAnimationFrame(step);
}}))"""
_PAN = """const far = view.osd.viewport.getBounds(true).width * 0.01 * (frames % 200 < 100 ? 1 : -1);
    view.osd.viewport.panBy(new OpenSeadragon.Point(far, 0), true);"""
_ZOOM = "view.osd.viewport.zoomBy(frames % 40 < 20 ? 1.02 : 1 / 1.02, null, true);"


def measure_page(link: str, middle_px: tuple[float, float]) -> dict[str, float]:
    """Open a review by its link and move in it; the server runs elsewhere.

    Parameters
    ----------
    link : str
        Works once.
    middle_px : tuple of float
        A place on the slide, level 0, around which to move in a field view.
    """
    with TemporaryDirectory() as profile, chromium(Path(profile)) as driven:
        tab = driven.open_tab()
        started = perf_counter()
        tab.goto(link)
        tab.wait_for(_READY)
        tab.evaluate(_TO_SLIDE)
        tab.wait_for(_SLIDE_SHOWS)
        first_paint_s = perf_counter() - started
        if tab.evaluate("document.getElementById('name-dialog').open"):
            tab.press("Escape")
        return {"page_s": first_paint_s, **_frames(tab, middle_px)}


def _frames(tab: Tab, middle_px: tuple[float, float]) -> dict[str, float]:
    x_px, y_px = middle_px
    tab.evaluate(
        f"{_PAGE}.then(p => {{ p.modes.slide.view.showPlace({x_px}, {y_px}, 620, {{at_once: true}}) }})"
    )
    tab.wait_for(f"{_PAGE}.then(p => {_CLEARED})")
    return {
        "pan_frames": float(tab.evaluate(_FRAMES.replace("MOVE", _PAN))),
        "zoom_frames": float(tab.evaluate(_FRAMES.replace("MOVE", _ZOOM))),
    }


if __name__ == "__main__":
    reviewed, reviewed_slide = Path(sys.argv[1]), Path(sys.argv[2])
    with open_slide(reviewed_slide) as opened:
        middle = (opened.width_px / 2, opened.height_px / 2)
    with served(reviewed, reviewed_slide) as serving:
        print(json.dumps(measure_page(serving[0], middle)))
