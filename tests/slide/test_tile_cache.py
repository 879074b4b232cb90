from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.tile_cache import TileCache


def test_it_decodes_once_and_forgets_the_least_recently_used() -> None:
    decoded: list[str] = []
    cache = TileCache(most_bytes=250)

    def get(key: str) -> NDArray[np.uint8]:
        def decode() -> NDArray[np.uint8]:
            decoded.append(key)
            return np.full(100, ord(key), dtype=np.uint8)

        return cache.get(key, decode)

    for key in "abacab":
        assert (get(key) == ord(key)).all()
    assert decoded == ["a", "b", "c", "b"]


def test_a_tile_larger_than_the_budget_is_kept_alone() -> None:
    cache = TileCache(most_bytes=10)
    first = cache.get("a", lambda: np.zeros(100, dtype=np.uint8))
    assert cache.get("a", lambda: np.ones(1, dtype=np.uint8)) is first
