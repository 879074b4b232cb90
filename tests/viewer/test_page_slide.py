"""Slide, fields and gallery in a real browser: marks on pixels, edits, lasso, regions, two tabs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from cxpath.documents import ScoreDocument
from cxpath.scores.counts import printed_form, two_decimals
from tests.driven_browser import CONTROL, SHIFT, Chromium, Tab
from tests.viewer.reviewed_page import PAGE, REVIEW, ServedReview, open_page, saved, switch_to

VIEW = f"{PAGE}.then(p => p.modes.slide.view)"

PIXELS = f"""{VIEW}.then(view => {{
  view.draw();
  const {{ gl }} = view.layer, [w, h] = [view.cellCanvas.width, view.cellCanvas.height];
  const rgba = new Uint8Array(w * h * 4);
  gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
  const near = ([r, g, b]) => {{
    let count = 0;
    for (let i = 0; i < rgba.length; i += 4)
      if (rgba[i + 3] > 200 && [r, g, b].every((value, at) => Math.abs(rgba[i + at] - value) < 5)) count += 1;
    return count;
  }};
  return import('/static/marks.js').then(m => ({{
    stained: near(m.COLOURS.stained), unstained: near(m.COLOURS.unstained), other: near(m.COLOURS.other),
    drawn: rgba.filter((a, i) => i % 4 === 3 && a > 0).length, handed: view.handed }}));
}})"""
"""What the graphics drew: pixels in the colour of each mark, and cells handed over."""


TILES_REST = """(() => {
  const places = [...document.querySelectorAll('.tile')].map(one => one.getBoundingClientRect());
  const before = window.tilesBefore;
  window.tilesBefore = JSON.stringify(places);
  return before === window.tilesBefore })()"""
"""Whether the gallery's tiles lie where they lay when this was asked last: a click would hit a neighbour."""


@pytest.fixture
def tab(review: ServedReview, driven: Chromium) -> Any:
    """A tab that shows the middle of the slide at a field's magnification; complains of any console error."""
    tab = open_page(driven, review.link)
    switch_to(tab, "slide")
    tab.wait_for(f"{VIEW}.then(v => v.ready)")
    _look_at_the_middle(tab)
    yield tab
    assert not tab.errors
    tab.close()


def _look_at_the_middle(tab: Tab, side_um: int = 160) -> None:
    """Show the middle, and again until the viewer has noticed the size of its place on the page."""
    tab.wait_for(f"""{VIEW}.then(v => {{
      v.showPlace(2048, 2048, {side_um}, {{ at_once: true }});
      v.draw();
      const {{ left, top, right, bottom }} = v.box, size = v.osd.viewport.getContainerSize();
      const side_um = Math.min(right - left, bottom - top) * v.slide.mpp;
      return size.x === v.host.clientWidth && size.y === v.host.clientHeight && size.y > 200
        && Math.abs(side_um - {side_um}) < 1 }})""")


def _shown(tab: Tab, where: str) -> list[int]:
    """Return the cells in view that fulfil a condition on `r` (the review) and `id`."""
    script = f"""{REVIEW}.then(r => {VIEW}.then(v => {{
      const {{ left, top, right, bottom }} = v.box, inset = (right - left) * 0.2;
      const box = {{ left: left + inset, top: top + inset, right: right - inset, bottom: bottom - inset }};
      return [...r.cells.inside(box)].filter(id => {where}) }}))"""
    return [int(cell) for cell in tab.evaluate(script)]


def _place(tab: Tab, cell: int) -> tuple[float, float]:
    """Return where a cell is in the window."""
    x, y = tab.evaluate(
        f"{REVIEW}.then(r => {VIEW}.then(v => {{ const {{ x: xs, y: ys }} = r.cells;"
        f" const [x, y] = v.toScreen(xs[{cell}], ys[{cell}]);"
        " const b = v.host.getBoundingClientRect(); return [x + b.x, y + b.y] }))"
    )
    return float(x), float(y)


