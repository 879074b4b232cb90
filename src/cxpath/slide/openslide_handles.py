"""One OpenSlide handle shared by all reading threads, replaced when a broken tile has spoilt it.

OpenSlide keeps the first error of a handle for good: from then on every read on it fails, also of sound
regions and by other threads. A failed read is therefore asked again of a fresh handle before it counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import openslide
from PIL import Image


@dataclass(eq=False)
class _Shared:
    """A handle and how many threads are reading from it."""

    handle: openslide.OpenSlide
    readers: int = 0


class OpenSlideHandles:
    """The handles of one file."""

    def __init__(self, path: Path, handle: openslide.OpenSlide) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._current: _Shared | None = _Shared(handle)
        self._closed = False

    def read_region(self, x_px: int, y_px: int, level: int, size: tuple[int, int]) -> Image.Image:
        """Read RGBA at a level-0 position; raises OpenSlideError only if this very region is broken."""
        with self._lease() as shared:
            try:
                return shared.handle.read_region((x_px, y_px), level, size)
            except openslide.OpenSlideError:
                self._retire(shared)
        with openslide.OpenSlide(self._path) as fresh:
            return fresh.read_region((x_px, y_px), level, size)

    def close(self) -> None:
        """Close the shared handle as soon as nobody reads from it."""
        with self._lock:
            self._closed = True
            current, self._current = self._current, None
            if current is not None and current.readers == 0:
                current.handle.close()

    @contextmanager
    def _lease(self) -> Iterator[_Shared]:
        with self._lock:
            if self._closed:
                raise ValueError("the slide is closed")
            if self._current is None:
                self._current = _Shared(openslide.OpenSlide(self._path))
            shared = self._current
            shared.readers += 1
        try:
            yield shared
        finally:
            with self._lock:
                shared.readers -= 1
                if shared.readers == 0 and shared is not self._current:
                    shared.handle.close()

    def _retire(self, shared: _Shared) -> None:
        with self._lock:
            if self._current is shared:
                self._current = None
