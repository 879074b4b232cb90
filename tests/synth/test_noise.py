from __future__ import annotations

import numpy as np
import pytest

from cxpath.synth.noise import (
    TEXTURE_SIZE,
    periodic_texture,
    points_in_map,
    sample_map,
    sample_periodic,
    smooth_field,
)


def test_a_texture_is_standardised_and_repeatable() -> None:
    texture = periodic_texture(3, 2.0)
    assert texture.shape == (TEXTURE_SIZE, TEXTURE_SIZE)
    assert texture.mean() == pytest.approx(0, abs=1e-4)
    assert texture.std() == pytest.approx(1, abs=1e-3)
    assert np.array_equal(texture, periodic_texture(3, 2.0))
    assert not np.array_equal(texture, periodic_texture(4, 2.0))


def test_a_texture_has_no_seam() -> None:
    texture = periodic_texture(3, 3.0)
    across_border = np.abs(texture[:, 0] - texture[:, -1]).mean()
    inside = np.abs(np.diff(texture, axis=1)).mean()
    assert across_border < 1.3 * inside


def test_a_band_texture_lacks_large_structures() -> None:
    def large(texture: np.ndarray) -> float:
        return float(texture.reshape(16, 32, 16, 32).mean(axis=(1, 3)).std())

    assert large(periodic_texture(5, 2.0, 6.0)) < 0.4 * large(periodic_texture(5, 2.0))


def test_sampling_does_not_depend_on_the_window() -> None:
    texture = periodic_texture(1, 2.0)
    x, y = np.linspace(0.2, 14.6, 40), np.linspace(0.2, 11.0, 30)
    whole = sample_periodic(texture, x, y, 0.5)
    part = sample_periodic(texture, x[11:29], y[7:21], 0.5)
    assert np.array_equal(whole[7:21, 11:29], part)


def test_sampling_repeats_after_a_period_and_meets_texels() -> None:
    texture = periodic_texture(1, 2.0)
    x = np.array([0.0, 1.0, 5.5])
    assert sample_periodic(texture, x, x, 1.0)[1, 0] == texture[1, 0]
    assert np.allclose(sample_periodic(texture, x, x, 1.0), sample_periodic(texture, x + 512, x - 512, 1.0))
    assert sample_periodic(texture, x, x, 1.0)[0, 2] == pytest.approx((texture[0, 5] + texture[0, 6]) / 2)


def test_a_map_is_blended_between_its_values_and_held_at_its_border() -> None:
    field = np.array([[0.0, 2.0], [4.0, 6.0]], np.float32)
    places = np.array([-5.0, 1.0, 2.0, 3.0, 50.0])
    assert np.allclose(sample_map(field, places, np.array([1.0]), 2.0), [[0, 0, 1, 2, 2]])


def test_points_take_the_value_of_their_cell() -> None:
    field = np.arange(6).reshape(2, 3)
    values = points_in_map(field, np.array([0.1, 5.9, 99.0]), np.array([0.1, 3.9, -4.0]), 2.0)
    assert values.tolist() == [0, 5, 2]


def test_smooth_fields_have_unit_spread_and_the_scale_asked_for() -> None:
    rng = np.random.default_rng(0)
    fine, coarse = (smooth_field(rng, (400, 400), 2.0, scale) for scale in (40.0, 160.0))
    assert fine.std() == pytest.approx(1, abs=0.15)
    assert np.abs(np.diff(coarse)).mean() < 0.5 * np.abs(np.diff(fine)).mean()
