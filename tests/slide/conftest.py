"""Slides written once for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cxpath.slide.open import open_slide
from cxpath.slide.slide import Slide
from tests.slide.synthetic_slides import block_mean, disc, speckle, write_aperio, write_tiff


@pytest.fixture(scope="session")
def odd_pyramid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lossless pyramid whose sizes no factor divides: 1501 x 1003, 375 x 250 and 93 x 62 px."""
    full = speckle(1003, 1501)
    levels = [full, block_mean(full, 4), block_mean(full, 16)]
    return write_tiff(tmp_path_factory.mktemp("slides") / "odd.tif", levels)


@pytest.fixture(scope="session")
def odd_slide(odd_pyramid: Path) -> Iterator[Slide]:
    with open_slide(odd_pyramid) as slide:
        yield slide


@pytest.fixture(scope="session")
def aperio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Aperio-like slide with label, macro and planted identifiers."""
    full = disc(520, 780, x=400, y=250, radius=120)
    return write_aperio(tmp_path_factory.mktemp("slides") / "DOE_JANE.svs", [full, block_mean(full, 4)])
