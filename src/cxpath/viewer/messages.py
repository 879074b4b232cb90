"""What the page and the servers say to each other: bodies, documents, files, errors and repeats."""

from __future__ import annotations

import asyncio
import hashlib
import html
import mimetypes
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from cxpath.viewer.security import error_document

# What the review's page and its server say to each other.


CellClass = Literal["tumour", "immune", "other", "not a cell"]
Answer = Literal["tumour", "immune", "other", "not a cell", "cannot tell"]
RegionUse = Literal["include", "exclude", "not invasive tumour"]
Pixels = Annotated[float, Field(ge=-1e7, le=1e7)]
Interval = tuple[float, float]

MOST_IDS = 200_000
MOST_POINTS = 20_000


class Body(BaseModel):
    """Base of what the page sends: an unknown key is an error, NaN is refused, nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    shown_ms: int | None = Field(default=None, ge=0, le=86_400_000)
    """How long the person looked."""


class ReviewerBody(Body):
    """Who reviews."""

    name: str = Field(min_length=1, max_length=200)


class DrawBody(Body):
    """What audit to draw."""

    cells: int = Field(default=100, ge=20, le=2_000)
    squares: int = Field(default=0, ge=0, le=50)
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)


class AnswerBody(Body):
    """An answer to one question of the audit."""

    number: int = Field(ge=1)
    answer: Answer = Field(alias="class")
    stained: bool | None = None


class SquareBody(Body):
    """The missed cells of one square."""

    number: int = Field(ge=1)
    tumour_stained: int = Field(ge=0, le=999)
    tumour_unstained: int = Field(ge=0, le=999)
    immune_stained: int = Field(ge=0, le=999)


class CallBody(Body):
    """What a cell is stated to be."""

    cell_class: CellClass = Field(alias="class")
    stained: bool


class EditBody(Body):
    """What to change of some cells, of all the same or of each its own call; what is left out stays."""

    ids: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, max_length=MOST_IDS)
    cell_class: CellClass | None = Field(default=None, alias="class")
    stained: bool | None = None
    toggle_stained: bool = False
    calls: list[CallBody] | None = Field(default=None, max_length=MOST_IDS)
    """One for each of `ids`, in their order."""


class AddBody(Body):
    """A cell that the detector missed."""

    x_px: Pixels
    y_px: Pixels
    cell_class: Literal["tumour", "immune", "other"] = Field(alias="class")
    stained: bool


class UndoBody(Body):
    """What to take back: an event, or the reviewer's latest valid decision."""

    event: int | None = Field(default=None, ge=1)


class FieldBody(Body):
    """Whether every call in a field is accepted."""

    number: int = Field(ge=0)
    accepted: bool = True


class RegionBody(Body):
    """A region to add; points are x and y in level-0 pixels."""

    use: RegionUse
    points: list[Annotated[list[Pixels], Field(min_length=2, max_length=2)]] = Field(
        min_length=3, max_length=MOST_POINTS
    )


class RegionNumberBody(Body):
    """A region to remove."""

    number: int = Field(ge=1)


class SignBody(Body):
    """What a signature says."""

    meaning: Literal["reviewed", "approved"] = "reviewed"


class EmptyBody(Body):
    """Nothing but how long the person looked."""


class Message(BaseModel):
    """Base of what the server says."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return self.model_dump(mode="json", by_alias=True)


class ScoreMessage(Message):
    """One score of the line."""

    cps: float | None
    reported: str | None
    interval: Interval | None
    interval_slide: Interval | None
    interval_reported: str | None
    tumour: int
    positive: int
    because: tuple[str, ...]


class EditedMessage(ScoreMessage):
    """The score after edits."""

    changed: int
    added: int
    removed: int
    accepted_fields: int
    regions: int


class AuditedMessage(Message):
    """The audited score."""

    cps: float
    reported: str
    interval: Interval
    interval_slide: Interval
    interval_reported: str
    bounds: Interval
    n: int
    cannot_tell: int
    reviewer: str
    level: float
    warnings: tuple[str, ...]


class SideMessage(Message):
    """On which side of a cut-off a score lies."""

    decision: str
    probability: float


class CutoffMessage(Message):
    """One cut-off and the scores."""

    value: float
    basis: str
    network: SideMessage | None
    edited: SideMessage | None
    audited: SideMessage | None


class AuditMessage(Message):
    """How far the audit is."""

    name: str
    seed: int
    questions: int
    answered: int
    squares: int
    squares_answered: int
    complete: bool


class WantedMessage(Message):
    """Answers left for an interval whose ends are `fold` times apart."""

    fold: float
    left: int | None
    total: int | None


class LastMessage(Message):
    """What the last action changed."""

    event: int
    action: str
    text: str
    before: float | None
    after: float | None


class UndoMessage(Message):
    """What would be taken back next."""

    event: int
    text: str


class SignatureMessage(Message):
    """The valid signature."""

    name: str
    utc: str
    meaning: str
    events: int
    head_hash: str


class StateMessage(Message):
    """The score line."""

    events: int
    head_hash: str
    reviewer: str | None
    network: ScoreMessage
    edited: EditedMessage | None
    audited: AuditedMessage | None
    cutoffs: tuple[CutoffMessage, ...]
    audit: AuditMessage | None
    wanted: WantedMessage
    last: LastMessage | None
    undo: UndoMessage | None
    signature: SignatureMessage | None
    warnings: tuple[str, ...]


class ChangesMessage(Message):
    """What to patch in the arrays of `cells.bin`: id, class, flags and place of each changed cell."""

    since: int
    events: int
    head_hash: str
    reload: bool
    cells: tuple[tuple[int, int, int, float, float], ...]


# What both servers answer with.


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
            """Answer a named request once; its repeats get the same answer."""
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
