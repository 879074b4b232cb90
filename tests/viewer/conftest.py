"""One browser and one scored synthetic slide for the tests of the page; each test reviews a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import SyntheticSlide
from tests.driven_browser import Chromium, chromium
from tests.viewer.reviewed_page import ErringCells, ServedReview, erring_cells, score_erring, served


@dataclass(frozen=True, eq=False)
class ErringSlide:
    """A slide, its results folder by cells that err, and the truth."""

    path: Path
    folder: Path
    erring: ErringCells
    true_cps: float


@pytest.fixture(scope="session")
def erring_slide(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> ErringSlide:
    """The synthetic slide of all tests, scored from cells that err in a known way."""
    erring = erring_cells(synthetic_slide.truth)
    folder = score_erring(synthetic_slide.path, erring, tmp_path_factory.mktemp("erring"))
    return ErringSlide(synthetic_slide.path, folder, erring, synthetic_slide.truth.cps)


@pytest.fixture
def review(erring_slide: ErringSlide, tmp_path: Path) -> Iterator[ServedReview]:
    """A fresh review of the erring slide, served."""
    folder = tmp_path / "out"
    shutil.copytree(erring_slide.folder, folder)
    with served(folder, erring_slide.path) as serving:
        yield serving


@pytest.fixture(scope="session")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests of the page."""
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running
