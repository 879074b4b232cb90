from __future__ import annotations

import numpy as np
import pytest

from cxpath.training.crops import Turn, cut, draw_crops, recoloured, turned
from cxpath.training.field_cache import FieldCache, cached_fields
from cxpath.training.settings import CropSettings
from tests.training.blob_fields import blob_field

SETTINGS = CropSettings(batch=3, crop_px=64)


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> FieldCache:
    return cached_fields(tmp_path_factory.mktemp("fields"), 4, 1, 96, source=blob_field)


def test_a_cut_keeps_the_cells_inside_it_at_their_place() -> None:
    field = blob_field(0, 0, 96)
    part = cut(field, 32, 16, 64)
    assert np.array_equal(part.rgb, field.rgb[16:80, 32:96])
    assert np.array_equal(part.region, field.region[2:10, 4:12])
    assert ((part.cells.x_px >= 0) & (part.cells.x_px < 64)).all()
    inside = (field.cells.x_px >= 32) & (field.cells.y_px >= 16) & (field.cells.y_px < 80)
    assert np.allclose(part.cells.x_px + 32, field.cells.x_px[inside])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_cells_turn_with_their_picture(quarters: int, *, mirrored: bool) -> None:
    field = turned(blob_field(0, 0, 96), Turn(mirrored, quarters))
    row, column = field.cells.y_px.astype(int), field.cells.x_px.astype(int)
    light = field.rgb[row, column].astype(int).sum(axis=1)
    assert (light < 600).all(), "every true centre must lie on a blob"


def test_regions_turn_with_the_picture() -> None:
    field = blob_field(0, 0, 96)
    upright = turned(field, Turn(mirrored=False, quarters=1))
    assert len(np.unique(upright.region, axis=1).T) == 1
    mirrored = turned(field, Turn(mirrored=True, quarters=0))
    assert np.array_equal(mirrored.region, field.region[:, ::-1])


def test_a_step_can_be_drawn_again(fields: FieldCache) -> None:
    first, again, other = (draw_crops(fields, SETTINGS, 5, step) for step in (7, 7, 8))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, other, strict=True))
    assert {crop.rgb.shape for crop in first} == {(64, 64, 3)}


def test_colours_move_only_a_little() -> None:
    rgb = np.full((4, 4, 3), 120, np.uint8)
    rng = np.random.default_rng(0)
    moved = np.array([recoloured(rgb, CropSettings(), rng)[0, 0] for _ in range(200)], dtype=float)
    assert 4 < moved.std(axis=0).mean() < 12
    assert abs(moved.mean() - 120) < 3
    still = CropSettings(gain_spread=0.0, brightness_spread=0.0)
    assert np.array_equal(recoloured(rgb, still, rng), rgb)


def test_scaled_crops_keep_their_size_and_their_cells_on_the_blobs(fields: FieldCache) -> None:
    settings = CropSettings(batch=12, crop_px=64, scale_spread=0.4, brightness_spread=0.0, gain_spread=0.0)
    crops = draw_crops(fields, settings, 3, 1)
    assert {crop.rgb.shape for crop in crops} == {(64, 64, 3)}
    assert {crop.region.shape for crop in crops} == {(8, 8)}
    mpp = np.array([crop.mpp for crop in crops])
    assert mpp.min() < 0.9 * mpp.max()
    for crop in crops:
        row, column = crop.cells.y_px.astype(int), crop.cells.x_px.astype(int)
        assert (crop.rgb[row, column].astype(int).sum(axis=1) < 600).all()
