"""The audit in a real browser, by keyboard only."""

from __future__ import annotations

from urllib.parse import urlsplit

import numpy as np

from tests.driven_browser import Chromium, Tab
from tests.viewer.conftest import ErringSlide
from tests.viewer.reviewed_page import (
    PAGE,
    REVIEW,
    ServedReview,
    open_page,
    press_answer,
    question_number,
    saved,
    start_audit,
    switch_to,
)

CALLED = ("stratum", "network's call", "p_tumour", "p_stained")


def test_a_keyboard_only_audit_ends_with_an_interval_that_contains_the_truth(
    review: ServedReview, driven: Chromium, erring_slide: ErringSlide
) -> None:
    """The whole way: name, draw, a hundred answers, the audited score, the signature; no mouse."""
    tab = open_page(driven, review.link)
    start_audit(tab)
    network = saved(tab)["network"]
    for _ in range(100):
        kind, stained = erring_slide.erring.answer(*review.question_places[question_number(tab) - 1])
        press_answer(tab, kind, stained=stained)
    tab.wait_for("document.getElementById('audited-cps')")
    state = saved(tab)
    low, high = state["audited"]["interval"]
    assert low <= erring_slide.true_cps <= high
    assert state["audited"]["n"] == 100
    assert abs(network["cps"] - erring_slide.true_cps) > abs(state["audited"]["cps"] - erring_slide.true_cps)
    assert tab.text("#score-audited .value") == state["audited"]["reported"]
    assert "audited score" in tab.text("#cutoffs-by")
    _sign_by_keyboard(tab)
    assert review.state.signature is not None
    assert not tab.errors
    tab.close()


def _sign_by_keyboard(tab: Tab) -> None:
    for _ in range(40):
        if tab.evaluate("document.activeElement?.innerText ?? ''").startswith("Sign the review"):
            break
        tab.press("Tab")
    tab.press("Enter")
    tab.wait_for("document.getElementById('sign-dialog').open")
    tab.press("ArrowDown")
    tab.press("Enter")
    tab.wait_for("!document.getElementById('signature').hidden")
    assert "approved" in tab.text("#signature")
    assert "Dr Ada Example" in tab.text("#signature")


def test_twenty_cells_by_keyboard_go_on_by_themselves(review: ServedReview, driven: Chromium) -> None:
    """Every kind of answer is recorded as it was pressed, in the order of the questions."""
    tab = open_page(driven, review.link)
    start_audit(tab)
    kinds = ["tumour", "immune", "other", "not a cell", "cannot tell"] * 4
    for place, kind in enumerate(kinds):
        assert question_number(tab) == place + 1
        press_answer(tab, kind, stained=place % 2 == 0)
    assert question_number(tab) == 21
    saved(tab)
    answers = review.state.answers_of("Dr Ada Example")
    assert [answer.answer.value for answer in answers] == kinds
    audit = review.state.audit
    assert audit is not None
    for place, (answer, question) in enumerate(zip(answers, audit.draw.questions, strict=False)):
        asked = question.asks_stained and answer.answer in {"tumour", "immune"}
        assert answer.stained == (place % 2 == 0 if asked else None)
    assert "80 answers left" in tab.text("#answers-left")
    tab.close()


def test_nothing_of_a_cells_call_is_in_the_page_during_the_audit(
    review: ServedReview, driven: Chromium, erring_slide: ErringSlide
) -> None:
    """Neither words, nor places, nor the arrays that marks are drawn from tell an open question's call."""
    tab = open_page(driven, review.link)
    start_audit(tab)
    saved(tab)
    tab.wait_for(f"{REVIEW}.then(r => r.cells.kind.includes(255))")
    shown = tab.evaluate("['audit-stage', 'panel'].map(id => document.getElementById(id).outerHTML).join()")
    assert not [word for word in CALLED if word in shown]
    audit = review.state.audit
    assert audit is not None
    places = review.question_places[:5]
    for x_px, y_px in places:
        nearest = f"{REVIEW}.then(r => r.cells.kind[r.cells.nearest({x_px}, {y_px}, 2)])"
        assert tab.evaluate(nearest) == 255
        assert f"{x_px:.0f}" not in tab.evaluate("document.getElementById('audit-stage').innerHTML")
    hidden = tab.evaluate(f"{REVIEW}.then(r => r.cells.kind.filter(k => k === 255).length)")
    assert hidden == len(audit.draw.questions)
    pressed = "document.querySelectorAll('.choice[aria-pressed=true], .staining [aria-pressed=true]').length"
    assert tab.evaluate(pressed) == 0
    switch_to(tab, "slide")
    x_px, y_px = places[0]
    tab.evaluate(
        f"import('/static/main.js').then(m => {REVIEW}.then(r => "
        f"m.page.modes.slide.take(r.cells.nearest({x_px}, {y_px}, 2))))"
    )
    assert "hidden until it is audited" in tab.text("#cell-card")
    tab.press("1")
    assert "in the audit" in tab.text("#message")
    assert not review.state.edits
    assert not tab.errors
    tab.close()


def test_an_answer_is_undone_and_replaced(review: ServedReview, driven: Chromium) -> None:
    """Z opens the question again, however often; going back and answering anew replaces."""
    tab = open_page(driven, review.link)
    start_audit(tab)
    for kind in ("other", "not a cell", "cannot tell"):
        press_answer(tab, kind, stained=False)
    saved(tab)
    for left in (2, 1, 0):
        tab.press("z")
        tab.wait_for(f"{REVIEW}.then(r => r.state.audit.answered === {left})")
        tab.wait_for(f"document.querySelector('.stage-heading').innerText.startsWith('Cell {left + 1} ')")
    assert not review.state.answers
    press_answer(tab, "other", stained=False)
    tab.press("[")
    assert question_number(tab) == 1
    assert "Your answer: other" in tab.text(".given")
    press_answer(tab, "not a cell", stained=False)
    saved(tab)
    assert [answer.answer.value for answer in review.state.answers_of("Dr Ada Example")] == ["not a cell"]
    tab.close()


