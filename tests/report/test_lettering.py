from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cxpath.report.lettering import draw_scale_bar, font, length_in_words, scale_bar_um
from cxpath.report.palette import INK


@pytest.mark.parametrize(
    ("width_px", "mpp", "length_um"), [(1000, 0.5, 100), (1000, 16.0, 2000), (100, 0.25, 5), (10, 0.1, 5)]
)
def test_the_bar_is_round_and_at_most_a_quarter(width_px: int, mpp: float, length_um: float) -> None:
    assert scale_bar_um(width_px, mpp) == length_um


def test_lengths_in_words() -> None:
    assert [length_in_words(length) for length in (50, 2000)] == ["50 µm", "2 mm"]


def test_the_letters_have_a_micro_sign() -> None:
    assert font(20).getmask("µ").getbbox() != font(20).getmask("\uffff").getbbox()


def test_the_bar_is_as_long_as_it_says() -> None:
    sheet = Image.new("RGB", (1000, 40), "white")
    draw_scale_bar(ImageDraw.Draw(sheet), 990, 20, 1000, 0.5, 16)
    dark = (np.asarray(sheet)[20] == INK).all(axis=1)
    bar = np.flatnonzero(dark[700:]) + 700
    assert bar[-1] == 990
    assert np.count_nonzero(dark[bar[-1] - 200 :]) == 201
    assert not dark[bar[-1] - 201]
