"""A synthetic slide whose cells err in a known way, its review served here, and a tab that shows it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import cxpath as cx
from cxpath.app.review_folder import open_review
from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.review.state import ReviewState
from cxpath.slide.open import open_slide
from cxpath.synth.slide import SlideTruth
from cxpath.viewer.security import Access, Address
from cxpath.viewer.server import ReviewServer
from cxpath.viewer.session import ReviewSession
from tests.driven_browser import Chromium, Tab

REVIEWER = "Dr Ada Example"
PAGE = "import('/static/main.js').then(m => m.page)"
REVIEW = "import('/static/review.js').then(m => m.review)"
_NAMES = ("tumour", "immune", "other")
_THRESHOLD = 0.5
_NOT_A_CELL = -1


@dataclass(frozen=True, eq=False)
class ErringCells:
    """Cells as a network might have called them, and what they truly are.

    Parameters
    ----------
    cells : CellTable
    kind : int array, (N,)
        True `Kind`, -1 where there is no cell.
    stained : bool array, (N,)
    """

    cells: CellTable
    kind: NDArray[np.int64]
    stained: NDArray[np.bool_]

    def answer(self, x_px: float, y_px: float) -> tuple[str, bool]:
        """Return the true class and staining of the cell at a place."""
        row = int(cKDTree(np.stack([self.cells.x_px, self.cells.y_px], axis=1)).query([x_px, y_px])[1])
        kind = int(self.kind[row])
        return ("not a cell" if kind == _NOT_A_CELL else _NAMES[kind]), bool(self.stained[row])


def erring_cells(truth: SlideTruth, seed: int = 4) -> ErringCells:
    """Return the slide's cells with a bias: staining overcalled, classes mixed up, cells made up."""
    rng = np.random.default_rng(seed)
    true = truth.cells
    invented = len(true) // 20
    kind = np.concatenate([true.kind.astype(np.int64), np.full(invented, _NOT_A_CELL)])
    stained = np.concatenate([_stained(truth), np.zeros(invented, dtype=bool)])
    called = np.where(kind == _NOT_A_CELL, rng.integers(0, 3, len(kind)), kind)
    mixed = rng.random(len(kind)) < 0.1
    called[mixed] = rng.integers(0, 3, int(mixed.sum()))
    side = truth.cells
    x_px = np.concatenate([side.x_px, rng.choice(side.x_px, invented) + 13.0])
    y_px = np.concatenate([side.y_px, rng.choice(side.y_px, invented) + 13.0])
    probability = np.where(stained, rng.beta(6, 2, len(kind)), rng.beta(1, 8, len(kind)))
    overcalled = ~stained & (rng.random(len(kind)) < 0.04)
    probability[overcalled] = rng.uniform(0.5, 0.8, int(overcalled.sum()))
    inside = (x_px < 4096) & (y_px < 4096)
    facts = CellTableFacts(mpp=truth.mpp, width_px=4096, height_px=4096, stained_threshold=_THRESHOLD)
    certain = np.where(np.arange(3)[None] == called[:, None], 0.8, 0.1)
    cells = CellTable.from_columns(
        facts,
        x_px=x_px[inside],
        y_px=y_px[inside],
        kind=called[inside],
        stained=probability[inside],
        p_tumour=certain[inside, 0],
        p_immune=certain[inside, 1],
        p_other=certain[inside, 2],
    )
    return ErringCells(cells, kind[inside], stained[inside])


def _stained(truth: SlideTruth) -> NDArray[np.bool_]:
    """Return what a reader calls stained: membrane of tumour cells, anything in immune cells."""
    cells = truth.cells
    tumour, immune = cells.kind == Kind.TUMOUR, cells.kind == Kind.IMMUNE
    return np.where(tumour, cells.membrane, np.where(immune, cells.any_stain, False)).astype(np.bool_)