def test_marks_are_outlines_whose_colour_and_number_follow_the_cells(tab: Tab) -> None:
    """Pixels read back: each class has its colour, an edit changes it, H hides all."""
    before = tab.evaluate(PIXELS)
    assert before["stained"] > 0
    assert before["unstained"] > 0
    total = tab.evaluate(f"{REVIEW}.then(r => r.cells.count)")
    assert 0 < before["handed"] < total
    area = tab.evaluate(f"{VIEW}.then(v => v.cellCanvas.width * v.cellCanvas.height)")
    assert before["drawn"] < 0.5 * area
    cell = _shown(tab, "r.cells.kind[id] < 2 && !r.cells.isStained(id)")[0]
    tab.click(*_place(tab, cell))
    tab.press("p")
    assert saved(tab)["edited"]["changed"] == 1
    after = tab.evaluate(PIXELS)
    assert after["stained"] > before["stained"]
    assert after["unstained"] < before["unstained"]
    tab.hold("h")
    assert tab.evaluate(f"{VIEW}.then(v => v.marksHidden)")
    assert tab.evaluate(PIXELS)["drawn"] == 0
    tab.release("h")
    assert tab.evaluate(PIXELS)["drawn"] > 0


def test_a_field_view_hands_over_only_the_squares_in_view_and_far_away_all_cells_count(tab: Tab) -> None:
    _look_at_the_middle(tab, 60)
    few = tab.evaluate(PIXELS)["handed"]
    _look_at_the_middle(tab, 400)
    assert few < tab.evaluate(PIXELS)["handed"]
    tab.resize(900, 600)
    tab.press("0")
    tab.wait_for(f"{VIEW}.then(v => v.showsDensity)")
    tab.wait_for("!document.getElementById('view-note').hidden")
    script = f"""{REVIEW}.then(r => import('/static/density.js').then(d => {{
      const side = 96, n = Math.ceil(4096 / side), {{ all, stained }} = d.binned(r.cells, side, n, n);
      const sum = (a) => a.reduce((x, y) => x + y, 0);
      return [sum(all), sum(stained), r.cells.kind.filter(k => k < 2).length] }}))"""
    counted, stained, cells = tab.evaluate(script)
    assert counted == cells
    assert 0 < stained < counted


def test_a_click_takes_the_cell_under_it_and_a_key_decides_and_goes_on(
    tab: Tab, review: ServedReview
) -> None:
    cell = _shown(tab, "r.cells.kind[id] === 0")[0]
    tab.click(*_place(tab, cell))
    assert tab.text("#cell-card h3") == f"Cell {cell}"
    tab.press("3")
    assert tab.text("#cell-card h3") != f"Cell {cell}"
    state = saved(tab)
    assert state["edited"]["changed"] == 1
    assert state["edited"]["tumour"] == state["network"]["tumour"] - 1
    assert len(review.state.edits) == 1
    assert "other" in tab.text("#last-action")
    tab.press("z")
    assert saved(tab)["edited"] is None
    assert not review.state.edits
    assert tab.evaluate(f"{REVIEW}.then(r => r.cells.kind[{cell}])") == 0


def test_a_press_held_for_longer_than_a_quick_click_takes_the_cell_too(tab: Tab) -> None:
    cell = _shown(tab, "r.cells.kind[id] === 0")[0]
    x, y = _place(tab, cell)
    tab.mouse("mouseMoved", x, y)
    tab.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
    tab.evaluate("new Promise(held => setTimeout(() => held(true), 450))")
    tab.mouse("mouseReleased", x, y, button="left", clickCount=1)
    assert tab.text("#cell-card h3") == f"Cell {cell}"


