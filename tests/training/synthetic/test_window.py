from __future__ import annotations

import numpy as np

from cxpath.training.synthetic.window import Window


def test_pixel_centres_are_at_one_half() -> None:
    window = Window(10, -4, 3, 5, 0.5)
    assert window.shape == (3, 5)
    assert window.y_um.tolist() == [5.25, 5.75, 6.25]
    assert window.x_um[0] == -1.75


def test_a_grown_window_holds_the_same_noise() -> None:
    window = Window(100, 40, 30, 20, 0.37)
    grown = window.grown(7)
    assert grown.shape == (44, 34)
    for band in (False, True):
        inner = grown.texture(5, 1.0, (3.0, 9.0), band=band)[7:-7, 7:-7]
        assert np.array_equal(inner, window.texture(5, 1.0, (3.0, 9.0), band=band))


def test_a_world_map_is_sampled_in_place() -> None:
    field = np.arange(100, dtype=np.float32)[None, :] * np.ones((50, 1), np.float32)
    values = Window(4, 20, 6, 8, 0.5).world_map(field, 2.0)
    assert np.allclose(values[0], ((np.arange(20, 28) + 0.5) * 0.5) / 2.0 - 0.5)
