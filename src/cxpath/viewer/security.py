"""Who may talk to the server: this machine's browser that opened the link, or a study's reader with a token.

Every request is checked before anything else sees it. Host stops other names that point here (DNS
rebinding), the cookie stops other programs and users of this machine, Origin and the CSRF header stop other
pages of the same browser, and the content policy stops anything that the page did not bring itself.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cxpath.review import reader_of

MOST_BODY_BYTES = 4 * 1024 * 1024
CSRF_HEADER = "x-cxpath-csrf"
OPEN_PATH = "/open"

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=()",
}
_READING = {"GET", "HEAD"}


@dataclass(frozen=True)
class Address:
    """Where the server is reached.

    Parameters
    ----------
    host : str
        That it listens on.
    port : int
    proxy_origin : str or None
        Scheme, name and port by which an authenticating proxy in front of it is reached.
    """

    host: str
    port: int
    proxy_origin: str | None = None

    @property
    def origins(self) -> frozenset[str]:
        """Origins of pages that may send requests."""
        if self.proxy_origin:
            return frozenset({self.proxy_origin})
        return frozenset(f"http://{name}:{self.port}" for name in ("127.0.0.1", "localhost"))

    @property
    def hosts(self) -> frozenset[str]:
        """What may be in the header Host."""
        return frozenset(origin.split("://", 1)[1] for origin in self.origins)

    @property
    def cookie(self) -> str:
        """Name of the cookie; servers on one machine share its cookies, whatever their ports."""
        return f"cxpath-review-{self.port}"


class Gate(Protocol):
    """Who may pass the guard."""

    @property
    def address(self) -> Address:
        """Where the server is reached."""

    @property
    def how_to_enter(self) -> str:
        """What a browser without a session should do."""

    def opens(self, method: str, path: str) -> bool:
        """Say whether a request needs no session."""

    def admits(self, cookies: str) -> bool:
        """Say whether a header Cookie carries a session."""

    def is_csrf(self, token: str) -> bool:
        """Say whether a request was made by a page of this server."""


@dataclass
class Access:
    """The secrets of one run of the server.

    Parameters
    ----------
    address : Address
    """

    address: Address
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    _token: str | None = field(default_factory=lambda: secrets.token_urlsafe(32))
    _cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def link(self) -> str:
        """The link that opens the review, once."""
        address = self.address
        origin = address.proxy_origin or f"http://{address.host}:{address.port}"
        return f"{origin}{OPEN_PATH}?token={self._token}"

    @property
    def session(self) -> str:
        """What events say of the session: no secret."""
        return self.csrf[:8]

    def redeem(self, token: str) -> bool:
        """Use the link's token up; False where it is wrong or was used."""
        with self._lock:
            good = self._token is not None and _equal(token, self._token)
            if good:
                self._token = None
            return good

    def set_cookie(self) -> str:
        """Return the header that gives a browser its session."""
        secure = "; Secure" if (self.address.proxy_origin or "").startswith("https:") else ""
        return f"{self.address.cookie}={self._cookie}; Path=/; HttpOnly; SameSite=Strict{secure}"

    def admits(self, cookies: str) -> bool:
        """Say whether a header Cookie carries the session."""
        try:
            held = SimpleCookie(cookies).get(self.address.cookie)
        except CookieError:
            return False
        return held is not None and _equal(held.value, self._cookie)

    def is_csrf(self, token: str) -> bool:
        """Say whether a request was made by the page itself."""
        return _equal(token, self.csrf)

    def opens(self, method: str, path: str) -> bool:
        """Say whether a request needs no session: the one that brings the link's token."""
        return path == OPEN_PATH and method == "GET"  # a HEAD must not use the link up

    @property
    def how_to_enter(self) -> str:
        """What a browser without a session should do."""
        return "use the link that the terminal shows; it works once, start the command again for another"


