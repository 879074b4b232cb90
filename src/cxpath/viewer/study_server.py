"""The HTTP interface of a reader study: each reader sees one slide at a time, and nothing of anybody else.

What may leave the server about a slide is listed in `_shown_document`. Names, files, reference, other readers
and, outside the aided arm, the software's score are in none of the documents.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from cachetools import LRUCache
from pydantic import Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cxpath import __version__
from cxpath.app import READERS, TOKENS, ReaderRecord, StudyFolder, require_slides
from cxpath.data import RESEARCH_USE
from cxpath.errors import CxpathError, OutputError
from cxpath.io import claimed, folder_for
from cxpath.review import (
    AnswerError,
    Arm,
    Assignment,
    Decision,
    Entered,
    ReaderState,
    Stage,
    answer_of,
    answer_value,
    keep_draft,
    open_session,
    opens_at,
    show_read,
    software_shown,
    stage_of,
    submit_read,
    utc_seconds,
)
from cxpath.slide import Slide, open_slide
from cxpath.viewer.canvas import NoTileError, SlideTiles
from cxpath.viewer.launch import Binding, listening, serve
from cxpath.viewer.messages import PRIVATE, Body, PageFiles, bad_body, error_response, http_error
from cxpath.viewer.security import (
    CSRF_HEADER,
    ENTER_API,
    ENTER_PATH,
    Address,
    Guard,
    ReaderSession,
    StudyAccess,
    error_document,
)

_log = logging.getLogger(__name__)
_OPEN_SLIDES = 8
_Body = TypeVar("_Body", bound=Body)


class TokenBody(Body):
    """A reader's token."""

    token: str = Field(max_length=200)


class ReadBody(Body):
    """What was entered about the slide that is open."""

    position: int = Field(ge=1)
    given: dict[str, Any] = Field(max_length=10)


class NothingBody(Body):
    """Nothing."""