def test_a_lasso_and_one_key_decide_about_all_cells_inside(tab: Tab, review: ServedReview) -> None:
    tab.press("l")
    inside = _shown(tab, "r.cells.kind[id] < 3")
    box = tab.evaluate(
        f"{VIEW}.then(v => {{ const b = v.host.getBoundingClientRect(), i = b.width * 0.2;"
        " return [b.left + i, b.top + i, b.right - i, b.bottom - i] })"
    )
    left, top, right, bottom = box
    tab.drag([(left, top), (right, top), (right, bottom), (left, bottom), (left, top + 4)])
    tab.wait_for("document.querySelector('#cell-card .tally')")
    chosen = tab.evaluate(f"{PAGE}.then(p => p.modes.slide.chosen)")
    assert sorted(chosen) == sorted(inside)
    tab.press("4")
    assert saved(tab)["edited"]["removed"] == len(inside)
    tab.press("z")
    assert saved(tab)["edited"] is None


def test_a_region_is_drawn_by_pointer_and_another_by_keyboard(tab: Tab, review: ServedReview) -> None:
    """Both are saved with their use; the score follows; a region is removed from the list."""
    tumour = saved(tab)["network"]["tumour"]
    tab.press("e")
    tab.drag([(300, 300), (600, 300), (600, 600), (300, 600)])
    state = saved(tab)
    assert state["edited"]["regions"] == 1
    assert state["edited"]["tumour"] < tumour
    tab.press("t")
    for key in ("Enter", "ArrowRight", "Enter", "ArrowDown", "Enter", "c"):
        tab.press(key)
    assert saved(tab)["edited"]["regions"] == 2
    uses = [region["use"] for region in review.state.regions.values()]
    assert uses == ["exclude", "not invasive tumour"]
    assert all(len(region["points"]) >= 3 for region in review.state.regions.values())
    tab.wait_for("document.querySelectorAll('.regions li').length === 2")
    tab.click_on(".regions li button:last-child")
    assert saved(tab)["edited"]["regions"] == 1
    tab.wait_for("document.querySelectorAll('.regions li').length === 1")


def test_a_missed_cell_is_added_where_the_pointer_says(tab: Tab) -> None:
    before = tab.evaluate(f"{REVIEW}.then(r => r.cells.count)")
    tab.press("a")
    tab.click(500, 450)
    assert saved(tab)["edited"]["added"] == 1
    assert tab.evaluate(f"{REVIEW}.then(r => r.cells.count)") == before + 1


def test_fields_are_accepted_left_out_and_opened_by_a_link(tab: Tab, review: ServedReview) -> None:
    switch_to(tab, "fields")
    tab.wait_for("document.querySelector('.field-list tr[aria-current=true]')")
    first = tab.text(".field-list tr[aria-current=true] th")
    tab.press("f")
    assert saved(tab)["edited"]["accepted_fields"] == 1
    assert review.state.fields == {int(first)}
    tab.wait_for(f"document.querySelector('.field-list tr[aria-current=true] th').innerText !== '{first}'")
    tab.press("]")
    tab.press("x")
    assert saved(tab)["edited"]["regions"] == 1
    tab.press("z")
    tab.press("z")
    saved(tab)
    assert not review.state.fields
    tab.press("PageDown")
    tab.evaluate(f"location.hash = '#field={first}'")
    tab.wait_for(f"document.querySelector('.field-list tr[aria-current=true] th')?.innerText === '{first}'")


