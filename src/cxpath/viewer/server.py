"""The review's HTTP interface: which path answers what. Knows no security; see `security.py`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from cxpath import __version__
from cxpath.app import publish_review, sign_review
from cxpath.data import RESEARCH_USE
from cxpath.documents import RESULT_LETTERS, RUN_NAME, RunDocument
from cxpath.errors import CxpathError
from cxpath.review import Doubt, Meaning
from cxpath.slide import Slide
from cxpath.viewer import decisions, views
from cxpath.viewer.canvas import NoTileError, SlideTiles
from cxpath.viewer.messages import (
    CHECKED,
    JSON,
    PRIVATE,
    STATIC,
    AddBody,
    AnswerBody,
    Body,
    DrawBody,
    EditBody,
    EmptyBody,
    FieldBody,
    PageFiles,
    RegionBody,
    RegionNumberBody,
    Repeats,
    ReviewerBody,
    SignBody,
    SquareBody,
    UndoBody,
    bad_body,
    error_response,
    http_error,
    plain_page,
    tagged,
)
from cxpath.viewer.score_line import changes_message, state_message
from cxpath.viewer.security import OPEN_PATH, Access, Guard
from cxpath.viewer.session import Author, RefusedError, ReviewSession, printed_name
from cxpath.viewer.views import write_regions

_log = logging.getLogger(__name__)
_STATUS = {"bad_request": 400, "not_found": 404}
_CONFLICT = 409

_Body = TypeVar("_Body", bound=Body)
Make = Callable[[str, Any], list[Any]]
"""Makes decisions from the reviewer's name and a body."""


