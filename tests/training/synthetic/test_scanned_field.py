from __future__ import annotations

import numpy as np
import pytest

from cxpath.training.synthetic.drawn_field import DrawnField
from cxpath.training.synthetic.field import draw_field
from cxpath.training.synthetic.recipe import random_recipe
from cxpath.training.synthetic.scanned_field import NETWORK_MPP, brought_to, draw_scanned_field


def _field(mpp: float, side_px: int, seed: int = 4) -> DrawnField:
    rng = np.random.default_rng(seed)
    return draw_field(random_recipe(rng, size_px=(side_px, side_px), mpp=mpp), rng)


@pytest.mark.parametrize(("mpp", "before", "after"), [(0.25, 256, 128), (0.64, 96, 128)])
def test_a_field_keeps_its_tissue_at_another_resolution(mpp: float, before: int, after: int) -> None:
    field = _field(mpp, before)
    other = brought_to(field, after)
    assert other.rgb.shape == (after, after, 3)
    assert other.region.shape == other.ignore.shape == (after // 8, after // 8)
    assert other.mpp * after == pytest.approx(field.mpp * before)
    np.testing.assert_allclose(other.cells.x_px * other.mpp, field.cells.x_px * field.mpp)
    assert other.rgb.mean() == pytest.approx(field.rgb.mean(), abs=1.0)
    for name in np.unique(field.region):
        assert (other.region == name).mean() == pytest.approx((field.region == name).mean(), abs=0.08)


def test_a_field_of_the_right_size_is_left_alone() -> None:
    field = _field(0.5, 96)
    assert brought_to(field, 96) is field


def test_fields_come_near_the_network_s_resolution_whatever_scanned_them() -> None:
    fields = [draw_scanned_field(np.random.default_rng(seed), 96) for seed in range(24)]
    mpps = np.array([field.mpp for field in fields])
    # A scan's side is a whole number of squares, so its µm/px may miss the range by that much.
    assert (mpps > NETWORK_MPP[0] * 0.88).all()
    assert (mpps < NETWORK_MPP[1] * 1.1).all()
    assert {field.rgb.shape for field in fields} == {(96, 96, 3)}


def test_the_same_dice_draw_the_same_field() -> None:
    first, second = (draw_scanned_field(np.random.default_rng(5), 64) for _ in range(2))
    np.testing.assert_array_equal(first.rgb, second.rgb)
