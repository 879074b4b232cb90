"""Start the review's server on this machine, open the browser, and end cleanly."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from cxpath.errors import ConfigurationError, OutputError
from cxpath.review import ReviewError
from cxpath.slide import Slide, icc_as_recorded, open_slide
from cxpath.viewer.security import Access, Address, Guard
from cxpath.viewer.server import ReviewServer
from cxpath.viewer.session import ReviewSession, printed_name

_log = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
_CONNECTIONS = 128
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(:\d{1,5})?")


@dataclass(frozen=True)
class Binding:
    """Where to listen.

    Parameters
    ----------
    host : str
    port : int
        0 takes the one that is looked for, or a free one.
    proxy_origin : str or None
        How an authenticating proxy in front of the server is reached.
    """

    host: str = LOOPBACK
    port: int = 0
    proxy_origin: str | None = None

    def require_safe(self) -> None:
        """Refuse to listen where others could connect, unless a proxy says who they are.

        Raises
        ------
        ConfigurationError
            When it is not this machine alone and no proxy is declared, or the proxy's origin is none.
        """
        if self.proxy_origin is not None and not _ORIGIN.fullmatch(self.proxy_origin):
            raise ConfigurationError(
                f"{self.proxy_origin!r} is no origin of a proxy",
                "give scheme and name, as https://review.example",
            )
        if not _is_loopback(self.host) and self.proxy_origin is None:
            raise ConfigurationError(
                f"{self.host}: others could connect, and the server does not ask who they are",
                "leave --host out, or put an authenticating proxy in front and pass --proxy-origin",
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run_review(
    folder: Path,
    slide_path: Path,
    reviewer: str | None,
    binding: Binding,
    announce: Callable[[str], None],
    *,
    browser: bool,
) -> Path | None:
    """Serve a review until Ctrl-C; returns the folder of its record, None where nothing was decided.

    Parameters
    ----------
    folder : Path
        A results folder of `cxpath score`.
    slide_path : Path
        The slide that was scored.
    reviewer : str or None
    binding : Binding
    announce : callable
        Given the link once it can be opened.
    browser : bool
        Whether to open the link.

    Raises
    ------
    ConfigurationError, MissingFileError, ReviewError, OutputError
        When there is nothing to review, the slide is another one, or the port is taken.
    """
    binding.require_safe()
    session = ReviewSession(folder, printed_name(reviewer) if reviewer else None)
    scored = session.review.scored
    of_slide = scored.score.slide
    icc = icc_as_recorded(of_slide.colour.use if of_slide.colour else None)
    with open_slide(slide_path, of_slide.mpp, name=scored.name, icc=icc) as slide:
        require_same_slide(slide, session)
        with listening(binding, scored.score.review_port) as listener:
            address = Address(binding.host, listener.getsockname()[1], binding.proxy_origin)
            review = ReviewServer(session, slide, Access(address))
            link = review.access.link
            serve(review.app(), listener, lambda: _announced(link, announce, browser=browser))
        review.save()
    return session.review.path if session.events else None


def require_same_slide(slide: Slide, session: ReviewSession) -> None:
    """Refuse a slide that is not the one that was scored."""
    scored = session.review.scored
    if slide.info.digest != scored.score.slide.digest:
        raise ReviewError(
            f"{scored.path}: was scored from another slide than this", "pass the slide it is of"
        )


@contextlib.contextmanager
def listening(binding: Binding, looked_for: int = 0) -> Iterator[socket.socket]:
    """Give a socket that listens while the block runs.

    Parameters
    ----------
    binding : Binding
    looked_for : int
        Port that the links of a report lead to; taken where it is free and no other is asked for.
    """
    try:
        listener = _looked_for(binding, looked_for) or socket.create_server(
            (binding.host, binding.port), backlog=_CONNECTIONS
        )
    except OSError as error:
        raise OutputError(
            f"{binding.host}:{binding.port}: cannot be listened on: {error.strerror or error}",
            "leave --port out for a free one",
        ) from error
    with listener:
        # For every connection: else the last bytes of an answer wait 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def _looked_for(binding: Binding, port: int) -> socket.socket | None:
    """Listen where the links of a report lead to; None where another program does, or a port is stated."""
    if binding.port or not port:
        return None
    try:
        return socket.create_server((binding.host, port), backlog=_CONNECTIONS)
    except OSError:
        _log.warning("port %d is taken: the links of report.html do not lead to this review", port)
        return None


class _Server(uvicorn.Server):
    """A server that ends at the first Ctrl-C, without raising it again behind the last words."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        self._started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle Ctrl-C and SIGTERM while the server runs, and no longer."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Let the server end."""
        super().handle_exit(sig, frame)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _announced(link: str, announce: Callable[[str], None], *, browser: bool) -> None:
    announce(link)
    if browser:
        threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()


def serve(app: Guard, listener: socket.socket, started: Callable[[], None]) -> None:
    """Serve an application until Ctrl-C.

    Parameters
    ----------
    app : Guard
    listener : socket
    started : callable
        Called once requests are answered.
    """
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=3,
    )
    _Server(config, started).run(sockets=[listener])
