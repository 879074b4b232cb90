"""Two real browsers as two readers at once; browsers and server are killed and started again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cxpath.app.study import renew_token
from cxpath.review.events import Action
from tests.driven_browser import Chromium, Tab, chromium
from tests.viewer.study_servers import REFERENCE, SOFTWARE, Process, own_process, slides, study_of


@pytest.fixture(scope="module")
def slide_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small slides."""
    return slides(tmp_path_factory.mktemp("slides"))


@pytest.fixture
def site(tmp_path: Path, slide_folder: Path) -> Iterator[Process]:
    """A study of them, served from a process of its own."""
    with own_process(study_of(tmp_path / "study", slide_folder)) as running:
        yield running


@contextmanager
def reader_of(site: Process, token: str, profile: Path) -> Iterator[tuple[Chromium, Tab]]:
    """Give a browser of its own in which a reader has entered."""
    with chromium(profile) as driven:
        tab = driven.open_tab()
        tab.goto(f"{site.origin}/enter#{token}")
        tab.wait_for("location.pathname === '/' && document.querySelector('#start')?.hidden === false")
        yield driven, tab


def open_slide(tab: Tab) -> str:
    """Open the next slide, and return its blinded name once its picture is there."""
    tab.click_on("#start")
    return shown(tab)


def shown(tab: Tab) -> str:
    """Return the blinded name of the slide that is open once its picture is there."""
    tab.wait_for(
        "!document.querySelector('#reading').hidden && document.querySelector('.scale-bar').textContent"
    )
    return tab.text("#slide-code")


def fill(tab: Tab, score: str, confidence: int = 4) -> None:
    """Answer every question, as with CPS 1 reached and 10 not."""
    tab.click_on("input[name=adequate][value=yes]")
    tab.click_on("#score-input")
    tab.evaluate("document.querySelector('#score-input').select()")
    tab.write(score)
    tab.click_on('input[name="side-1"][value=yes]')
    tab.click_on('input[name="side-10"][value=no]')
    tab.click_on(f'input[name=confidence][value="{confidence}"]')


def submit(tab: Tab) -> None:
    """Submit, and wait until the answer has been taken."""
    before = tab.evaluate("document.querySelector('#progress').value")
    code = tab.text("#slide-code") + tab.text("#notice")
    tab.click_on("#submit")
    tab.wait_for(
        f"document.querySelector('#progress').value > {before} && "
        "(document.querySelector('#reading').hidden || "
        "document.querySelector('#slide-code').innerText + "
        f"document.querySelector('#notice').innerText !== {code!r})"
    )


def kept(tab: Tab) -> None:
    """Wait until the server has what was entered."""
    tab.wait_for("document.querySelector('#kept').textContent === 'Kept.'")


def test_two_readers_at_once_killed_and_resumed(site: Process, tmp_path: Path) -> None:
    one, two = renew_token(site.study, "r1"), renew_token(site.study, "r2")
    with reader_of(site, two, tmp_path / "two") as (_, second):
        with reader_of(site, one, tmp_path / "one") as (first_browser, first):
            code = open_slide(first)
            fill(first, "3.25")
            kept(first)
            other_code = open_slide(second)
            assert other_code != code
            fill(second, "4,5")
            kept(second)
            submit(second)  # in the midst of the other's slide
            assert "CPS of the software" in second.text("#notice")
            assert "You answered: 4.5" in second.text("#notice")
            first_browser.process.kill()  # the first reader's computer dies,
        site.kill()  # and so does the server
        second.click_on("input[name=adequate][value=yes]")
        second.click_on("#score-input")
        second.write("5")
        second.wait_for("document.querySelector('#connection').textContent")
        site.start()
        second.wait_for("location.pathname === '/enter'")  # sessions ended with the server
        assert len(site.read_again().record("r2").state.submitted) == 1
        second.wait_for("document.activeElement?.id === 'token'")  # the page's script is there
        second.write(two)
        second.press("Enter")
        second.wait_for("location.pathname === '/' && document.querySelector('#start')?.hidden === false")
        assert open_slide(second) == other_code
        assert (
            second.evaluate("document.querySelector('#score-input').value") == "5"
        )  # typed while it was dead
        assert "CPS of the software" in second.text("#notice")
        fill(second, "6.5")
        submit(second)
        with reader_of(site, one, tmp_path / "one-again") as (_, again):
            assert open_slide(again) == code
            assert again.evaluate("document.querySelector('#score-input').value") == "3.25"
            assert again.evaluate("document.querySelector('input[name=confidence]:checked').value") == "4"
            assert "software" not in again.text("#answers").lower()
            submit(again)
            assert "CPS of the software" in again.text("#notice")
            for tab in (again, second):
                said = tab.evaluate("document.documentElement.outerHTML")
                assert "zervix" not in said
                assert not any(str(value) in said for value in REFERENCE.values())
                assert all(url.startswith((site.origin, "data:")) for url in tab.requests)
            assert not again.errors
    scores = {
        reader: [read.answer.score for read in site.read_again().record(reader).state.submitted.values()]
        for reader in ("r1", "r2")
    }
    assert scores == {"r1": [3.25], "r2": [4.5, 6.5]}


def test_the_page_forces_answers_and_ends(site: Process, tmp_path: Path) -> None:
    with reader_of(site, renew_token(site.study, "r1"), tmp_path / "one") as (_, tab):
        open_slide(tab)
        for selector, sentence in (
            ("", "Say whether the slide can be scored."),
            ("input[name=adequate][value=yes]", "Give the CPS as a number"),
        ):
            if selector:
                tab.click_on(selector)
            tab.click_on("#submit")
            assert sentence in tab.text("#trouble")
        tab.click_on("#score-input")
        tab.write("0,5")
        tab.click_on('input[name="side-1"][value=yes]')
        tab.click_on('input[name="side-10"][value=no]')
        tab.click_on("#submit")
        assert "A CPS of 0.5 contradicts your answer for 1." in tab.text("#trouble")
        tab.click_on('input[name="side-1"][value=no]')
        tab.click_on('input[name=confidence][value="5"]')
        submit(tab)
        for _ in range(4):
            fill(tab, "2")
            submit(tab)
        tab.click_on("input[name=adequate][value=no]")
        assert tab.evaluate("document.querySelector('[data-question=score]').hidden")
        tab.click_on('input[name=confidence][value="1"]')
        tab.click_on("#submit")
        tab.wait_for("document.querySelector('#rest-title').textContent === 'All slides are read'")
        assert not tab.errors
    study = site.read_again()
    reads = study.record("r1").state.submitted
    assert [read.answer.score for read in reads.values()] == [0.5, 2, 2, 2, 2, None]
    assert all(0 < read.seconds < 600 for read in reads.values())
    shows = [event.new for event in study.record("r1").events if event.action is Action.SHOW]
    software = [event["software"] for event in shows if event["arm"] == "aided"]
    assert set(software) <= set(SOFTWARE.values())
    assert all(event["software"] is None for event in shows if event["arm"] == "unaided")
