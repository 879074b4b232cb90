"""The reader table of `make bench`: cxpath against other readers and against the decoder alone.

Patches of 512 px at 0.5 µm per pixel from slides at 0.25, on the slide's tile grid, and off it with a halo as
the pipeline reads. Speed is megapixels of patch cores a second of processor time, so that other work on the
machine counts less; two threads are compared by the clock. The floor is libjpeg-turbo alone, decoding
the same tiles at half size from memory into memory that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import openslide
import tifffile
from PIL import Image

import cxpath
from benchmarks.peers import ENVIRONMENT, NAMES, Peer, environment_there
from benchmarks.reader_slides import KINDS, MPP, SIDE_PX, TILE_PX, draw, write_slide
from benchmarks.rounds import ROUNDS, Job, Speeds, ratio, take_turns
from cxpath.slide.jpeg import decode, memory_for, read_head

PATCH_PX = 512
HALO_PX = 64
SHIFT_PX = 100
STEP_PX = 2 * PATCH_PX
CORNERS = [(x, y) for y in range(0, SIDE_PX, STEP_PX) for x in range(0, SIDE_PX, STEP_PX)]
FLOOR, BASE = "bare half-scale decode", "openslide + box"
MEGAPIXELS = len(CORNERS) * PATCH_PX**2 / 1e6
THREAD_REPEATS = 4
"""Threads are compared by the clock, so they read for longer."""


Opened = Callable[[], Job]
"""Opens afresh, so that nothing is remembered from round to round; not part of the time."""


Read = Callable[[int, int, int], object]
"""Reads a patch: x, y in level-0 pixels, side in pixels of the patch."""


def standing_streams(path: Path) -> list[bytes]:
    """Return the tiles of a slide as streams that stand alone, in memory."""
    with tifffile.TiffFile(path) as tiff, path.open("rb") as file:
        page: Any = tiff.pages.first
        streams = []
        for place, length in zip(page.dataoffsets, page.databytecounts, strict=True):
            file.seek(place)
            stream = file.read(length)
            head = read_head(stream)
            ready = head.completed(page.jpegtables or b"", ycbcr=page.photometric == 6)
            streams.append(ready + stream[len(head.data) :])
    return streams


def bare(streams: Sequence[bytes]) -> Opened:
    """Decode all tiles at half size and do nothing with them."""
    memory = memory_for(TILE_PX // 2, TILE_PX // 2)

    def job() -> float:
        for stream in streams:
            decode(stream, TILE_PX, TILE_PX, 2, memory)
        return MEGAPIXELS

    return lambda: job


def reading(opened: Callable[[], Read], corners: Sequence[tuple[int, int]], halo: int) -> Opened:
    """Read patches with their halo."""
    side = PATCH_PX + 2 * halo

    def fresh() -> Job:
        read = opened()

        def job() -> float:
            for x, y in corners:
                read(x - 2 * halo, y - 2 * halo, side)
            return len(corners) * PATCH_PX**2 / 1e6

        return job

    return fresh


def cxpath_reader(path: Path) -> Read:
    """Read through `Slide.read`."""
    slide = cxpath.open_slide(path)
    return lambda x, y, side: slide.read(x, y, side, side, 2 * MPP)


def openslide_reader(path: Path) -> Read:
    """Read as most tools do: openslide, RGB, Pillow's box filter."""
    slide = openslide.OpenSlide(path)
    return lambda x, y, side: (
        slide.read_region((x, y), 0, (2 * side, 2 * side))
        .convert("RGB")
        .resize((side, side), Image.Resampling.BOX)
    )


def in_threads(path: Path, threads: int) -> Opened:
    """Read all patches with a number of threads, as the pipeline does."""

    def fresh() -> Job:
        read = cxpath_reader(path)

        def job() -> float:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda corner: read(corner[0], corner[1], PATCH_PX), CORNERS * THREAD_REPEATS))
            return MEGAPIXELS * THREAD_REPEATS

        return job

    return fresh


def print_reader_table(folder: Path) -> dict[str, dict[str, float]]:
    """Draw the slides, measure, print; return the medians of every kind of slide in Mpx/s."""
    picture = draw()
    if not environment_there():
        print(f"no peers in {ENVIRONMENT}: run make peers to measure them with cxpath")
    print(f"{'reading, one thread':28} {'Mpx/s':>9} {'x openslide + box':>18} {'of bare decoding':>18}")
    figures = {}
    for kind in KINDS:
        path = write_slide(folder / f"{kind.replace(' ', '-').replace(':', '')}.svs", picture, kind)
        with cxpath.open_slide(path) as slide:
            if slide.reader_path.fast_levels != (0,):
                raise SystemExit(f"{kind}: not read by the fast path: {slide.reader_path.because}")
        figures[kind] = _print_kind(kind, path)
    return figures


def _print_kind(kind: str, path: Path) -> dict[str, float]:
    found = _measured(path)
    print(kind)
    for name in found:
        base = f"{BASE}, off grid" if name.endswith("off grid") else BASE
        print(
            f"  {name:26} {median(found[name]):9.1f} {ratio(found, name, base):18.1f} "
            f"{ratio(found, name, FLOOR):18.2f}"
        )
    if "cucim" in found:
        print(f"  {'cxpath over cucim':26} {ratio(found, 'cxpath', 'cucim'):28.2f}    (wanted: 1.25)")
    threads = take_turns({"one": in_threads(path, 1), "two": in_threads(path, 2)})
    print(f"  {'cxpath, two threads':26} {median(threads['two']):9.1f}", end="")
    print(f"   {ratio(threads, 'two', 'one'):.2f} x one thread")
    return {name: median(rounds) for name, rounds in found.items()}


def _measured(path: Path) -> Speeds:
    """Let all readers take turns; peers are asked in their own process and answer with their own time."""
    off = [(x + SHIFT_PX, y + SHIFT_PX) for x, y in CORNERS]
    some = slice(None, None, 4)
    jobs = {
        FLOOR: bare(standing_streams(path)),
        BASE: reading(lambda: openslide_reader(path), CORNERS[some], 0),
        "cxpath": reading(lambda: cxpath_reader(path), CORNERS, 0),
        f"{BASE}, off grid": reading(lambda: openslide_reader(path), off[some], HALO_PX),
        "cxpath, off grid": reading(lambda: cxpath_reader(path), off, HALO_PX),
    }
    with ExitStack() as stack:
        peers = {}
        for name in NAMES if environment_there() else ():
            peer = stack.enter_context(Peer(name, path, CORNERS, PATCH_PX))
            if peer.works:
                peers[name] = peer
            else:
                print(f"  {name}: does not run here")
        rounds = []
        for _ in range(ROUNDS):
            found = take_turns(jobs, process_time, rounds=1)
            rounds.append(found | {name: [MEGAPIXELS / peer.seconds()] for name, peer in peers.items()})
    return {name: [speeds[name][0] for speeds in rounds] for name in rounds[0]}
