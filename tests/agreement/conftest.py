"""Where the published examples lie, and draws small enough for a unit test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cxpath.agreement.base import Draws, draw_cases


@pytest.fixture(scope="session")
def stats_dir(data_dir: Path) -> Path:
    """The folder of published examples; skipped without it, but not in CI."""
    return data_dir / "stats"


@pytest.fixture(scope="session")
def few_draws() -> Callable[[int], Draws]:
    def draw(cases: int) -> Draws:
        return draw_cases(np.arange(cases), 200, 0.95, 1)

    return draw
