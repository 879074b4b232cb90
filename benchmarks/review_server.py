"""The review part of `make bench`: one million cells served to a browser, from first byte to an edit's score.

The server is a real one in a process of its own; requests go over the loopback interface as a browser's do.
`make bench ONLY=review` prints this alone.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import numpy as np
import psutil

from cxpath.data.cells import CellTable, CellTableFacts
from cxpath.io.cells import write_cells
from cxpath.slide.open import open_slide

CELLS = 1_000_000
TILES, EDITS, LASSO = 300, 20, 5_000
MOST_TILE_MS, MOST_EDIT_S, MOST_MEMORY_MB = 60.0, 0.5, 600.0
MOST_PAGE_S, FEWEST_FRAMES = 3.0, 3.0
READER = "benchmark"
_THRESHOLD = 0.5


def random_cells(slide: Path, number: int, seed: int = 7) -> CellTable:
    """Return cells all over a slide: half tumour, some of it stained, in patches."""
    rng = np.random.default_rng(seed)
    with open_slide(slide) as opened:
        facts = CellTableFacts(
            mpp=opened.mpp,
            width_px=opened.width_px,
            height_px=opened.height_px,
            slide_digest=opened.info.digest,
            stained_threshold=_THRESHOLD,
        )
    x_px, y_px = rng.uniform(0, facts.width_px, number), rng.uniform(0, facts.height_px, number)
    hot = rng.beta(0.3, 3.0, 4096)[(x_px / facts.width_px * 64).astype(int) * 64 + (y_px % 64).astype(int)]
    sure = rng.dirichlet([8.0, 1.0, 1.0], number)
    kind = rng.choice(3, number, p=[0.5, 0.3, 0.2])
    places = (np.arange(3)[:, None] - kind) % 3
    by_class = np.take_along_axis(sure.T, places, axis=0)
    return CellTable.from_columns(
        facts,
        x_px=x_px,
        y_px=y_px,
        kind=by_class.argmax(axis=0),
        p_tumour=by_class[0],
        p_immune=by_class[1],
        p_other=by_class[2],
        stained=np.where(rng.random(number) < hot, rng.uniform(0.5, 1, number), rng.beta(1, 9, number) / 2),
    )


def print_review(slide: Path, folder: Path) -> dict[str, float]:
    """Score a million cells on a slide, serve their review, measure, and print."""
    cells, results = folder / "cells.parquet", folder / "reviewed"
    write_cells(random_cells(slide, CELLS), cells)
    score = [
        sys.executable,
        "-m",
        "cxpath",
        "score",
        str(slide),
        "--cells",
        str(cells),
        "--out",
        str(results),
    ]
    subprocess.run(score, check=True, capture_output=True)
    figures: dict[str, float] = {}
    for module in ("benchmarks.review_server", "benchmarks.review_page"):
        words = [sys.executable, "-m", module, str(results), str(slide)]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
        figures |= json.loads(done.stdout)
    for line in _lines(figures):
        print(line)
    return figures


def _lines(figures: dict[str, float]) -> Iterator[str]:
    def line(what: str, name: str, unit: str, most: float | None = None) -> str:
        wanted = (
            "" if most is None else f"   at most {most:g}: {'met' if figures[name] <= most else 'missed'}"
        )
        return f"{what:44} {figures[name]:8.2f} {unit}{wanted}"

    yield line(f"open a review of {figures['cells']:,.0f} cells", "open_s", "s")
    yield line("cells.bin", "cells_mb", "MB")
    yield line("  the first time", "cells_s", "s")
    yield line("  again, unchanged", "cells_again_s", "s")
    yield line("tile, median", "tile_ms", "ms", MOST_TILE_MS)
    yield line("tile, 95 of 100", "tile_95_ms", "ms")
    yield line("edit of one cell, to the new score, median", "edit_s", "s", MOST_EDIT_S)
    yield line(f"edit of {LASSO:,} cells", "lasso_s", "s", MOST_EDIT_S)
    yield line("undo of that", "undo_s", "s", MOST_EDIT_S)
    yield line("draw an audit", "draw_s", "s")
    yield line("gallery of 64 cells", "gallery_s", "s")
    yield line("memory of the server above the slide's", "memory_mb", "MB", MOST_MEMORY_MB)
    yield line("page: from link to slide and cells", "page_s", "s", MOST_PAGE_S)
    for name, what in (("pan_frames", "pan"), ("zoom_frames", "zoom")):
        found = figures[name]
        met = "met" if found >= FEWEST_FRAMES else "missed"
        label = f"page: {what} in a field view, without graphics"
        yield f"{label:44} {found:8.1f} frames/s   at least {FEWEST_FRAMES:g}: {met}"


# In the server's own process.


class Browser:
    """A browser's side of the connection."""

    def __init__(self, link: str) -> None:
        address, opening = link.removeprefix("http://").split("/", 1)
        self._connection = http.client.HTTPConnection(address, timeout=120)
        self._headers = {"origin": f"http://{address}", "content-type": "application/json"}
        self._connection.request("GET", f"/{opening}")
        answer = self._connection.getresponse()
        answer.read()
        self._headers["cookie"] = (answer.getheader("set-cookie") or "").split(";")[0]
        self._headers["x-cxpath-csrf"] = json.loads(self.get("/api/session"))["csrf"]

    def get(self, path: str, tag: str = "") -> bytes:
        """Return what is there; nothing where the tag is still that of it."""
        return self._ask("GET", path, None, {"if-none-match": tag} if tag else {})[0]

    def tag_of(self, path: str) -> str:
        """Return the tag of what is there."""
        return self._ask("GET", path, None, {})[1]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Decide something and return the answer."""
        return json.loads(self._ask("POST", path, json.dumps(body).encode(), {})[0])

    def _ask(self, method: str, path: str, body: bytes | None, more: dict[str, str]) -> tuple[bytes, str]:
        self._connection.request(method, path, body, self._headers | more)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status not in {200, 304}:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content, answer.getheader("etag") or ""


@contextmanager
def served(results: Path, slide: Path) -> Iterator[tuple[str, float, Callable[[], float]]]:
    """Serve a review; gives its link, seconds until it was ready, and megabytes above the slide's."""
    from cxpath.viewer.launch import Binding, run_review  # noqa: PLC0415 - counted as the server's memory

    with open_slide(slide) as opened:
        opened.read(0, 0, 2048, 2048, opened.mpp)
    before = _rss_mb()
    links: list[str] = []
    ready = threading.Event()

    def announce(link: str) -> None:
        links.append(link)
        ready.set()

    started = perf_counter()
    serve = threading.Thread(
        target=run_review,
        args=(results, slide, READER, Binding(), announce),
        kwargs={"browser": False},
        daemon=True,
    )
    serve.start()
    if not ready.wait(300):
        raise SystemExit("the server did not start")
    yield links[0], perf_counter() - started, lambda: _rss_mb() - before


