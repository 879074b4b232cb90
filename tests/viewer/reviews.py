"""A review server over a small scored slide, and a browser's side of it, for tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from starlette.testclient import TestClient

from cxpath.data.cells import Kind
from cxpath.slide.open import open_slide
from cxpath.viewer.security import Access, Address
from cxpath.viewer.server import ReviewServer
from cxpath.viewer.session import Author, ReviewSession
from scripts.studies.measure_audit import KnownSlide
from tests.app.reviewed_slides import MPP, scored_slide

READER = "Dr A. Reader"
AUTHOR = Author(READER, "test")
ORIGIN = "http://127.0.0.1:8000"
CLASSES = {Kind.TUMOUR: "tumour", Kind.IMMUNE: "immune", Kind.OTHER: "other"}

Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Scored:
    """A picture, its results folder and the truth of its cells."""

    picture: Path
    results: Path
    known: KnownSlide

    def copied(self, results: Path) -> Scored:
        """Return the same with a results folder of its own."""
        shutil.copytree(self.results, results)
        return Scored(self.picture, results, self.known)


@dataclass(frozen=True, eq=False)
class Page:
    """The browser's side: it opened the link and knows what the page knows."""

    server: ReviewServer
    client: TestClient
    headers: dict[str, str]

    @property
    def session(self) -> ReviewSession:
        return self.server.session

    def get(self, path: str, status: int = 200) -> Json:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return cast("Json", answer.json())

    def post(self, path: str, body: Json | None = None, status: int = 200) -> Json:
        answer = self.client.post(path, json=body or {}, headers=self.headers)
        assert answer.status_code == status, answer.text
        return cast("Json", answer.json())

    def picture(self, path: str) -> bytes:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/jpeg"
        return answer.content

    def cells(self) -> DecodedCells:
        return decode_cells(self.client.get("/api/cells.bin").content)


@dataclass(frozen=True, eq=False)
class DecodedCells:
    """`cells.bin` as the page reads it."""

    cells: int
    network: int
    columns: int
    rows: int
    side_px: float
    events: int
    offsets: NDArray[np.uint32]
    x_px: NDArray[np.float32]
    y_px: NDArray[np.float32]
    class_of: NDArray[np.uint8]
    flags: NDArray[np.uint8]


def decode_cells(content: bytes) -> DecodedCells:
    """Read the file by its contract, not by the code that writes it."""
    assert content[:8] == b"CXCELLS1"
    head, cells, network, columns, rows = np.frombuffer(content, "<u4", 5, 8).tolist()
    side_px = float(np.frombuffer(content, "<f4", 1, 28)[0])
    events = int(np.frombuffer(content, "<u4", 1, 32)[0])
    at, parts = head, []
    for kind, number in (
        ("<u4", columns * rows + 1),
        ("<f4", cells),
        ("<f4", cells),
        ("u1", cells),
        ("u1", cells),
    ):
        parts.append(np.frombuffer(content, kind, number, at))
        at += -(-parts[-1].nbytes // 4) * 4
    assert at == len(content)
    return DecodedCells(cells, network, columns, rows, side_px, events, *parts)


def scored(folder: Path) -> Scored:
    return Scored(*scored_slide(folder))


@contextmanager
def opened(
    results: Path,
    picture: Path,
    reviewer: str | None = READER,
    static: Path | None = None,
    mpp: float | None = MPP,
) -> Iterator[Page]:
    """Open a review as a browser does."""
    with open_slide(picture, mpp) as slide:
        access = Access(Address("127.0.0.1", 8000))
        session = ReviewSession(results, reviewer)
        server = ReviewServer(session, slide, access, static or results)
        with TestClient(server.app(), base_url=ORIGIN, follow_redirects=False) as client:
            assert client.get(access.link).status_code == 303
            csrf = client.get("/api/session").json()["csrf"]
            yield Page(server, client, {"origin": ORIGIN, "x-cxpath-csrf": csrf})


def answer_all(page: Page, known: KnownSlide) -> None:
    """Answer an audit as a perfect reader does, by what is true of each cell."""
    audit = page.session.state.audit
    assert audit is not None
    for number, question in enumerate(audit.draw.questions, start=1):
        page.post("/api/audit/answer", true_answer(known, question.row, number, question.asks_stained))
    for number in range(1, len(audit.squares) + 1):
        counts = {"tumour_stained": 0, "tumour_unstained": 0, "immune_stained": 0}
        page.post("/api/audit/square", {"number": number, **counts})


def true_answer(known: KnownSlide, row: int, number: int, asks_stained: bool) -> Json:
    kind = CLASSES[Kind(int(known.kind[row]))]
    stained = bool(known.stained[row]) if asks_stained and kind != "other" else None
    return {"number": number, "class": kind, "stained": stained}
