from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.training.crops import draw_crops
from cxpath.training.field_cache import cached_fields
from cxpath.training.poor_scans import as_poor_scan, compressed, faded
from cxpath.training.settings import CropSettings
from tests.training.blob_fields import blob_field


def _picture(seed: int = 1) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    rgb = np.full((64, 64, 3), 230, np.uint8)
    rgb[16:48, 16:48] = rng.integers(40, 180, (32, 32, 3))
    return rgb


def test_a_faded_picture_keeps_its_white_and_loses_contrast() -> None:
    rgb = _picture()
    pale = faded(rgb, 0.5)
    assert (pale[:8] == 230).all()
    np.testing.assert_allclose(230.0 - pale, (230.0 - rgb) * 0.5, atol=0.6)


def test_compression_costs_detail_but_no_brightness() -> None:
    rgb = _picture()
    assert compressed(rgb, 40).mean() == pytest.approx(rgb.mean(), abs=2)
    assert (
        np.abs(compressed(rgb, 40).astype(int) - rgb).mean()
        > np.abs(compressed(rgb, 90).astype(int) - rgb).mean()
    )


def test_poor_scans_differ_by_chance_and_repeat_with_the_dice() -> None:
    rgb = _picture()
    shown = [as_poor_scan(rgb, np.random.default_rng(seed)) for seed in range(30)]
    assert len({one.tobytes() for one in shown}) > 20
    assert all(one.shape == rgb.shape and one.dtype == np.uint8 for one in shown)
    np.testing.assert_array_equal(shown[3], as_poor_scan(rgb, np.random.default_rng(3)))


def test_crops_are_spoiled_as_often_as_asked(tmp_path: Path) -> None:
    fields = cached_fields(tmp_path / "fields", 4, 1, 128, source=blob_field)
    usual = CropSettings(batch=4, crop_px=64)
    never, always = (
        draw_crops(fields, usual.model_copy(update={"poor_share": share}), 1, 1) for share in (0.0, 1.0)
    )
    plain = draw_crops(fields, usual, 1, 1)
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(plain, never, strict=True))
    assert any(not np.array_equal(a.rgb, b.rgb) for a, b in zip(plain, always, strict=True))
