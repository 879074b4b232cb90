from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from cxpath.report.palette import SCORED
from cxpath.report.tissue_picture import REASONS, hatch, mark_of, tissue_picture

OVERVIEW = np.full((700, 1000, 3), 230, np.uint8)


def _square(left: int, top: int, side: int) -> NDArray[np.bool_]:
    mask = np.zeros(OVERVIEW.shape[:2], bool)
    mask[top : top + side, left : left + side] = True
    return mask


def _where(pixels: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(pixels.astype(int) - np.array(colour)) < 10).all(axis=-1))


def test_scored_tissue_is_outlined_and_left_as_it_is() -> None:
    pixels = np.asarray(tissue_picture(OVERVIEW, _square(200, 100, 300), {}, 16.0))[:700]
    line = _where(pixels, SCORED)
    assert line[95:106, 350].any()
    assert not line[120:380, 350].any()
    assert (pixels[250, 350] == 230).all()
    assert (pixels[650, 900] == 230).all()


def test_what_was_left_out_is_hatched_only_there() -> None:
    out = _square(600, 300, 200)
    pixels = np.asarray(tissue_picture(OVERVIEW, _square(100, 100, 200), {"pen": out}, 16.0))[:700]
    hatched = _where(pixels, mark_of("pen").colour)
    assert 0.1 < hatched[out].mean() < 0.6
    ys, xs = np.nonzero(hatched)
    assert xs.min() >= 595
    assert ys.max() <= 505


def test_reasons_differ_in_pattern_not_only_in_colour() -> None:
    patterns = [hatch((60, 60), order) for order in range(8)]
    assert all((one != other).any() for one, other in itertools.combinations(patterns, 2))


def test_every_reason_has_its_own_pattern_colour_and_letter() -> None:
    marks = [mark_of(reason) for reason in REASONS]
    for part in ("order", "colour", "letter"):
        assert len({getattr(mark, part) for mark in marks}) == len(marks), part
    assert mark_of("anything else").order >= len(REASONS)


def test_the_letter_stands_only_where_there_is_room() -> None:
    small, large = (
        np.asarray(tissue_picture(OVERVIEW, _square(1, 1, 50), {"pen": _square(500, 300, side)}, 16.0))[:700]
        for side in (20, 100)
    )
    white = [int((pixels[290:410, 490:610] == 255).all(axis=-1).sum()) for pixels in (small, large)]
    assert white[0] == 0 < white[1]


def test_the_legend_grows_with_the_reasons() -> None:
    few = tissue_picture(OVERVIEW, _square(1, 1, 50), {"pen": _square(1, 1, 5)}, 16.0)
    many = tissue_picture(OVERVIEW, _square(1, 1, 50), {name: _square(1, 1, 5) for name in "abcde"}, 16.0)
    assert many.height > few.height > 700


def test_masks_of_another_size_are_stretched() -> None:
    coarse = np.zeros((70, 100), bool)
    coarse[10:40, 20:50] = True
    fine = tissue_picture(OVERVIEW, _square(200, 100, 300), {}, 16.0)
    assert tissue_picture(OVERVIEW, coarse, {}, 16.0).tobytes() == fine.tobytes()


def test_a_small_overview_is_enlarged() -> None:
    small = np.full((70, 100, 3), 230, np.uint8)
    assert tissue_picture(small, np.zeros((70, 100), bool), {}, 160.0).width == 1000