def test_a_field_of_the_report_on_the_disk_opens_in_the_review(
    tab: Tab, review: ServedReview, driven: Chromium, tmp_path: Path
) -> None:
    """A file's link brings no cookie along: the server's own page follows it once more."""
    stated = ScoreDocument.read(review.folder / "score.json").review_port
    port = review.server.access.address.port
    html = (review.folder / "report.html").read_text(encoding="utf-8")
    own = tmp_path / "report.html"
    own.write_text(html.replace(f"127.0.0.1:{stated}", f"127.0.0.1:{port}"), encoding="utf-8")
    report = driven.open_tab()
    report.goto(own.as_uri())
    link = report.evaluate("document.querySelector('.field a').href")
    heading = report.text(".field h4")
    report.evaluate("document.querySelector('.field a').removeAttribute('target')")
    report.click_on(".field a")
    report.wait_for(f"location.host === '127.0.0.1:{port}' && document.body?.dataset.mode === 'fields'")
    report.wait_for(f"{PAGE}.then(p => p.modes.fields.field !== undefined)")
    shown = report.evaluate(f"{PAGE}.then(p => p.modes.fields.field)")
    asked = {name: float(value) for name, value in parse_qsl(urlsplit(link).query) if name != "of"}
    assert shown["left_px"] <= asked["field_x"] < shown["left_px"] + shown["side_px"]
    assert shown["top_px"] <= asked["field_y"] < shown["top_px"] + shown["side_px"]
    assert f"Field {shown['number']} " in heading
    assert report.text(".field-list tr[aria-current=true] th") == str(shown["number"])
    assert not report.errors
    report.close()


def test_many_cells_of_the_gallery_are_decided_by_shift_click_and_one_key(
    tab: Tab, review: ServedReview
) -> None:
    switch_to(tab, "gallery")
    tab.wait_for("document.querySelectorAll('.tile').length === 64")
    tab.wait_for(TILES_REST)
    tab.click_on(".tile:nth-child(2)")
    tab.click_on(".tile:nth-child(9)", SHIFT)
    assert tab.evaluate("document.querySelectorAll('.tile[aria-selected=true]').length") == 8
    tab.press("3")
    saved(tab)
    assert len(review.state.edits) == 8
    assert tab.evaluate("document.querySelectorAll('.tile.decided').length") == 8
    for _ in range(3):
        tab.press("ArrowRight", SHIFT)
    tab.press(" ")
    saved(tab)
    assert len(review.state.edits) == 12
    tab.press("]")
    tab.wait_for("document.querySelectorAll('.tile.decided').length === 0")
    assert len(review.state.edits) == 12


def test_a_whole_page_of_the_gallery_is_accepted_by_one_decision_and_one_undo_opens_it_again(
    tab: Tab, review: ServedReview
) -> None:
    """The cells have different calls; after the undo each tile shows its own call again."""
    switch_to(tab, "gallery")
    tab.wait_for("document.querySelectorAll('.tile').length === 64")
    first = captions(tab)
    assert len(set(first)) > 1
    before = saved(tab)["events"]
    tab.press("a", CONTROL)
    tab.press(" ")
    assert saved(tab)["undo"]["text"] == "64 cells edited"
    assert len(review.state.edits) == 64
    tab.wait_for("document.querySelectorAll('.tile.decided').length === 0")  # the next page
    tab.press("z")
    assert saved(tab)["edited"] is None
    assert not review.state.edits
    assert saved(tab)["events"] <= before + 3  # perhaps with the one that begins a review


def test_an_undo_shows_the_calls_of_the_gallery_as_they_were(tab: Tab, review: ServedReview) -> None:
    switch_to(tab, "gallery")
    tab.wait_for("document.querySelectorAll('.tile').length === 64")
    first = captions(tab)
    tab.click_on(".tile:nth-child(1)")
    tab.click_on(".tile:nth-child(12)", SHIFT)
    tab.press("4")
    saved(tab)
    assert captions(tab)[:12] == ["not a cell✓"] * 12
    tab.press("z")
    assert saved(tab)["edited"] is None
    tab.wait_for("document.querySelectorAll('.tile.decided').length === 0")
    assert captions(tab) == first


def captions(tab: Tab) -> list[str]:
    """Return what the gallery says of its cells."""
    found: list[str] = tab.evaluate(
        "[...document.querySelectorAll('.tile .caption')].map(p => p.textContent)"
    )
    return found


