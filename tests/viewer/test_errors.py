from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cxpath.viewer.errors import bad_body, error_response, http_error

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
