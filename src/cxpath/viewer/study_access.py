"""Who is who in a reader study's server: a token brings a reader a session of their own."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from cxpath.review import reader_of
from cxpath.viewer.security import Address

ENTER_PATH, ENTER_API = "/enter", "/api/enter"
_PUBLIC = {"/", ENTER_PATH}
_READING = {"GET", "HEAD"}
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