def score_erring(slide: Path, erring: ErringCells, folder: Path) -> Path:
    """Score the slide from these cells and return the results folder."""
    table = folder / "cells.parquet"
    cx.write_cells(erring.cells, table)
    out = folder / "out"
    cx.score_slide(slide, out, assay="22c3", cells=table)
    return out


@dataclass(frozen=True, eq=False)
class ServedReview:
    """A review that is being served.

    Parameters
    ----------
    folder : Path
        The results folder.
    server : ReviewServer
    """

    folder: Path
    server: ReviewServer

    @property
    def link(self) -> str:
        """Works once."""
        return str(self.server.access.link)

    @property
    def state(self) -> ReviewState:
        """What the record on the disk amounts to, read anew."""
        found = open_review(self.folder).verified()
        assert found is not None
        return found.state

    @cached_property
    def question_places(self) -> list[tuple[float, float]]:
        """Where the cells of the questions lie, in the order of the audit."""
        audit = self.state.audit
        assert audit is not None
        cells = open_review(self.folder).scored.cells()
        return [(float(cells.x_px[row]), float(cells.y_px[row])) for row in audit.draw.rows]


@contextmanager
def served(folder: Path, slide: Path, port: int = 0) -> Iterator[ServedReview]:
    """Serve a review in a thread of this process."""
    with open_slide(slide) as opened, socket.create_server(("127.0.0.1", port)) as listener:
        access = Access(Address("127.0.0.1", listener.getsockname()[1]))
        review = ReviewServer(ReviewSession(folder), opened, access)
        config = uvicorn.Config(review.app(), log_level="error", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield ServedReview(folder, review)
        finally:
            server.should_exit = True
            thread.join()


def open_page(driven: Chromium, link: str, *, name: str | None = REVIEWER) -> Tab:
    """Open a review in a new tab, and give the reviewer's name by keyboard where it is asked for."""
    tab = driven.open_tab()
    tab.goto(link)
    tab.wait_for(f"{PAGE}.then(p => p.ready)")
    if tab.evaluate("document.getElementById('name-dialog').open"):
        if name is None:
            tab.press("Escape")
        else:
            tab.write(name)
            tab.press("Enter")
        tab.wait_for("!document.getElementById('name-dialog').open")
    return tab


def switch_to(tab: Tab, view: str) -> None:
    """Turn to a view by its key, as often as it takes."""
    for _ in range(4):
        if tab.evaluate("document.body.dataset.mode") == view:
            break
        tab.press(".")
    tab.wait_for(f"document.body.dataset.mode === '{view}'")


def saved(tab: Tab) -> Any:
    """Wait until the server has every decision and the page its answer; return the state that it shows."""
    tab.wait_for(f"{REVIEW}.then(r => r.outbox.waiting === 0 && r.cells.events === r.state.events)")
    return tab.evaluate(f"{REVIEW}.then(r => r.state)")


def start_audit(tab: Tab) -> None:
    """Begin the audit with the button that has the focus, and wait for the first question."""
    switch_to(tab, "audit")
    tab.wait_for("document.activeElement?.id === 'audit-start'")
    tab.press("Enter")
    tab.wait_for("document.querySelector('.crop img')?.complete")


def press_answer(tab: Tab, kind: str, *, stained: bool) -> None:
    """Answer the question that is shown, with the keys only."""
    number = question_number(tab)
    tab.press({"tumour": "1", "immune": "2", "other": "3", "not a cell": "4", "cannot tell": "u"}[kind])
    if kind in {"tumour", "immune"} and tab.evaluate("!!document.querySelector('.staining.waiting')"):
        tab.press("p" if stained else "n")
    assert question_number(tab) != number


def question_number(tab: Tab) -> int:
    """Return the number of the question that is shown; 0 after the last."""
    heading = "document.querySelector('.stage-heading')?.innerText.match(/^Cell (\\d+) /)?.[1]"
    return int(tab.evaluate(f"Number({heading} ?? 0)"))