def _equal(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused before the application sees it."""

    status: int
    code: str
    message: str
    hint: str = ""


class Guard:
    """Middleware that lets only the review's own page through, and adds the headers of every answer.

    Parameters
    ----------
    app : ASGI application
    access : Gate
    """

    def __init__(self, app: ASGIApp, access: Gate) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on with its whole body read."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self._why_not(scope)
        if refusal is not None:
            await _refuse(_with_headers(send), refusal)
            return
        body, too_large = await _bounded_body(scope, receive)
        if too_large:
            await _refuse(_with_headers(send), _TOO_LARGE)
            return
        with suppress(Exception):  # answered and logged already; a traceback helps nobody at the terminal
            await self._app(scope, _replayed(body, receive), _with_headers(send))

    def _why_not(self, scope: Scope) -> Refusal | None:
        headers, method = _headers(scope), scope["method"]
        address = self._access.address
        if headers.get("host", "") not in address.hosts:
            return Refusal(421, "foreign_host", "this server does not answer to that name")
        if _is_foreign(headers, method, address):
            return Refusal(403, "foreign_origin", "another page may not talk to this server")
        opening = self._access.opens(method, scope["path"])
        if not opening and not self._access.admits(headers.get("cookie", "")):
            how = self._access.how_to_enter
            return Refusal(401, "no_session", "this browser has no session here", how)
        return None if method in _READING else self._why_not_posted(headers, opening=opening)

    def _why_not_posted(self, headers: dict[str, str], *, opening: bool) -> Refusal | None:
        if not opening and not self._access.is_csrf(headers.get(CSRF_HEADER, "")):
            return Refusal(
                403, "csrf", f"the header {CSRF_HEADER} is missing or wrong", "load the page again"
            )
        if headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return Refusal(415, "not_json", "the body is not JSON")
        return None


_TOO_LARGE = Refusal(413, "too_large", f"the body is larger than {MOST_BODY_BYTES} bytes")


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by name; one that stands twice is good for nothing."""
    found: dict[str, str] = {}
    for name, value in cast("Iterable[tuple[bytes, bytes]]", scope["headers"]):
        key = name.decode("latin-1").lower()
        found[key] = "" if key in found and key != "cookie" else value.decode("latin-1")
    return found


def _is_foreign(headers: dict[str, str], method: str, address: Address) -> bool:
    """Say whether a request comes from another page; browsers state the origin of every POST."""
    origin = headers.get("origin")
    if origin is not None:
        return origin not in address.origins
    if method not in _READING:
        return True
    return (
        headers.get("sec-fetch-site", "none") == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
    )


async def _bounded_body(scope: Scope, receive: Receive) -> tuple[bytes, bool]:
    """Return the body, and whether it is larger than allowed; no more than that is read."""
    stated = _headers(scope).get("content-length", "0")
    if not stated.isascii() or not stated.isdigit() or int(stated[:12]) > MOST_BODY_BYTES:
        return b"", True
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body), False
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            return b"", True
        if not message.get("more_body", False):
            return bytes(body), False


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read, then whatever comes."""
    given = False

    async def replay() -> Message:
        """Return the body at first, then what the client sends next."""
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        """Add the security headers to the start of a response."""
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", [])]
            named = {name.lower() for name, _ in headers}
            added = _HEADERS | ({} if b"cache-control" in named else {"cache-control": "no-store"})
            headers += [(name.encode(), value.encode()) for name, value in added.items()]
            message = {**message, "headers": headers}
        await send(message)

    return guarded


async def _refuse(send: Send, refusal: Refusal) -> None:
    body = json.dumps(error_document(refusal.code, refusal.message, refusal.hint)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error_document(code: str, message: str, hint: str = "") -> dict[str, Any]:
    """Return an error as every answer states it."""
    return {"error": {"code": code, "message": message, "hint": hint}}


# Who is who in a reader study: a token brings a reader a session of their own.


ENTER_PATH, ENTER_API = "/enter", "/api/enter"
_PUBLIC = {"/", ENTER_PATH}
MOST_SESSIONS = 1000
"""The oldest ends when there are more."""


@dataclass(frozen=True)
class ReaderSession:
    """One browser of one reader.

    Parameters
    ----------
    reader : str
    token_hash : str
        Of the token that it was begun with: the session ends when the reader gets another.
    name : str
        What events say of the session: no secret.
    csrf, cookie : str
        Secrets.
    """

    reader: str
    token_hash: str
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class StudyAccess:
    """The sessions of a study's server; see `Gate`.

    Parameters
    ----------
    address : Address
    hashes : callable
        Returns the hash of each reader's token as it is now.
    """

    def __init__(self, address: Address, hashes: Callable[[], Mapping[str, str]]) -> None:
        self._address, self._hashes = address, hashes
        self._sessions: dict[str, ReaderSession] = {}
        self._lock = threading.Lock()

    @property
    def address(self) -> Address:
        """Where the server is reached."""
        return self._address

    @property
    def how_to_enter(self) -> str:
        """What a browser without a session should do."""
        return f"open {ENTER_PATH} and enter your token"

    @property
    def origin(self) -> str:
        """Where readers point their browsers."""
        return self._address.proxy_origin or f"http://{self._address.host}:{self._address.port}"

    @property
    def _cookie_name(self) -> str:
        return f"cxpath-study-{self._address.port}"

    def enter(self, token: str) -> ReaderSession | None:
        """Begin a session; None where the token is nobody's."""
        hashes = self._hashes()
        reader = reader_of(token, hashes)
        if reader is None:
            return None
        session = ReaderSession(reader, hashes[reader])
        with self._lock:
            self._sessions[session.cookie] = session
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
        return session

    def set_cookie(self, session: ReaderSession) -> str:
        """Return the header that gives a browser its session."""
        secure = "; Secure" if self.origin.startswith("https:") else ""
        return f"{self._cookie_name}={session.cookie}; Path=/; HttpOnly; SameSite=Strict{secure}"

    def session_of(self, cookies: str) -> ReaderSession | None:
        """Return the session that a header Cookie carries, if the reader's token is still valid."""
        try:
            held = SimpleCookie(cookies).get(self._cookie_name)
        except CookieError:
            return None
        session = self._sessions.get(held.value) if held is not None else None
        if session is None or self._hashes().get(session.reader) != session.token_hash:
            return None
        return session

    def opens(self, method: str, path: str) -> bool:
        """Say whether a request needs no session: pages without content, and the token's own."""
        if method in _READING:
            return path in _PUBLIC or path.startswith("/static/")
        return path == ENTER_API

    def admits(self, cookies: str) -> bool:
        """Say whether a header Cookie carries a session."""
        return self.session_of(cookies) is not None

    def is_csrf(self, token: str) -> bool:
        """Say whether a token is that of some session; its own session's is required further on."""
        with self._lock:
            sessions = list(self._sessions.values())
        return any(secrets.compare_digest(token.encode(), one.csrf.encode()) for one in sessions)
