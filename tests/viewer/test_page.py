"""The page as a whole: nothing from elsewhere, whole on small and large screens, errors in one line."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cxpath.viewer.messages import STATIC
from tests.driven_browser import Chromium, Tab
from tests.viewer.reviewed_page import PAGE, REVIEW, ServedReview, open_page, saved, switch_to

VIEWS = ("audit", "fields", "gallery", "slide")
ROOT = Path(__file__).resolve().parents[2]


def test_the_vendored_viewer_is_the_published_file_and_carries_its_licence() -> None:
    content = (STATIC / "vendor" / "openseadragon.min.js").read_bytes()
    stated, name = (STATIC / "vendor" / "openseadragon.sha256").read_text().split()
    assert name == "openseadragon.min.js"
    assert hashlib.sha256(content).hexdigest() == stated
    licence = (STATIC / "vendor" / "openseadragon.LICENSE.txt").read_text()
    assert "Redistributions in binary form must reproduce" in licence
    notice = (ROOT / "NOTICE").read_text()
    assert stated in notice
    assert "OpenSeadragon" in notice


def test_no_file_of_the_page_names_another_host_or_carries_inline_code() -> None:
    own = [path for path in STATIC.rglob("*") if path.is_file() and path.parent.name != "vendor"]
    assert {path.suffix for path in own} == {".js", ".css", ".html"}
    for path in own:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path.name
        assert "eval(" not in text, path.name
        assert "innerHTML" not in text, path.name
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script>", html)


def test_every_view_asks_only_this_server_and_complains_of_nothing(
    review: ServedReview, driven: Chromium
) -> None:
    tab = open_page(driven, review.link)
    for view in VIEWS:
        switch_to(tab, view)
        tab.wait_for("document.getElementById('panel').children.length > 1")
    tab.wait_for(f"{PAGE}.then(p => p.modes.slide.view.ready)")
    hosts = {urlsplit(url).netloc for url in tab.requests if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(review.link).netloc}
    assert not tab.errors
    tab.close()


@pytest.mark.parametrize(("width", "height", "least_px"), [(1280, 800, 11), (3840, 2160, 19)])
def test_the_score_line_and_research_use_stay_on_the_screen(
    review: ServedReview, driven: Chromium, width: int, height: int, least_px: float
) -> None:
    """In every view and size: nothing sticks out, no text is too small to be read."""
    tab = open_page(driven, review.link)
    tab.resize(width, height)
    for view in VIEWS:
        switch_to(tab, view)
        tab.wait_for("document.getElementById('panel').children.length > 1")
        for selector in ("#research-use", "#score-network", "#cutoffs", "#answers-left", "footer", "#panel"):
            assert _is_whole(tab, selector, width, height), (view, selector)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert tab.evaluate("document.documentElement.scrollHeight") == height
    smallest = tab.evaluate(
        "Math.min(...[...document.querySelectorAll('.top *, .panel *, footer *')]"
        ".filter(e => !e.children.length && e.textContent.trim() && !(e instanceof SVGElement))"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= least_px
    assert "Research Use Only" in tab.text("#research-use")
    tab.close()


def _is_whole(tab: Tab, selector: str, width: int, height: int) -> bool:
    box = tab.evaluate(
        f"(() => {{ const b = document.querySelector('{selector}').getBoundingClientRect();"
        " return [b.left, b.top, b.right, b.bottom] })()"
    )
    left, top, right, bottom = box
    return bool(0 <= left < right <= width + 0.5 and 0 <= top < bottom <= height + 0.5)


def test_controls_can_be_reached_and_read_without_a_mouse(review: ServedReview, driven: Chromium) -> None:
    """Every control has a name, the focus is visible, tabs turn by arrows, what changed is announced."""
    tab = open_page(driven, review.link)
    nameless = (
        "[...document.querySelectorAll('button, input, select, [role=option], [role=tab]')].filter(e => "
        "!(e.innerText || e.ariaLabel || e.labels?.length || e.getAttribute('aria-labelledby'))).length"
    )
    for view in VIEWS:
        switch_to(tab, view)
        tab.wait_for("document.getElementById('panel').children.length > 1")
        assert tab.evaluate(nameless) == 0, view
    tab.evaluate("document.getElementById('tab-slide').focus()")
    tab.press("ArrowRight")
    assert tab.evaluate("document.body.dataset.mode") == "audit"
    assert tab.evaluate("document.activeElement.id") == "tab-audit"
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    switch_to(tab, "slide")
    tab.press("l")
    tab.wait_for("document.getElementById('announcer').textContent === 'Tool: Lasso'")
    tab.press("?")
    tab.wait_for("document.getElementById('keys-dialog').open")
    assert "cannot tell" in tab.text("#keys-sheet")
    tab.press("Escape")
    tab.close()


def test_motion_stops_where_it_is_not_wanted(review: ServedReview, driven: Chromium) -> None:
    tab = open_page(driven, review.link)
    switch_to(tab, "slide")
    tab.wait_for(f"{PAGE}.then(p => p.modes.slide.view.ready)")
    animation = f"{PAGE}.then(p => p.modes.slide.view.osd.animationTime)"
    assert tab.evaluate(animation) > 0
    reduced = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    tab.send("Emulation.setEmulatedMedia", features=reduced)
    tab.wait_for(f"{animation}.then(seconds => seconds === 0)")
    tab.close()


def test_without_a_name_one_can_look_and_the_first_decision_asks_for_it(
    review: ServedReview, driven: Chromium
) -> None:
    """The decision is kept while the name is asked for, and made with it."""
    tab = open_page(driven, review.link, name=None)
    switch_to(tab, "gallery")
    tab.wait_for("document.querySelectorAll('.tile').length > 0")
    tab.press("3")
    tab.wait_for("document.getElementById('name-dialog').open")
    tab.write("Dr B")
    tab.press("Enter")
    tab.wait_for("!document.getElementById('name-dialog').open")
    assert saved(tab)["edited"]["changed"] == 1
    assert tab.text("#reviewer") == "Reviewer: Dr B"
    tab.close()


def test_what_the_server_refuses_is_said_in_one_line_with_what_to_do(
    review: ServedReview, driven: Chromium
) -> None:
    tab = open_page(driven, review.link)
    tab.evaluate(f"{REVIEW}.then(r => {{ r.decide('/api/undo') }})")
    tab.wait_for("!document.getElementById('message').hidden")
    assert tab.text("#message-text").startswith("Error: ")
    assert "\n" not in tab.text("#message-text")
    assert tab.evaluate("document.getElementById('message').getBoundingClientRect().height") < 60
    assert tab.evaluate(f"{REVIEW}.then(r => r.outbox.waiting)") == 0
    tab.close()


def test_a_typed_letter_is_no_key_of_the_page(review: ServedReview, driven: Chromium) -> None:
    tab = open_page(driven, review.link, name=None)
    tab.evaluate("document.getElementById('reviewer').click()")
    tab.wait_for("document.getElementById('name-dialog').open")
    for letter in "z1.h":
        tab.press(letter)
    assert tab.evaluate("document.getElementById('name-input').value") == "z1.h"
    assert tab.evaluate("document.body.dataset.mode") == "audit"
    tab.close()
