"""What both servers answer with: the page's files, errors in one form, and repeats of a decision."""

from __future__ import annotations

import asyncio
import hashlib
import html
import mimetypes
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from cxpath.viewer.security import error_document

STATIC = Path(__file__).parent / "static"
"""Folder of the pages' own files."""

JSON = "application/json"
CHECKED = {"cache-control": "private, no-cache"}
"""For what a browser may keep, but asks about each time."""

PRIVATE = {"cache-control": "private, max-age=3600"}
"""For what does not change while the server runs."""

_CODES = {404: "not_found", 405: "method_not_allowed"}

# Contents.


def tagged(request: Request, content: bytes, kind: str, headers: Mapping[str, str] = CHECKED) -> Response:
    """Answer with a content under its own tag, or say that the browser has it already."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(None, 304, {"etag": tag, **headers})
    return Response(content, 200, {"etag": tag, **headers}, kind)


class PageFiles:
    """The files of a page.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder

    def answer(self, name: str, request: Request) -> Response:
        """Answer with one of the files that are there; a name from outside is only looked up."""
        path = self._files.get(name)
        if path is None:
            raise HTTPException(404, f"there is no file {name}")
        return tagged(request, path.read_bytes(), mimetypes.guess_type(name)[0] or "application/octet-stream")

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The files by the name that the browser asks for."""
        files = (path for path in self._folder.rglob("*") if path.is_file())
        return {path.relative_to(self._folder).as_posix(): path for path in files}


def plain_page(sentence: str, status: int = 200, go_to: str = "") -> HTMLResponse:
    """Return a page of one sentence, which leads to another address where one is given."""
    goes = f'<meta http-equiv="refresh" content="0; url={html.escape(go_to)}">' if go_to else ""
    return HTMLResponse(
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>cxpath review</title>'
        f'<link rel="icon" href="data:,">{goes}'
        f"<p>{html.escape(sentence)}</p></html>",
        status,
    )


# Errors.


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


# A decision that is sent again after a lost connection is answered again, not made again.

HEADER = "x-cxpath-request"
"""Carries the name that a page gives to a decision; the same when it sends the decision again."""

_MOST_NAME = 64
_REMEMBERED = 1_000

Endpoint = Callable[[Request], Awaitable[Response]]


class Repeats:
    """Answers of the latest decisions, by the names that the page gave them.

    A repeat that arrives while the first is still being made waits for it. What was refused is not
    remembered: nothing was decided.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._answers: OrderedDict[str, asyncio.Future[Response]] = OrderedDict()

    def once(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint with its answers remembered; requests without a name pass through."""

        async def answer(request: Request) -> Response:
            name = request.headers.get(HEADER, "")
            if not 0 < len(name) <= _MOST_NAME:
                return await endpoint(request)
            key = f"{request.url.path} {name}"
            if key not in self._answers:
                self._remember(key, asyncio.ensure_future(endpoint(request)))
            # a connection that is lost meanwhile must not break the decision off
            return await asyncio.shield(self._answers[key])

        return answer

    def _remember(self, key: str, answer: asyncio.Future[Response]) -> None:
        self._answers[key] = answer
        answer.add_done_callback(lambda done: self._forget_refused(key, done))
        while len(self._answers) > self._remembered:
            self._answers.popitem(last=False)

    def _forget_refused(self, key: str, done: asyncio.Future[Response]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._answers.pop(key, None)
