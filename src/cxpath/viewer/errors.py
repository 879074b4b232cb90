"""Errors as both servers answer them: one form of JSON, one sentence and a hint."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cxpath.viewer.security import error_document

_CODES = {404: "not_found", 405: "method_not_allowed"}


def error_response(status: int, code: str, message: str, hint: str = "") -> JSONResponse:
    """Return an answer that states an error."""
    return JSONResponse(error_document(code, message, hint), status)


def http_error(_: Request, error: HTTPException) -> Response:
    """Answer an address that is not there, or a method that it does not take."""
    return error_response(error.status_code, _CODES.get(error.status_code, "bad_request"), str(error.detail))


def bad_body(_: Request, error: ValidationError) -> Response:
    """Answer a body that is not what the address takes: where, and why."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    return error_response(400, "bad_request", f"{where}: {first['msg']}")
