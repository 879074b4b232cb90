"""A study's server over small pictures, readers' browsers without a window, and a served one to kill."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from starlette.testclient import TestClient

from cxpath.app.study import StudyFolder, read_study, renew_token
from cxpath.synth.slide import write_synthetic_slide
from cxpath.viewer.security import Address, StudyAccess
from cxpath.viewer.study_server import StudyServer
from tests.app.studies import begun
from tests.review.study_designs import SAME_SITTING, UNAIDED, answer, design

Json = dict[str, Any]
ORIGIN = "http://127.0.0.1:8000"
SOFTWARE = {"zervix-a": 41.375, "zervix-b": 52.625, "zervix-c": 63.875}
REFERENCE = {"zervix-a": 71.125, "zervix-b": 72.125, "zervix-c": 73.125}
"""Scores that stand nowhere else, so that a leak of one is seen."""


def slides(folder: Path) -> Path:
    """Write three small slides with telling names."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(SOFTWARE, start=1):
        write_synthetic_slide(
            folder / f"{name}.svs", seed=seed, cps=5.0, width_px=1024, height_px=1024, workers=1
        )
    return folder


def study_of(folder: Path, slide_folder: Path, readers: int = 2, **changed: Any) -> StudyFolder:
    """Write a study of those slides: each unaided and, in the same sitting, aided."""
    rows = [
        {
            "id": name,
            "file": str(slide_folder / f"{name}.svs"),
            "software": SOFTWARE[name],
            "reference": REFERENCE[name],
        }
        for name in SOFTWARE
    ]
    stated: Json = {"rounds": [UNAIDED, SAME_SITTING], "seed": 987654321}
    return begun(folder, design(slides=rows, readers=readers, **(stated | changed)))


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)


@dataclass
class ReaderPage:
    """A reader's browser, which keeps everything that the server ever said to it."""

    client: TestClient
    csrf: str = ""
    heard: list[str] = field(default_factory=list)

    def _kept(self, answer_: Any, status: int) -> Json:
        self.heard.append(f"{answer_.headers} {answer_.text}")
        assert answer_.status_code == status, answer_.text
        return cast("Json", answer_.json())

    def enter(self, token: str, status: int = 200) -> Json:
        """Enter a token; the cookie stays in the browser."""
        headers = {"origin": ORIGIN}
        return self._kept(self.client.post("/api/enter", json={"token": token}, headers=headers), status)

    def get(self, path: str, status: int = 200) -> Json:
        """Read a document."""
        document = self._kept(self.client.get(path), status)
        self.csrf = document.get("csrf", self.csrf)
        return document

    def post(self, path: str, body: Json | None = None, status: int = 200, **headers: str) -> Json:
        """Post as the page does."""
        stated = {"origin": ORIGIN, "x-cxpath-csrf": self.csrf} | headers
        return self._kept(self.client.post(path, json=body or {}, headers=stated), status)

    def show(self) -> Json:
        """Open the next slide."""
        return cast("Json", self.post("/api/show")["open"])

    def submit(self, position: int, score: float, shown_ms: int = 0, **changed: Any) -> Json:
        """Submit an answer."""
        body = {"position": position, "given": answer(score, **changed), "shown_ms": shown_ms}
        return self.post("/api/submit", body)

    def tile(self, code: str, level: int = 0, column: int = 0, row: int = 0) -> int:
        """Ask for a tile and return the status."""
        answered = self.client.get(f"/tiles/{code}/{level}/{column}_{row}.jpg")
        self.heard.append(str(answered.headers))
        return int(answered.status_code)


@dataclass
class Served:
    """A study's server in this process."""

    study: StudyFolder
    server: StudyServer
    clock: Clock

    def page(self) -> ReaderPage:
        """Return a browser that has entered nothing yet."""
        return ReaderPage(TestClient(self.server.app(), base_url=ORIGIN, raise_server_exceptions=False))

    def entered(self, reader: str) -> ReaderPage:
        """Return a reader's browser after the entrance."""
        page = self.page()
        page.enter(renew_token(self.study, reader))
        page.get("/api/study")
        return page


def served(study: StudyFolder) -> Served:
    """Return a server of the study."""
    clock = Clock()
    access = StudyAccess(Address("127.0.0.1", 8000), study.tokens)
    return Served(study, StudyServer(study, access, clock), clock)


# A server of its own process, to be killed.


@dataclass
class Process:
    """`cxpath study open` in a process of its own."""

    study: StudyFolder
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        words = [sys.executable, "-m", "cxpath", "study", "open", str(self.study.path)]
        self.process = subprocess.Popen(
            [*words, "--port", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.origin}/enter", timeout=5):
                    return
            except OSError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.1)
        raise AssertionError("the server did not answer")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def read_again(self) -> StudyFolder:
        """Return the study as it is on the disk."""
        return read_study(self.study.path)


@contextmanager
def own_process(study: StudyFolder) -> Iterator[Process]:
    """Serve a study from a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = Process(study, port)
    running.start()
    try:
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            running.kill()