def test_the_page_prints_a_score_as_python_does(tab: Tab) -> None:
    scores = [0.0, 1e-9, 0.29, 0.96, 0.999, 1.0, 1.1, 4.35, 9.96, 9.999, 10.0, 12.341069, 99.99, 100.0, 1 / 3]
    module = "import('/static/printed.js')"
    shown = tab.evaluate(f"{module}.then(m => {scores}.map(s => [m.printedForm(s), m.twoDecimals(s)]))")
    assert shown == [[printed_form(score), two_decimals(score)] for score in scores]


def test_two_tabs_see_each_others_decisions(tab: Tab, review: ServedReview, driven: Chromium) -> None:
    """The second tab shares the cookie; what one decides the other shows, and either undoes it."""
    other = driven.open_tab()
    other.goto(f"http://{urlsplit(tab.requests[0]).netloc}/#slide")
    other.wait_for(f"{PAGE}.then(p => p.ready)")
    tab.send("Page.bringToFront")
    cell = _shown(tab, "r.cells.kind[id] === 0")[0]
    tab.click(*_place(tab, cell))
    tab.press("2")
    assert saved(tab)["edited"]["changed"] == 1
    other.send("Page.bringToFront")
    other.evaluate(f"{REVIEW}.then(r => r.lookForChanges())")
    other.wait_for(f"{REVIEW}.then(r => r.cells.kind[{cell}] === 1)")
    assert saved(other)["edited"]["changed"] == 1
    other.press("z")
    saved(other)
    tab.evaluate(f"{REVIEW}.then(r => r.lookForChanges())")
    tab.wait_for(f"{REVIEW}.then(r => r.cells.kind[{cell}] === 0)")
    assert saved(tab)["edited"] is None
    assert not other.errors
    other.close()


def test_the_heat_map_and_the_tissue_are_layers_that_can_be_switched(tab: Tab) -> None:
    tab.resize(900, 600)
    tab.press("0")
    count = f"""{VIEW}.then(v => {{ v.draw(); const {{ width, height }} = v.drawCanvas;
      const {{ data }} = v.context.getImageData(0, 0, width, height);
      return data.filter((a, i) => i % 4 === 3 && a > 0).length }})"""
    tab.wait_for(f"{VIEW}.then(v => v.showsDensity)")
    tab.click_on(".layers .check:nth-of-type(4)")
    tissue = tab.evaluate(count)
    assert tissue > 0
    tab.click_on(".layers .check:nth-of-type(1)")
    assert tab.evaluate(count) < tissue
    tab.click_on(".layers .check:nth-of-type(3)")
    tab.wait_for(f"{PAGE}.then(p => p.modes.slide.overlay.heat)")
    assert tab.evaluate(count) > tissue


def test_without_webgl_the_same_marks_are_drawn_on_a_plain_canvas(
    review: ServedReview, driven: Chromium
) -> None:
    tab = driven.open_tab()
    tab.send(
        "Page.addScriptToEvaluateOnNewDocument",
        source="const get = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext ="
        " function (kind, ...more)"
        " { return kind.startsWith('webgl') ? null : get.call(this, kind, ...more) }",
    )
    tab.goto(review.link)
    tab.wait_for(f"{PAGE}.then(p => p.ready)")
    tab.press("Escape")
    switch_to(tab, "slide")
    tab.wait_for(f"{VIEW}.then(v => v.ready)")
    _look_at_the_middle(tab)
    drawn = f"""{VIEW}.then(v => {{ v.draw(); const {{ width, height }} = v.cellCanvas;
      const {{ data }} = v.layer.context.getImageData(0, 0, width, height);
      return [v.handed, data.filter((a, i) => i % 4 === 3 && a > 0).length, width * height] }})"""
    handed, pixels, area = tab.evaluate(drawn)
    assert handed > 20
    assert 0 < pixels < 0.5 * area
    assert not tab.errors
    tab.close()
