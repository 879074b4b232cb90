from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.study import StudyFolder, read_study, renew_token
from cxpath.errors import ConfigurationError, MissingFileError, OutputError
from cxpath.io.atomic import claimed
from cxpath.review.events import Action, ReviewError
from cxpath.viewer.launch import Binding
from cxpath.viewer.study_server import run_study
from tests.review.study_designs import AIDED, UNAIDED, answer
from tests.viewer.study_servers import (
    ORIGIN,
    REFERENCE,
    SOFTWARE,
    ReaderPage,
    Served,
    served,
    slides,
    study_of,
)


@pytest.fixture(scope="module")
def slide_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small slides."""
    return slides(tmp_path_factory.mktemp("slides"))


@pytest.fixture
def study(tmp_path: Path, slide_folder: Path) -> StudyFolder:
    """A study of them, in one sitting."""
    return study_of(tmp_path / "study", slide_folder)


@pytest.fixture
def site(study: StudyFolder) -> Served:
    """Its server."""
    return served(study)


# Entrance and security.


def test_nothing_is_answered_without_a_token(site: Served) -> None:
    page = site.page()
    for path in ("/api/study", "/tiles/ABCDEF/0/0_0.jpg"):
        assert page.get(path, 401)["error"]["code"] == "no_session"
    for path in ("/api/show", "/api/draft", "/api/submit"):
        assert page.post(path, {}, 401)["error"]["code"] == "no_session"


def test_the_pages_themselves_say_nothing_and_are_open(site: Served) -> None:
    client = site.page().client
    for path in ("/", "/enter", "/static/study/study.js", "/static/dom.js"):
        assert client.get(path).status_code == 200
    assert client.get("/static/%2e%2e/study_server.py").status_code == 404
    assert "Enter your token" in client.get("/enter").text


def test_a_wrong_token_is_nobody_s(site: Served) -> None:
    assert site.page().enter("wrong", 401)["error"]["message"] == "this token is not known"


def test_the_cookie_is_for_this_site_and_no_script(site: Served) -> None:
    page = site.page()
    page.enter(renew_token(site.study, "r1"))
    cookie = page.heard[-1]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_a_new_token_ends_the_sessions_of_the_old_one(site: Served) -> None:
    page = site.entered("r1")
    page.get("/api/study")
    renew_token(site.study, "r1")
    page.get("/api/study", 401)


def test_foreign_hosts_origins_and_sessions_are_refused(site: Served) -> None:
    page, other = site.entered("r1"), site.entered("r2")
    assert page.client.get("/api/study", headers={"host": "evil.example"}).status_code == 421
    assert page.post("/api/show", {}, 403, origin="http://evil.example")["error"]["code"] == "foreign_origin"
    headers = {"origin": "http://evil.example"}
    assert page.client.post("/api/enter", json={"token": "x"}, headers=headers).status_code == 403
    assert page.post("/api/show", {}, 403, **{"x-cxpath-csrf": ""})["error"]["code"] == "csrf"
    assert page.post("/api/show", {}, 403, **{"x-cxpath-csrf": other.csrf})["error"]["code"] == "csrf"


def test_others_cannot_connect_unless_a_proxy_asks_who_they_are(study: StudyFolder) -> None:
    with pytest.raises(ConfigurationError, match="others could connect"):
        run_study(study, Binding("0.0.0.0"), print)


def test_a_study_is_served_once(study: StudyFolder) -> None:
    (study.path / "readers").mkdir()
    with claimed(study.path / "readers") as own:
        assert own
        with pytest.raises(OutputError, match="another process serves this study"):
            run_study(study, Binding(), print)


def test_a_missing_slide_is_named_before_anybody_reads(tmp_path: Path, slide_folder: Path) -> None:
    study = study_of(tmp_path, slide_folder / "elsewhere")
    with pytest.raises(MissingFileError, match=r"zervix-a\.svs"):
        run_study(study, Binding(), print)


def test_a_broken_record_is_refused_before_anybody_reads(site: Served) -> None:
    site.entered("r1").show()
    path = site.study.record("r1").path
    path.write_bytes(path.read_bytes().replace(b'"arm":"unaided"', b'"arm":"aided"'))
    with pytest.raises(ReviewError, match="was changed"):
        served(read_study(site.study.path))


# The way through a study.


def test_a_reader_reads_to_the_end(site: Served) -> None:
    page = site.entered("r1")
    arms = []
    while (stage := page.get("/api/study"))["stage"] == "reading":
        shown = page.show()
        arms.append(shown["arm"])
        assert page.tile(shown["code"]) == 200
        site.clock.wait(seconds=40)
        page.submit(shown["position"], 3.0, 39_000)
    assert stage["stage"] == "done"
    assert (stage["read"], stage["planned"]) == (6, 6)
    assert arms == ["unaided", "aided"] * 3
    page.post("/api/show", {}, 409)
    seconds = [read.seconds for read in read_study(site.study.path).record("r1").state.submitted.values()]
    assert seconds == [39.0] * 6


def test_forced_answers_are_forced_by_the_server(site: Served) -> None:
    page = site.entered("r1")
    position = page.show()["position"]
    for given, question in (
        ({}, "adequate"),
        (answer(3, confidence=None), "confidence"),
        (answer(3, sides={"1": False, "10": False}), "sides"),
        (answer() | {"score": 300}, "score"),
    ):
        refused = page.post("/api/submit", {"position": position, "given": given}, 400)["error"]
        assert (refused["code"], refused["question"]) == ("answer", question)
    assert page.get("/api/study")["read"] == 0


def test_a_submitted_answer_stands_and_comes_once(site: Served) -> None:
    page = site.entered("r1")
    position = page.show()["position"]
    page.submit(position, 3.0)
    assert page.submit(position, 3.0)["read"] == 1  # sent again after the answer was lost
    changed = {"position": position, "given": answer(4.0)}
    assert page.post("/api/submit", changed, 409)["error"]["code"] == "conflict"
    submits = [event for event in site.study.record("r1").events if event.action is Action.SUBMIT]
    assert [event.new["score"] for event in submits] == [3.0]


def test_a_draft_comes_back_in_another_browser(site: Served) -> None:
    page = site.entered("r1")
    shown = page.show()
    site.clock.wait(seconds=30)
    page.post("/api/draft", {"position": shown["position"], "given": {"score": 2.5}, "shown_ms": 20_000})
    again = site.entered("r1").show()
    assert (again["code"], again["given"], again["shown_ms"]) == (shown["code"], {"score": 2.5}, 20_000)


def test_a_late_draft_does_no_harm(site: Served) -> None:
    page = site.entered("r1")
    position = page.show()["position"]
    page.submit(position, 3.0)
    page.post("/api/draft", {"position": position, "given": {"score": 9.0}})
    page.show()
    page.post("/api/draft", {"position": position, "given": {"score": 9.0}})
    assert page.show()["given"] == {}


def test_a_tile_of_another_slide_is_not_there(site: Served) -> None:
    page, other = site.entered("r1"), site.entered("r2")
    shown = page.show()
    assert page.tile(shown["code"]) == 200
    assert page.tile(other.show()["code"]) == 404
    assert page.tile("ZZZZZZ") == 404
    assert page.tile(shown["code"], column=99) == 404
    for _ in range(2):
        page.submit(page.show()["position"], 3.0)
    assert page.tile(shown["code"]) == 200  # the last tiles of the slide before may be on their way
    page.submit(page.show()["position"], 3.0)
    assert page.tile(shown["code"]) == 404


def test_the_wash_out_is_enforced_by_the_server(tmp_path: Path, slide_folder: Path) -> None:
    site = served(study_of(tmp_path, slide_folder, rounds=[UNAIDED, AIDED], wash_out_days=14))
    page = site.entered("r1")
    for _ in range(3):
        page.submit(page.show()["position"], 3.0)
    waiting = page.get("/api/study")
    assert (waiting["stage"], waiting["opens_utc"]) == ("wash-out", "2026-12-14T09:00:00Z")
    assert "opens at" in page.post("/api/show", {}, 409)["error"]["message"]
    site.clock.wait(days=14)
    shown = page.show()
    assert shown["arm"] == "aided"
    assert shown["software"] in SOFTWARE.values()
    assert shown["earlier"] is None  # of another sitting


def test_the_own_unaided_answer_stands_beside_the_software(site: Served) -> None:
    page = site.entered("r1")
    page.submit(page.show()["position"], 3.0, comment="first look")
    aided = page.show()
    assert aided["earlier"]["score"] == 3.0
    assert aided["software"] in SOFTWARE.values()


def test_requests_that_are_none_are_refused_in_one_sentence(site: Served) -> None:
    page = site.entered("r1")
    page.show()
    bodies: tuple[Any, ...] = (
        {"position": 0, "given": {}},
        {"position": 1},
        {"position": 1, "given": {}, "mood": "good"},
        {"position": 1, "given": {}, "shown_ms": -1},
    )
    for body in bodies:
        assert page.post("/api/draft", body, 400)["error"]["code"] == "bad_request"
    assert page.get("/api/nothing", 404)["error"]["code"] == "not_found"


# Nothing leaks: every response of a whole study is searched.


def forbidden_always(site: Served, reader: str) -> list[str]:
    """Return what no response to a reader may ever contain."""
    others = [one.id for one in site.study.design.readers if one.id != reader]
    names = [name for slide in site.study.design.slides for name in (slide.id, slide.file)]
    return [
        *(f'"{other}"' for other in others),
        *(f"secret of {other}" for other in others),
        *names,
        *(str(value) for value in REFERENCE.values()),
        str(site.study.design.seed),
        str(site.study.path),
        "zervix",
        "reference",
    ]


def walk(site: Served, page: ReaderPage, reader: str, scores: Any) -> None:
    """Make one read, and check what was said before it was submitted."""
    before = len(page.heard)
    page.get("/api/study")
    shown = page.show()
    page.tile(shown["code"])
    site.clock.wait(seconds=5)
    draft = {"position": shown["position"], "given": {"comment": f"secret of {reader}"}, "shown_ms": 900}
    page.post("/api/draft", draft)
    page.show()
    if shown["arm"] == "unaided":
        said = " ".join(page.heard[before:])
        for value in SOFTWARE.values():
            assert str(value) not in said, "the software's score came before the unaided answer"
    page.submit(shown["position"], next(scores), comment=f"secret of {reader}")


def test_no_response_leaks_other_readers_or_scores(tmp_path: Path, slide_folder: Path) -> None:
    """Two readers in turn, read by read; then every word that was said to either is searched."""
    site = served(study_of(tmp_path / "study", slide_folder))
    pages = {reader: site.entered(reader) for reader in ("r1", "r2")}
    scores = count(80.03125, 0.03125)
    for _ in range(6):
        for reader, page in pages.items():
            walk(site, page, reader, scores)
    given = {
        reader: [read.answer.score for read in site.study.record(reader).state.submitted.values()]
        for reader in pages
    }
    for reader, page in pages.items():
        said = " ".join(page.heard)
        assert f"secret of {reader}" in said  # the search finds what was said
        for word in forbidden_always(site, reader):
            assert word not in said, f"{word!r} was said to {reader}"
        other = given["r2" if reader == "r1" else "r1"]
        for score in other:
            assert str(score) not in said, f"the other's score {score} was said to {reader}"
    assert all(page.get("/api/study")["stage"] == "done" for page in pages.values())


def test_errors_do_not_name_the_slide_or_the_folder(site: Served, slide_folder: Path) -> None:
    page = site.entered("r1")
    site.server._slides.clear()
    moved = slide_folder.rename(slide_folder.with_name("gone"))
    try:
        refused = page.post("/api/show", {}, 409)["error"]
    finally:
        moved.rename(slide_folder)
    assert "zervix" not in str(refused)
    assert str(site.study.path) not in str(refused)
    assert not site.study.record("r1").state.submitted


def test_origins_and_hosts_are_those_of_the_proxy(study: StudyFolder) -> None:
    from cxpath.viewer.security import Address, StudyAccess  # noqa: PLC0415

    access = StudyAccess(Address("0.0.0.0", 8000, "https://study.example"), study.tokens)
    session = access.enter(renew_token(study, "r1"))
    assert session is not None
    assert "Secure" in access.set_cookie(session)
    assert access.address.hosts == {"study.example"}
    assert ORIGIN not in access.address.origins
