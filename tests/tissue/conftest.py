"""Small stained pictures composed in optical density, written as real files and opened as slides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from cxpath.data.slide_info import unit
from cxpath.slide.open import open_slide
from cxpath.slide.slide import Slide

GLASS = (236.0, 233.0, 228.0)
SIDE_PX = 600
MPP = 2.0
EOSIN = (0.07, 0.99, 0.11)

Amounts = dict[tuple[float, float, float], float]
OpenStained = Callable[..., Slide]


def tissue_disc() -> NDArray[np.bool_]:
    """A disc of 0.8 mm in the middle."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    return np.asarray(np.hypot(rows - SIDE_PX / 2, columns - SIDE_PX / 2) < 0.4 / MPP * 1000)


def stained_picture(amounts: Amounts, patches: Amounts, seed: int = 0) -> NDArray[np.uint8]:
    """Tissue evenly stained by `amounts`, with nuclei-sized patches of `patches` on top."""
    rng = np.random.default_rng(seed)
    disc = tissue_disc()
    spots = gaussian_filter(rng.normal(size=disc.shape), 1.5)
    spots = np.clip(spots / spots.std(), 0, 2)
    density = np.zeros((*disc.shape, 3))
    for direction, amount in amounts.items():
        density += amount * disc[..., None] * unit(direction)
    for shift, (direction, amount) in enumerate(patches.items()):
        density += amount * (np.roll(spots, 40 * shift, axis=0) * disc)[..., None] * unit(direction)
    light = np.array(GLASS) * 10**-density + rng.normal(0, 0.8, density.shape)
    return np.asarray(np.clip(light.round(), 0, 255), dtype=np.uint8)


@pytest.fixture
def open_stained(tmp_path: Path) -> OpenStained:
    """Open a composed picture as a slide."""

    def opened(amounts: Amounts, patches: Amounts) -> Slide:
        path = tmp_path / "stained.png"
        Image.fromarray(stained_picture(amounts, patches)).save(path)
        return open_slide(path, MPP)

    return opened