@dataclass(eq=False)
class ReviewServer:
    """What the server needs to answer.

    Parameters
    ----------
    session : ReviewSession
    slide : Slide
    access : Access
    static : Path
        Folder of the page's own files.
    """

    session: ReviewSession
    slide: Slide
    access: Access
    static: Path = STATIC

    def __post_init__(self) -> None:
        self.tiles = SlideTiles(self.slide)

    def app(self) -> Guard:
        """Return the application with its guard."""
        repeats, files = Repeats(), PageFiles(self.static)
        routes = [
            Route("/", lambda request: files.answer("index.html", request)),
            Route(OPEN_PATH, self._open),
            Route("/static/{name:path}", lambda request: files.answer(request.path_params["name"], request)),
            Route("/tiles/{level:int}/{column:int}_{row:int}.jpg", self._tile),
            Route("/crops/{cell:int}.jpg", self._crop),
            Route("/audit/{number:int}.jpg", self._question_crop),
            Route("/audit/squares/{number:int}.jpg", self._square_crop),
            *(Route(f"/api/{name}", answer) for name, answer in self._reading().items()),
            *(
                Route(f"/api/{name}", repeats.once(answer), methods=["POST"])
                for name, answer in self._deciding().items()
            ),
        ]
        handlers: Mapping[Any, Any] = {
            HTTPException: http_error,
            ValidationError: bad_body,
            RefusedError: _refused,
            NoTileError: _no_tile,
            CxpathError: _conflict,
            Exception: _internal,
        }
        return Guard(Starlette(routes=routes, exception_handlers=handlers), self.access)

    def _reading(self) -> dict[str, Callable[[Request], Response]]:
        return {
            "session": lambda _: JSONResponse(self._session_document()),
            "slide": lambda _: JSONResponse(self._slide_document()),
            "state": self._state,
            "changes": self._changes,
            "cells.bin": self._cells,
            "cells/{cell:int}": lambda request: JSONResponse(
                views.cell_document(self._followed(), request.path_params["cell"])
            ),
            "audit": lambda _: JSONResponse(views.audit_document(self._followed())),
            "fields": lambda _: JSONResponse(views.fields_document(self._followed())),
            "gallery": self._gallery,
            "regions": lambda _: JSONResponse(self._regions_document()),
            "layers/heatmap": lambda _: JSONResponse(views.heatmap_document(self._followed())),
            "layers/tissue": lambda _: JSONResponse(self._tissue),
        }

    def _deciding(self) -> dict[str, Any]:
        session = self.session
        return {
            "reviewer": self._answers(ReviewerBody, self._take_reviewer),
            "audit/draw": self._decides(DrawBody, lambda _, body: decisions.draw(session, body)),
            "audit/answer": self._decides(AnswerBody, lambda who, body: decisions.answer(session, who, body)),
            "audit/square": self._decides(SquareBody, lambda who, body: decisions.square(session, who, body)),
            "edit": self._decides(EditBody, lambda who, body: decisions.edit(session, who, body)),
            "add": self._answers(AddBody, self._add),
            "undo": self._decides(UndoBody, lambda who, body: decisions.undo(session, who, body)),
            "fields/accept": self._decides(FieldBody, lambda who, body: decisions.accept(session, who, body)),
            "regions/add": self._answers(RegionBody, self._add_region),
            "regions/remove": self._decides(
                RegionNumberBody, lambda who, body: decisions.remove_region(session, who, body)
            ),
            "sign": self._answers(SignBody, self._sign),
            "save": self._answers(EmptyBody, self._save),
        }

    # The page and its files.

    def _open(self, request: Request) -> Response:
        """Begin a session by the token of the command's link, or follow a link of the report.

        A browser does not send the session's cookie along a link of another page (SameSite=Strict): the
        report's link is followed once more from a page of this server.
        """
        query = request.query_params
        where = {name: query[name] for name in _PLACES if _is_number(query.get(name, ""))}
        target = f"/#{urlencode(where)}" if where else "/"
        if query.get("of", self._result) != self._result:
            return _not_opened(request, 404, "not_found", "another result is reviewed here", _OTHER)
        if self.access.redeem(query.get("token", "")):
            return RedirectResponse(target, 303, {"set-cookie": self.access.set_cookie()})
        if self.access.admits(request.headers.get("cookie", "")):
            return RedirectResponse(target, 303)
        if "token" not in query and "again" not in query:
            return plain_page("Opening the review …", go_to=f"{OPEN_PATH}?{urlencode(where | {'again': 1})}")
        return _not_opened(request, 401, "no_session", "this link was used or is wrong", _NO_SESSION)

    @cached_property
    def _result(self) -> str:
        return self.session.review.scored.score.scored_digest[:RESULT_LETTERS]

    # The slide.

    def _slide_document(self) -> dict[str, Any]:
        info, scored = self.slide.info, self.session.review.scored
        return {
            "name": scored.name,
            "width_px": self.slide.width_px,
            "height_px": self.slide.height_px,
            "mpp": self.slide.mpp,
            "bounds_px": list(info.bounds_px),
            "levels": [
                {
                    "index": level.index,
                    "width_px": level.width_px,
                    "height_px": level.height_px,
                    "downsample": level.downsample,
                    "tile_width_px": level.tile_width_px,
                    "tile_height_px": level.tile_height_px,
                    "across": level.across,
                    "down": level.down,
                }
                for level in self.tiles.levels
            ],
            "field_um": self.session.settings.field_um,
            "stained_threshold": self.session.threshold,
            "cells": self.session.cells.network_cells,
            "cells_url": "/api/cells.bin",
            "layers": ["heatmap", "tissue"],
        }

    def _tile(self, request: Request) -> Response:
        place = request.path_params
        level, column, row = place["level"], place["column"], place["row"]
        tag = f"{self.slide.info.digest[:16]}-{level}-{column}-{row}"
        if request.headers.get("if-none-match") == f'"{tag}"':
            return Response(None, 304, {"etag": f'"{tag}"', **PRIVATE})
        content = self.tiles.tile(level, column, row)
        return Response(content, 200, {"etag": f'"{tag}"', **PRIVATE}, "image/jpeg")

    @cached_property
    def _tissue(self) -> dict[str, Any]:
        run = RunDocument.read(self.session.review.scored.path / RUN_NAME)
        return views.tissue_document(self.slide, run.stains.white_point)

    def _crop(self, request: Request) -> Response:
        session = self._followed()
        with session.lock:
            row = views.row_of(session, request.path_params["cell"])
            x_px, y_px = float(session.cells.table.x_px[row]), float(session.cells.table.y_px[row])
        return self._picture(request, x_px, y_px, 64.0, 1000.0)

    def _question_crop(self, request: Request) -> Response:
        session = self._followed()
        with session.lock:
            row = decisions.question_of(session, request.path_params["number"]).row
            x_px, y_px = float(session.network.x_px[row]), float(session.network.y_px[row])
        return self._picture(request, x_px, y_px, 64.0, 400.0)

    def _square_crop(self, request: Request) -> Response:
        session, number = self._followed(), request.path_params["number"]
        with session.lock:
            squares = decisions.audit_of(session).squares
        if not 1 <= number <= len(squares):
            raise RefusedError("not_found", f"the audit has no square {number}")
        left_px, top_px, side_px = views.framed_square(squares[number - 1])
        centre = left_px + side_px / 2, top_px + side_px / 2
        side_um = side_px * self.slide.mpp
        content = self.tiles.crop(*centre, side_um, _whole(request, "px", 512, 64, 1024))
        return Response(content, 200, CHECKED, "image/jpeg")

    def _picture(
        self, request: Request, x_px: float, y_px: float, side_um: float, largest_um: float
    ) -> Response:
        side_um = _number(request, "um", side_um, 16.0, largest_um)
        content = self.tiles.crop(x_px, y_px, side_um, _whole(request, "px", 256, 32, 1024))
        return Response(content, 200, CHECKED, "image/jpeg")

    # The review.

    def _followed(self) -> ReviewSession:
        self.session.follow()
        return self.session

    def _session_document(self) -> dict[str, Any]:
        return {
            "csrf": self.access.csrf,
            "reviewer": self.session.reviewer,
            "version": __version__,
            "research_use": RESEARCH_USE,
            "slide": self.session.review.scored.name,
        }

    def _regions_document(self) -> dict[str, Any]:
        regions = self._followed().state.regions
        return {"regions": [{"number": number, **value} for number, value in sorted(regions.items())]}

    def _state(self, request: Request) -> Response:
        session = self._followed()
        return tagged(request, state_message(session).model_dump_json().encode(), JSON)

    def _changes(self, request: Request) -> Response:
        since = _whole(request, "since", 0, 0, 2**31)
        return JSONResponse(changes_message(self._followed(), since).document())

    def _cells(self, request: Request) -> Response:
        session = self._followed()
        tag = (
            f'"{session.head_hash[:24]}-{hashlib.sha256((session.reviewer or "").encode()).hexdigest()[:8]}"'
        )
        if request.headers.get("if-none-match") == tag:
            return Response(None, 304, {"etag": tag, **CHECKED})
        content = session.cells_file()
        return Response(content, 200, {"etag": tag, **CHECKED}, "application/octet-stream")

    def _gallery(self, request: Request) -> Response:
        kind = request.query_params.get("kind", Doubt.ALL)
        if kind not in set(Doubt):
            raise RefusedError("bad_request", f"kind is {kind!r}", f"known: {', '.join(Doubt)}")
        number = _whole(request, "count", 64, 1, 256)
        return JSONResponse(views.gallery_document(self._followed(), number, Doubt(kind)))

    # Decisions.

    def _answers(self, kind: type[_Body], act: Callable[[_Body], dict[str, Any]]) -> Any:
        """Return an endpoint that reads a body and answers with what an action returns."""

        async def endpoint(request: Request) -> Response:
            body = kind.model_validate_json(await request.body() or b"{}")
            return JSONResponse(await run_in_threadpool(act, body))

        return endpoint

    def _decides(self, kind: type[_Body], make: Make) -> Any:
        """Return an endpoint that records decisions."""
        return self._answers(kind, lambda body: self._decided(body, lambda who: make(who, body)))

    def _decided(self, body: Body, make: Callable[[str], list[Any]]) -> dict[str, Any]:
        """Record decisions and answer with the score line and what to patch."""
        session = self.session
        with session.lock:
            session.follow()
            author = self._author(body)
            before = len(session.events)
            session.decide(author, lambda: make(author.reviewer))
            return {
                "state": state_message(session).document(),
                "changes": changes_message(session, before).document(),
            }

    def _author(self, body: Body) -> Author:
        reviewer = self.session.reviewer
        if reviewer is None:
            raise RefusedError("reviewer_needed", "a decision needs the reader's printed name")
        return Author(reviewer, self.access.session, body.shown_ms)

    def _take_reviewer(self, body: ReviewerBody) -> dict[str, Any]:
        session, name = self.session, printed_name(body.name)
        with session.lock:
            if session.reviewer not in {None, name}:
                raise RefusedError(
                    "conflict",
                    f"{session.reviewer} reviews here",
                    "start the command again for another reader",
                )
            if session.reviewer is None:
                session.reviewer = name
                session.forget_marks()
        return self._session_document()

    def _add(self, body: AddBody) -> dict[str, Any]:
        rows: list[int] = []

        def make(reviewer: str) -> list[Any]:
            row, made = decisions.add(self.session, reviewer, body)
            rows[:] = [row]
            return made

        answer = self._decided(body, make)
        return answer | {"id": rows[0]}

    def _add_region(self, body: RegionBody) -> dict[str, Any]:
        numbers: list[int] = []

        def make(reviewer: str) -> list[Any]:
            number, made = decisions.add_region(self.session, reviewer, body)
            numbers[:] = [number]
            return made

        answer = self._decided(body, make)
        return answer | {"number": numbers[0]}

    def _sign(self, body: SignBody) -> dict[str, Any]:
        session = self.session
        with session.lock:
            author = self._author(body)
            session.follow()
            self._write_regions()
            before = len(session.events)
            sign_review(session.review.scored.path, author.reviewer, Meaning(body.meaning))
            session.follow()
            return {
                "state": state_message(session).document(),
                "changes": changes_message(session, before).document(),
            }

    def _save(self, _: EmptyBody) -> dict[str, Any]:
        with self.session.lock:
            self.session.follow()
            self.save()
            return {"state": state_message(self.session).document()}

    def save(self) -> None:
        """Write what the review amounts to: its files, `score.json` and the report."""
        session = self.session
        with session.lock:
            session.follow()
            if session.events:
                self._write_regions()
                publish_review(session.review.scored.path)

    def _write_regions(self) -> None:
        session = self.session
        if session.events:
            write_regions(session.review.path, session.state, self.slide.info.bounds_px)


