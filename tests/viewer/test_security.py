from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cxpath.viewer.security import CSRF_HEADER, MOST_BODY_BYTES, Access, Address
from tests.viewer.reviews import ORIGIN, Page, Scored, opened, scored

STATE = "/api/state"
EDIT = "/api/edit"
BODY = {"ids": [1], "class": "tumour"}


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return scored(tmp_path_factory.mktemp("scored"))


@pytest.fixture
def page(reviewed: Scored, tmp_path: Path) -> Iterator[Page]:
    own = reviewed.copied(tmp_path / "out")
    with opened(own.results, own.picture) as page:
        yield page


def code(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]  # type: ignore[attr-defined]


def stranger(page: Page) -> TestClient:
    """Another browser of this machine: it knows the address and nothing else."""
    return TestClient(page.server.app(), base_url=ORIGIN, follow_redirects=False)


def test_the_link_works_once(page: Page) -> None:
    access = Access(Address("127.0.0.1", 8000))
    server = type(page.server)(page.session, page.server.slide, access)
    link = access.link
    first, second = (TestClient(server.app(), base_url=ORIGIN, follow_redirects=False) for _ in range(2))
    opened_once = first.get(link)
    assert opened_once.status_code == 303
    assert code(second.get(link)) == (401, "no_session")
    assert first.get(link).status_code == 303  # whoever has the session may follow it again
    cookie = opened_once.headers["set-cookie"]
    assert re.search(r"; Path=/; HttpOnly; SameSite=Strict$", cookie)
    assert cookie.startswith("cxpath-review-8000=")


def test_a_look_ahead_does_not_use_the_link_up(page: Page) -> None:
    access = Access(Address("127.0.0.1", 8000))
    server = type(page.server)(page.session, page.server.slide, access)
    client = TestClient(server.app(), base_url=ORIGIN, follow_redirects=False)
    assert client.head(access.link).status_code == 401
    assert client.get(access.link).status_code == 303


def test_a_link_may_lead_to_a_place_and_nowhere_else(page: Page) -> None:
    def target(query: str) -> str:
        return str(page.client.get(f"/open?token=x&{query}").headers["location"])

    assert target("field=12") == "/#field=12"
    assert target("x=10.5&y=20") == "/#x=10.5&y=20"
    assert target("field=//evil.example&next=https://evil.example") == "/"


def test_a_link_of_the_report_is_followed_by_the_page_itself_since_its_cookie_stays_behind(
    page: Page,
) -> None:
    result = page.session.review.scored.score.scored_digest[:12]
    link = f"/open?field_x=700&field_y=650&of={result}"
    page_of_one_sentence = stranger(page).get(link)
    assert page_of_one_sentence.status_code == 200
    again = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page_of_one_sentence.text)
    assert again is not None
    target = html.unescape(again[1])
    assert target == "/open?field_x=700&field_y=650&again=1"
    assert page.client.get(target).headers["location"] == "/#field_x=700&field_y=650"
    assert code(stranger(page).get(target)) == (401, "no_session")
    refused = stranger(page).get(target, headers={"accept": "text/html,*/*"})
    assert refused.status_code == 401
    assert "cxpath review open" in refused.text


def test_a_link_of_another_results_report_opens_nothing(page: Page) -> None:
    assert code(page.client.get("/open?field_x=7&field_y=6&of=0123456789ab")) == (404, "not_found")


@pytest.mark.parametrize("token", ["", "wrong", "täuschung"])
def test_a_guessed_token_opens_nothing(page: Page, token: str) -> None:
    assert code(stranger(page).get("/open", params={"token": token})) == (401, "no_session")


@pytest.mark.parametrize(
    "path", ["/", STATE, "/api/session", "/api/cells.bin", "/tiles/0/0_0.jpg", "/crops/1.jpg", "/static/x.js"]
)
def test_without_the_session_nothing_is_shown(page: Page, path: str) -> None:
    assert code(stranger(page).get(path)) == (401, "no_session")


@pytest.mark.parametrize(
    "cookie", ["cxpath-review-8000=wrong", "cxpath-review-9000=x", "=;;=", "cxpath-review-8000=\xff"]
)
def test_a_wrong_cookie_is_none(page: Page, cookie: str) -> None:
    headers = {b"cookie": cookie.encode("latin-1")}
    assert code(stranger(page).get(STATE, headers=headers)) == (401, "no_session")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1:8000.evil.example", ""],
)
def test_a_foreign_name_of_this_machine_is_misdirected(page: Page, host: str) -> None:
    assert code(page.client.get(STATE, headers={"host": host})) == (421, "foreign_host")


def test_localhost_is_this_machine_too(page: Page) -> None:
    assert page.client.get(STATE, headers={"host": "localhost:8000"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8000", None]
)
def test_another_page_cannot_decide(page: Page, origin: str | None) -> None:
    headers = {name: value for name, value in page.headers.items() if name != "origin"}
    headers |= {"origin": origin} if origin else {}
    assert code(page.client.post(EDIT, json=BODY, headers=headers)) == (403, "foreign_origin")
    assert page.get(STATE)["events"] == 0


def test_another_page_cannot_read_either(page: Page) -> None:
    assert code(page.client.get(STATE, headers={"origin": "https://evil.example"})) == (403, "foreign_origin")
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert code(page.client.get("/tiles/0/0_0.jpg", headers=embedded)) == (403, "foreign_origin")
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert page.client.get(STATE, headers=followed).status_code == 200


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_post_needs_the_page_s_own_header(page: Page, token: str | None) -> None:
    headers = {"origin": ORIGIN} | ({CSRF_HEADER: token} if token is not None else {})
    assert code(page.client.post(EDIT, json=BODY, headers=headers)) == (403, "csrf")


def test_only_json_is_read(page: Page) -> None:
    form = page.headers | {"content-type": "application/x-www-form-urlencoded"}
    assert code(page.client.post(EDIT, content=b"ids=1", headers=form)) == (415, "not_json")


def test_a_body_has_a_bound_stated_or_not(page: Page) -> None:
    headers = page.headers | {"content-type": "application/json"}
    large = b" " * (MOST_BODY_BYTES + 1)
    assert code(page.client.post(EDIT, content=large, headers=headers)) == (413, "too_large")
    parts = (large[: 1 << 20] for _ in range(5))  # sent in chunks, without a length
    assert code(page.client.post(EDIT, content=parts, headers=headers)) == (413, "too_large")
    odd = headers | {"content-length": "-1"}
    assert code(page.client.post(EDIT, content=b"{}", headers=odd)) == (413, "too_large")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_other_methods_are_not_allowed(page: Page, method: str) -> None:
    headers = page.headers | {"content-type": "application/json"}
    answer = page.client.request(method, STATE, content=b"{}", headers=headers)
    assert code(answer) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", [STATE, "/tiles/0/0_0.jpg", "/nowhere", "/api/cells.bin"])
def test_every_answer_carries_the_policy_and_stays_private(page: Page, path: str) -> None:
    headers = page.client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "private" in headers["cache-control"] or headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


def test_a_failure_tells_the_page_nothing_of_the_machine(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("/home/someone/secret")

    monkeypatch.setattr(page.session, "follow", broken)
    answer = page.client.get(STATE)
    assert code(answer) == (500, "internal")
    assert "secret" not in answer.text


def test_behind_a_proxy_its_name_is_the_only_one() -> None:
    address = Address("0.0.0.0", 8000, "https://review.example")
    assert address.hosts == {"review.example"}
    access = Access(address)
    assert access.link.startswith("https://review.example/open?token=")
    assert access.set_cookie().endswith("; Secure")
