"""Files of a page, errors, and decisions that are sent again: made once, answered the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cxpath.viewer.messages import HEADER, Repeats, bad_body, error_response, http_error
from tests.viewer.reviews import Page, Scored, opened, scored

REQUEST = Request({"type": "http"})


class _Body(BaseModel):
    cells: list[int]


def said(body: bytes | memoryview) -> dict[str, str]:
    document: dict[str, str] = json.loads(bytes(body))["error"]
    return document


def test_an_error_states_code_message_and_hint() -> None:
    answer = error_response(409, "conflict", "another tab decided", "reload")
    assert answer.status_code == 409
    assert said(answer.body) == {"code": "conflict", "message": "another tab decided", "hint": "reload"}


@pytest.mark.parametrize(
    ("status", "code"), [(404, "not_found"), (405, "method_not_allowed"), (400, "bad_request")]
)
def test_an_address_that_is_not_there_is_told_from_a_wrong_method(status: int, code: str) -> None:
    answer = http_error(REQUEST, HTTPException(status, "why"))
    assert answer.status_code == status
    assert said(answer.body)["code"] == code


def test_a_wrong_body_says_where() -> None:
    with pytest.raises(ValidationError) as caught:
        _Body.model_validate({"cells": ["x"]})
    answer = bad_body(REQUEST, caught.value)
    assert answer.status_code == 400
    assert said(answer.body)["message"].startswith("cells.0: ")


@pytest.fixture(scope="module")
def scored_once(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return scored(tmp_path_factory.mktemp("scored"))


@pytest.fixture
def page(scored_once: Scored, tmp_path: Path) -> Iterator[Page]:
    copy = scored_once.copied(tmp_path / "out")
    with opened(copy.results, copy.picture) as page:
        yield page


def send(page: Page, path: str, body: dict[str, Any], name: str, status: int = 200) -> dict[str, Any]:
    answer = page.client.post(path, json=body, headers=page.headers | {HEADER: name})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def test_a_toggle_that_is_sent_twice_toggles_once(page: Page) -> None:
    first = send(page, "/api/edit", {"ids": [3], "toggle_stained": True}, "a")
    again = send(page, "/api/edit", {"ids": [3], "toggle_stained": True}, "a")
    assert again == first
    assert len(page.session.events) == first["state"]["events"]
    other = send(page, "/api/edit", {"ids": [3], "toggle_stained": True}, "b")
    assert other["state"]["events"] == first["state"]["events"] + 1


def test_an_added_cell_keeps_its_number_and_an_undo_takes_one_decision_back(page: Page) -> None:
    body = {"x_px": 50.0, "y_px": 60.0, "class": "tumour", "stained": True}
    first = send(page, "/api/add", body, "a")
    assert send(page, "/api/add", body, "a")["id"] == first["id"]
    second = send(page, "/api/add", body, "b")
    assert second["id"] == first["id"] + 1
    send(page, "/api/undo", {}, "c")
    assert send(page, "/api/undo", {}, "c")["state"]["edited"]["added"] == 1


def test_what_was_refused_is_asked_anew(page: Page) -> None:
    send(page, "/api/undo", {}, "a", status=409)
    send(page, "/api/edit", {"ids": [1], "class": "other"}, "b")
    assert send(page, "/api/undo", {}, "a")["state"]["edited"] is None


def test_the_same_name_at_another_address_is_another_decision(page: Page) -> None:
    send(page, "/api/edit", {"ids": [1], "class": "other"}, "a")
    assert send(page, "/api/undo", {}, "a")["state"]["edited"] is None


def _request(name: str) -> Request:
    headers = [(HEADER.encode(), name.encode())] if name else []
    return Request({"type": "http", "method": "POST", "path": "/api/edit", "headers": headers})


@pytest.mark.parametrize(("name", "calls"), [("a", 1), ("", 2), ("n" * 65, 2)])
def test_a_repeat_waits_for_the_first_and_names_out_of_bounds_pass_through(name: str, calls: int) -> None:
    made: list[int] = []

    async def decide(request: Request) -> Response:
        made.append(1)
        await asyncio.sleep(0)
        return PlainTextResponse(str(len(made)))

    async def twice() -> None:
        once = Repeats().once(decide)
        await asyncio.gather(once(_request(name)), once(_request(name)))

    asyncio.run(twice())
    assert len(made) == calls


def test_a_connection_that_is_lost_does_not_break_the_decision_off() -> None:
    made: list[str] = []

    async def decide(request: Request) -> Response:
        await asyncio.sleep(0.01)
        made.append("decided")
        return PlainTextResponse("ok")

    async def lose_and_ask_again() -> bytes:
        once = Repeats().once(decide)
        first = asyncio.ensure_future(once(_request("a")))
        await asyncio.sleep(0)
        first.cancel()
        return bytes((await once(_request("a"))).body)

    assert asyncio.run(lose_and_ask_again()) == b"ok"
    assert made == ["decided"]


def test_only_the_latest_are_remembered() -> None:
    made: list[int] = []

    async def decide(request: Request) -> Response:
        made.append(1)
        return PlainTextResponse("ok")

    async def run() -> None:
        once = Repeats(remembered=2).once(decide)
        for name in ("a", "b", "c", "c", "a"):
            await once(_request(name))

    asyncio.run(run())
    assert len(made) == 4
