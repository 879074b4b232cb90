from __future__ import annotations

import numpy as np
import pytest

from cxpath.report.heatmap_picture import CPS_SCALE, ColourScale, heatmap_picture

OVERVIEW = np.full((700, 1000, 3), 230, np.uint8)


def _pixels(values: list[float]) -> np.ndarray:
    left = np.arange(len(values), dtype=float) * 100
    picture = heatmap_picture(
        OVERVIEW, left, np.full_like(left, 100.0), np.full_like(left, 100.0), np.array(values), 16.0
    )
    return np.asarray(picture).astype(int)


def test_higher_values_are_brighter() -> None:
    row = _pixels([0.0, 1.0, 10.0, 100.0])[150]
    brightness = [row[50 + 100 * place].sum() for place in range(4)]
    assert brightness == sorted(brightness)
    assert brightness[0] + 100 < brightness[-1]


def test_squares_are_painted_where_they_lie_and_unknown_ones_stay_grey() -> None:
    pixels = _pixels([50.0, float("nan")])
    painted = (pixels[:700].max(axis=-1) - pixels[:700].min(axis=-1)) > 10
    assert painted[100:200, :100].all()
    assert not painted[:, 100:].any()
    assert not painted[:100].any()


def test_squares_beyond_the_edge_are_cut() -> None:
    far = np.array([-50.0, 950.0])
    picture = heatmap_picture(OVERVIEW, far, far * 0, np.full(2, 100.0), np.array([5.0, 5.0]), 16.0)
    assert np.asarray(picture).shape[1] == 1000


def test_the_scale_of_scores_keeps_small_ones_apart() -> None:
    shares = CPS_SCALE.share(np.array([0.0, 1.0, 10.0, 100.0, 500.0]))
    assert shares[0] == 0
    assert shares[3] == shares[4] == 1
    assert shares[1] == pytest.approx(np.log(2) / np.log(101))
    linear = ColourScale("positive cells per mm²", (0, 500, 1000))
    assert linear.share(np.array([250.0]))[0] == pytest.approx(0.25)


def test_no_squares_is_an_overview_with_its_bar() -> None:
    nothing = np.empty(0)
    assert heatmap_picture(OVERVIEW, nothing, nothing, nothing, nothing, 16.0).height > 700