class _RefusedError(CxpathError):
    """A request that does not fit."""

    def __init__(self, status: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status, self.code = status, code


@dataclass(frozen=True)
class OpenSlide:
    """A slide that readers look at."""

    slide: Slide
    tiles: SlideTiles


class StudyServer:
    """What the server needs to answer.

    Parameters
    ----------
    study : StudyFolder
    access : StudyAccess
    clock : callable
        Returns the time.
    """

    def __init__(
        self,
        study: StudyFolder,
        access: StudyAccess,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.study, self.access, self._clock = study, access, clock
        self._records: dict[str, ReaderRecord] = {}
        for reader in study.design.readers:
            self._records[reader.id] = study.record(reader.id)
            _ = self._records[reader.id].state  # a broken record is refused before anybody reads
        self._slides: LRUCache[str, OpenSlide] = LRUCache(_OPEN_SLIDES)
        self._lock = threading.Lock()
        self._files = PageFiles()

    def app(self) -> Guard:
        """Return the application with its guard."""
        routes = [
            Route("/", lambda request: self._files.answer("study/index.html", request)),
            Route(ENTER_PATH, lambda request: self._files.answer("study/enter.html", request)),
            Route(
                "/static/{name:path}",
                lambda request: self._files.answer(request.path_params["name"], request),
            ),
            Route(ENTER_API, self._enter, methods=["POST"]),
            Route("/api/study", lambda request: JSONResponse(self._document(self._session(request)))),
            Route("/api/show", self._decides(NothingBody, self._show), methods=["POST"]),
            Route("/api/draft", self._decides(ReadBody, self._draft), methods=["POST"]),
            Route("/api/submit", self._decides(ReadBody, self._submit), methods=["POST"]),
            Route("/tiles/{code}/{level:int}/{column:int}_{row:int}.jpg", self._tile),
        ]
        handlers: Mapping[Any, Any] = {
            HTTPException: http_error,
            ValidationError: bad_body,
            AnswerError: _incomplete,
            _RefusedError: lambda _, error: error_response(
                error.status, error.code, error.message, error.hint
            ),
            NoTileError: lambda _, error: error_response(404, "not_found", error.message),
            CxpathError: self._refused,
            Exception: _internal,
        }
        return Guard(Starlette(routes=routes, exception_handlers=handlers), self.access)

    def _refused(self, _: Request, error: CxpathError) -> Response:
        """Say why, without the folder that the study is in."""
        message = error.message.replace(str(self.study.path), "the study")
        if message != error.message:
            _log.warning("%s", error)
        return error_response(409, "conflict", message, error.hint)

    # Sessions.

    async def _enter(self, request: Request) -> Response:
        body = TokenBody.model_validate_json(await request.body() or b"{}")
        session = self.access.enter(body.token.strip())
        if session is None:
            raise _RefusedError(401, "no_session", "this token is not known", "ask the organiser for another")
        record, now = self._records[session.reader], self._clock()
        await run_in_threadpool(record.append, [open_session(session.reader, session.name)], now)
        return JSONResponse({"entered": True}, headers={"set-cookie": self.access.set_cookie(session)})

    def _session(self, request: Request) -> ReaderSession:
        session = self.access.session_of(request.headers.get("cookie", ""))
        if session is None:
            raise _RefusedError(401, "no_session", "this browser has no session", self.access.how_to_enter)
        return session

    def _decides(self, kind: type[_Body], act: Callable[[ReaderSession, Any], dict[str, Any]]) -> Any:
        """Return an endpoint that reads a body, checks whose page sent it, and acts for that reader."""

        async def endpoint(request: Request) -> Response:
            """Check the CSRF token, read the body and act in a thread."""
            session = self._session(request)
            if request.headers.get(CSRF_HEADER, "") != session.csrf:
                raise _RefusedError(403, "csrf", "the request is not of this session", "load the page again")
            body = kind.model_validate_json(await request.body() or b"{}")
            return JSONResponse(await run_in_threadpool(act, session, body))

        return endpoint

    # Where a reader stands, and the read that is open.

    def _document(self, session: ReaderSession) -> dict[str, Any]:
        """Return what a reader may know: the study's questions, and how far the reader is."""
        design, now = self.study.design, self._clock()
        state = self._records[session.reader].state
        stage, opening = stage_of(state, design, now), opens_at(state, design)
        counted = [one for one in state.assignments if not one.practice]
        return {
            "csrf": session.csrf,
            "reader": session.reader,
            "study": design.name,
            "research_use": RESEARCH_USE,
            "version": __version__,
            "score": design.score,
            "largest": design.largest,
            "cutoffs": [f"{cutoff:g}" for cutoff in design.cutoffs],
            "questions": design.questions.model_dump(),
            "stage": stage.value,
            "opens_utc": utc_seconds(opening) if opening and stage is Stage.WASH_OUT else None,
            "read": sum(one.position in state.submitted for one in counted),
            "planned": len(counted),
        }

    def _show(self, session: ReaderSession, _: NothingBody) -> dict[str, Any]:
        design, now = self.study.design, self._clock()
        record = self._records[session.reader]
        coming = record.state.next
        if coming is not None and stage_of(record.state, design, now) is Stage.READING:
            self._opened(coming.slide)  # a slide that does not open is not noted as shown
        state = record.decide(
            lambda before: show_read(before, design, session.reader, session.name, now), now
        )
        return self._document(session) | {"open": self._shown_document(state)}

    def _shown_document(self, state: ReaderState) -> dict[str, Any]:
        """Return everything that a reader gets to know about the slide that is open."""
        coming, draft = state.next, state.draft
        if coming is None or draft is None:
            raise _RefusedError(409, "conflict", "no slide is open", "load the page again")
        return {
            "position": coming.position,
            "code": coming.code,
            "arm": coming.arm.value,
            "practice": coming.practice,
            "software": software_shown(self.study.design, coming),
            "earlier": self._own_earlier(state, coming),
            "given": dict(draft.given),
            "shown_ms": draft.shown_ms,
            "slide": _slide_document(self._opened(coming.slide)),
        }

    def _own_earlier(self, state: ReaderState, coming: Assignment) -> dict[str, Any] | None:
        """Return the reader's own unaided answer of the same sitting, with the software's score."""
        if coming.arm is not Arm.AIDED:
            return None
        for one in state.assignments[: coming.position - 1]:
            if (one.slide, one.sitting) == (coming.slide, coming.sitting) and one.arm is Arm.UNAIDED:
                return answer_value(state.submitted[one.position].answer)
        return None

    def _draft(self, session: ReaderSession, body: ReadBody) -> dict[str, Any]:
        design, now = self.study.design, self._clock()
        entered = Entered(body.position, body.given, body.shown_ms or 0)

        def make(state: ReaderState) -> Decision | None:
            if body.position in state.submitted:
                return None  # sent before the answer, and overtaken by it
            return keep_draft(state, design, session.reader, session.name, entered, now)

        state = self._records[session.reader].decide(make, now)
        return {"kept": True, "shown_ms": state.draft.shown_ms if state.draft else 0}

    def _submit(self, session: ReaderSession, body: ReadBody) -> dict[str, Any]:
        design, now = self.study.design, self._clock()
        entered = Entered(body.position, body.given, body.shown_ms or 0)

        def make(state: ReaderState) -> Decision | None:
            done = state.submitted.get(body.position)
            if done is not None and done.answer == answer_of(design, body.given):
                return None  # sent again after the server's word was lost
            return submit_read(state, design, session.reader, session.name, entered, now)

        self._records[session.reader].decide(make, now)
        return self._document(session)

    # Slides and files.

    def _opened(self, slide_id: str) -> OpenSlide:
        with self._lock:
            held = self._slides.get(slide_id)
            if held is None:
                slide = open_slide(self.study.slide_path(slide_id), name="this slide")
                held = self._slides[slide_id] = OpenSlide(slide, SlideTiles(slide))
            return held

    def _tile(self, request: Request) -> Response:
        """Answer with a tile of the slide that is open for this reader, or was just before, and of no other.

        The one before: its last tiles may still be on their way when its answer is submitted.
        """
        session, place = self._session(request), request.path_params
        slide = _slide_before(self._records[session.reader].state, place["code"])
        level, column, row = place["level"], place["column"], place["row"]
        tag = f'"{place["code"]}-{level}-{column}-{row}"'
        if request.headers.get("if-none-match") == tag:
            return Response(None, 304, {"etag": tag, **PRIVATE})
        content = self._opened(slide).tiles.tile(level, column, row)
        return Response(content, 200, {"etag": tag, **PRIVATE}, "image/jpeg")


def _slide_before(state: ReaderState, code: str) -> str:
    """Return the slide of a blinded name, if it is the one that is open or the one before."""
    number = len(state.submitted)
    seen = state.assignments[max(number - 1, 0) : number]
    if state.next is not None and state.draft is not None:
        seen = (*seen, state.next)
    for one in seen:
        if one.code == code:
            return one.slide
    raise NoTileError("this slide is not open")


def _slide_document(opened: OpenSlide) -> dict[str, Any]:
    """Return a slide's size and levels; its name, digest and properties stay here."""
    slide = opened.slide
    levels = [
        {
            "index": level.index,
            "width_px": level.width_px,
            "height_px": level.height_px,
            "tile_width_px": level.tile_width_px,
            "tile_height_px": level.tile_height_px,
            "across": level.across,
            "down": level.down,
        }
        for level in opened.tiles.levels
    ]
    return {
        "width_px": slide.width_px,
        "height_px": slide.height_px,
        "mpp": slide.mpp,
        "bounds_px": list(slide.info.bounds_px),
        "levels": levels,
    }


def _incomplete(_: Request, error: AnswerError) -> Response:
    document = error_document("answer", error.message, error.hint)
    document["error"]["question"] = error.question
    return JSONResponse(document, 400)


def _internal(_: Request, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    return error_response(500, "internal", "the server failed at this", "nothing that was submitted is lost")


# Starting and ending.


def run_study(study: StudyFolder, binding: Binding, announce: Callable[[str], None]) -> None:
    """Serve a study to its readers until Ctrl-C.

    Parameters
    ----------
    study : StudyFolder
    binding : Binding
    announce : callable
        Given the address that readers open, once it can be.

    Raises
    ------
    MissingFileError, UnreadableSlideError, ResolutionError
        Naming the first slide that is not there or cannot be opened.
    ReviewError, DocumentError, OutputError
        When a record or the tokens are damaged, another process serves the study, or the port is taken.
    """
    binding.require_safe()
    require_slides(study)
    for slide in study.design.slides:
        open_slide(study.slide_path(slide.id)).close()
    hashes = _Tokens(study)
    hashes()
    with _alone(study), listening(binding) as listener:
        address = Address(binding.host, listener.getsockname()[1], binding.proxy_origin)
        access = StudyAccess(address, hashes)
        serve(StudyServer(study, access).app(), listener, lambda: announce(access.origin + ENTER_PATH))


class _Tokens:
    """The hashes of the tokens, read again when their file changes."""

    def __init__(self, study: StudyFolder) -> None:
        self._study = study
        self._held: tuple[int, Mapping[str, str]] = (-1, {})

    def __call__(self) -> Mapping[str, str]:
        try:
            changed = (self._study.path / TOKENS).stat().st_mtime_ns
        except OSError:
            changed = -2
        if changed != self._held[0]:
            self._held = changed, self._study.tokens()
        return self._held[1]


@contextlib.contextmanager
def _alone(study: StudyFolder) -> Any:
    """Refuse to serve a study that another process serves; Windows cannot tell."""
    folder = folder_for(study.path / READERS)
    with claimed(folder) as own:
        if not own and sys.platform != "win32":
            raise OutputError(f"{study.path}: another process serves this study", "end it first")
        yield