# Answers and errors.


_PLACES = ("field", "x", "y", "field_x", "field_y")
"""Where a link may lead: a field by its number, a place, the field at a place; level-0 pixels."""

_NO_SESSION = "use the link that cxpath review open shows; it works once, run it again for another"
_OTHER = "end it with Ctrl-C, and run cxpath review open for the folder of the report"


def _not_opened(request: Request, status: int, code: str, message: str, hint: str) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return plain_page(f"This review cannot be opened: {message}. Hint: {hint}.", status)
    return error_response(status, code, message, hint)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit() and len(text) < 16


def _number(request: Request, name: str, default: float, low: float, high: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not _is_number(text) or not low <= float(text) <= high:
        raise RefusedError("bad_request", f"{name} is {text[:40]!r}, not a number from {low:g} to {high:g}")
    return float(text)


def _whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    number = _number(request, name, default, low, high)
    if number != int(number):
        raise RefusedError("bad_request", f"{name} is {number:g}, not a whole number")
    return int(number)


def _refused(_: Request, error: RefusedError) -> Response:
    return error_response(_STATUS.get(error.code, _CONFLICT), error.code, error.message, error.hint)


def _no_tile(_: Request, error: NoTileError) -> Response:
    return error_response(404, "not_found", error.message, error.hint)


def _conflict(_: Request, error: CxpathError) -> Response:
    return error_response(_CONFLICT, "conflict", error.message, error.hint)


def _internal(_: Request, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    return error_response(
        500, "internal", "the server failed at this", "its terminal says more; nothing decided is lost"
    )