def _rss_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def _seconds(act: Callable[[], object]) -> float:
    started = perf_counter()
    act()
    return perf_counter() - started


def measure(results: Path, slide: Path) -> dict[str, float]:
    """Measure a review from first byte to memory."""
    rng = np.random.default_rng(3)
    with served(results, slide) as (link, open_s, memory_mb):
        browser = Browser(link)
        content: list[bytes] = []
        cells_s = _seconds(lambda: content.append(browser.get("/api/cells.bin")))
        about = json.loads(browser.get("/api/slide"))
        tiles = [_seconds(partial(browser.get, path)) for path in _tile_paths(about, rng)]
        ids = rng.integers(about["cells"], size=EDITS).tolist()
        edits = [_seconds(partial(_edit, browser, [cell])) for cell in ids]
        first = int(rng.integers(about["cells"] - LASSO))
        lasso = list(range(first, first + LASSO))
        return {
            "cells": float(about["cells"]),
            "open_s": open_s,
            "cells_mb": len(content[0]) / 1e6,
            "cells_s": cells_s,
            "lasso_s": _seconds(lambda: _edit(browser, lasso)),
            "undo_s": _seconds(lambda: browser.post("/api/undo", {})),
            "cells_again_s": _again(browser),
            "tile_ms": 1000 * median(tiles),
            "tile_95_ms": 1000 * quantiles(tiles, n=20)[-1],
            "edit_s": median(edits),
            "draw_s": _seconds(lambda: browser.post("/api/audit/draw", {"cells": 100, "squares": 0})),
            "gallery_s": _seconds(lambda: browser.get("/api/gallery?count=64")),
            "memory_mb": memory_mb(),
        }


def _again(browser: Browser) -> float:
    tag = browser.tag_of("/api/cells.bin")
    return _seconds(lambda: browser.get("/api/cells.bin", tag))


def _edit(browser: Browser, cells: list[int]) -> None:
    state = browser.post("/api/edit", {"ids": cells, "class": "other", "stained": False})["state"]
    if state["edited"]["cps"] is None:
        raise SystemExit("the edited cells gave no score")


def _tile_paths(about: dict[str, Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield tiles as a reader meets them: most of level 0, some of every other."""
    levels = about["levels"]
    for number in range(TILES):
        level = levels[0] if number % 3 else levels[number // 3 % len(levels)]
        column, row = rng.integers(level["across"]), rng.integers(level["down"])
        yield f"/tiles/{level['index']}/{column}_{row}.jpg"


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2]))))