def test_a_reload_goes_on_where_the_reader_was(review: ServedReview, driven: Chromium) -> None:
    tab = open_page(driven, review.link)
    start_audit(tab)
    for _ in range(3):
        press_answer(tab, "other", stained=False)
    saved(tab)
    tab.reload()
    tab.wait_for("document.querySelector('.stage-heading')?.innerText.startsWith('Cell 4 ')")
    assert tab.text("#reviewer") == "Reviewer: Dr Ada Example"
    assert not tab.errors
    tab.close()


def test_a_lost_connection_loses_no_answer(review: ServedReview, driven: Chromium) -> None:
    """Answers that are given offline wait in the tab, survive a look at the page, and are sent once."""
    tab = open_page(driven, review.link)
    start_audit(tab)
    press_answer(tab, "other", stained=False)
    saved(tab)
    tab.go_offline(offline=True)
    for _ in range(3):
        press_answer(tab, "not a cell", stained=False)
    tab.wait_for("document.getElementById('connection').className === 'lost'")
    assert "3 decisions kept" in tab.text("#connection")
    assert question_number(tab) == 5
    tab.go_offline(offline=False)
    assert saved(tab)["audit"]["answered"] == 4
    tab.wait_for("document.getElementById('connection').innerText.includes('All saved')")
    assert len(review.state.answers) == 4
    tab.close()


def test_squares_of_missed_cells_are_counted_by_keyboard(review: ServedReview, driven: Chromium) -> None:
    tab = open_page(driven, review.link)
    switch_to(tab, "audit")
    tab.wait_for("document.activeElement?.id === 'audit-start'")
    tab.evaluate("document.getElementById('audit-squares').value = '4'")
    tab.press("Enter")
    tab.wait_for("document.querySelector('.crop img')?.complete")
    for _ in range(saved(tab)["audit"]["questions"]):
        tab.press("]")
    for number in range(1, 5):
        tab.wait_for(f"document.querySelector('.stage-heading')?.innerText.startsWith('Square {number} ')")
        for count in (str(number), "0", "2"):
            tab.wait_for("document.activeElement?.type === 'number'")
            tab.write(count)
            tab.press("Tab")
        tab.press("Enter")
    saved(tab)
    counted = review.state.squares_of("Dr Ada Example")
    assert [square.tumour_stained for square in counted] == [1, 2, 3, 4]
    assert {square.immune_stained for square in counted} == {2}
    assert np.all([square.tumour_unstained == 0 for square in counted])
    tab.close()


def test_numbers_typed_in_a_square_outlive_a_page_that_is_drawn_again(
    review: ServedReview, driven: Chromium
) -> None:
    """Another tab decides, the window changes, another square is looked at: what was typed is not lost."""
    tab = open_page(driven, review.link)
    switch_to(tab, "audit")
    tab.wait_for("document.activeElement?.id === 'audit-start'")
    tab.evaluate("document.getElementById('audit-squares').value = '4'")
    tab.press("Enter")
    tab.wait_for("document.querySelector('.crop img')?.complete")
    for _ in range(saved(tab)["audit"]["questions"]):
        tab.press("]")
    tab.wait_for("document.querySelector('.stage-heading')?.innerText.startsWith('Square 1 ')")
    for count in ("7", "0"):
        tab.wait_for("document.activeElement?.type === 'number'")
        tab.write(count)
        tab.press("Tab")
    tab.write("12")
    events = saved(tab)["events"]
    other = driven.open_tab()
    other.goto(f"http://{urlsplit(review.link).netloc}/#slide")
    other.wait_for(f"{PAGE}.then(p => p.ready)")
    other.evaluate(f"{REVIEW}.then(r => {{ r.decide('/api/edit', {{ids: [3], class: 'other'}}) }})")
    assert saved(other)["events"] == events + 1
    other.close()
    tab.evaluate(f"{REVIEW}.then(r => r.lookForChanges({{unseen: true}}))")
    tab.wait_for(f"{REVIEW}.then(r => r.state.events === {events + 1})")
    tab.wait_for(f"{PAGE}.then(p => p.modes.audit.audit?.squares.length === 4)")
    tab.resize(1000, 700)
    assert _typed(tab) == ["7", "0", "12"]
    assert tab.evaluate("document.activeElement?.name") == "immune_stained", "the place of typing, too"
    tab.press("Enter")
    tab.wait_for("document.querySelector('.stage-heading')?.innerText.startsWith('Square 2 ')")
    assert _typed(tab) == ["0", "0", "0"], "the next square begins anew"
    saved(tab)
    (square,) = review.state.squares_of("Dr Ada Example")
    assert (square.tumour_stained, square.tumour_unstained, square.immune_stained) == (7, 0, 12)
    tab.evaluate(f"{PAGE}.then(p => p.modes.audit.go(-1))")
    tab.wait_for("document.querySelector('.stage-heading')?.innerText.startsWith('Square 1 ')")
    assert _typed(tab) == ["7", "0", "12"]
    assert "Counted already" in tab.text("#panel")
    assert not tab.errors
    tab.close()


def _typed(tab: Tab) -> list[str]:
    found: list[str] = tab.evaluate("[...document.querySelectorAll('#panel form input')].map(i => i.value)")
    return found
