"""How long each stage of a run took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Collects seconds by stage name; `seconds()` adds the total."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; blocks of one name add up."""
        before = perf_counter()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + perf_counter() - before

    def seconds(self) -> dict[str, float]:
        """Return seconds by stage, and "total" since the start."""
        stages = {name: round(value, 3) for name, value in self._stages.items()}
        return stages | {"total": round(perf_counter() - self._started, 3)}
