"""The tiles decoded last, within a budget of bytes, for any number of threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

_DECODING_LOCKS = 64


class TileCache:
    """Keeps decoded tiles; forgets the one used longest ago.

    Parameters
    ----------
    most_bytes : int
        Budget; the newest tile is kept even when it alone exceeds it.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._tiles: OrderedDict[Hashable, NDArray[np.uint8]] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding = [threading.Lock() for _ in range(_DECODING_LOCKS)]

    def get(self, key: Hashable, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the tile under the key; of several threads that miss it at once, one decodes it."""
        with self._decoding[hash(key) % _DECODING_LOCKS]:
            tile = self._held(key)
            if tile is None:
                tile = decode()
                self._keep(key, tile)
        return tile

    def _held(self, key: Hashable) -> NDArray[np.uint8] | None:
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
            return self._tiles.get(key)

    def _keep(self, key: Hashable, tile: NDArray[np.uint8]) -> None:
        with self._lock:
            self._tiles[key] = tile
            self._bytes += tile.nbytes
            while self._bytes > self._most_bytes and len(self._tiles) > 1:
                self._bytes -= self._tiles.popitem(last=False)[1].nbytes
