from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.synth.field import SyntheticField
from cxpath.training.data import (
    AnnotatedCells,
    FieldCache,
    Turn,
    as_other_scanner,
    cached_fields,
    compressed,
    cut,
    faded,
    recoloured,
    sample_crops,
    turned,
    turned_array,
    turned_places,
)
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
    first, again, other = (sample_crops(fields, SETTINGS, 5, step) for step in (7, 7, 8))
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
    crops = sample_crops(fields, settings, 3, 1)
    assert {crop.rgb.shape for crop in crops} == {(64, 64, 3)}
    assert {crop.region.shape for crop in crops} == {(8, 8)}
    mpp = np.array([crop.mpp for crop in crops])
    assert mpp.min() < 0.9 * mpp.max()
    for crop in crops:
        row, column = crop.cells.y_px.astype(int), crop.cells.x_px.astype(int)
        assert (crop.rgb[row, column].astype(int).sum(axis=1) < 600).all()


calls: list[int] = []


def counting_field(seed: int, index: int, side_px: int) -> SyntheticField:
    calls.append(index)
    return blob_field(seed, index, side_px)


def test_fields_come_back_as_they_were_drawn(tmp_path: Path) -> None:
    fields = cached_fields(tmp_path, 3, 9, 64, source=blob_field)
    assert len(fields) == len(list(fields)) == 3
    for index, field in enumerate(fields):
        drawn = blob_field(9, index, 64)
        assert np.array_equal(field.rgb, drawn.rgb)
        assert np.array_equal(field.region, drawn.region)
        assert np.array_equal(field.cells.x_px, drawn.cells.x_px)
        assert np.array_equal(field.cells.positive, drawn.cells.positive)


def test_an_equal_request_draws_nothing_and_another_draws_anew(tmp_path: Path) -> None:
    calls.clear()
    cached_fields(tmp_path, 2, 9, 64, source=counting_field)
    cached_fields(tmp_path, 2, 9, 64, source=counting_field)
    assert calls == [0, 1]
    other = cached_fields(tmp_path, 2, 10, 64, source=counting_field)
    assert calls == [0, 1, 0, 1]
    assert np.array_equal(other.field(0).rgb, blob_field(10, 0, 64).rgb)


def test_a_half_drawn_cache_is_drawn_again(tmp_path: Path) -> None:
    cached_fields(tmp_path, 2, 9, 64, source=counting_field)
    (tmp_path / "fields.json").unlink()
    calls.clear()
    cached_fields(tmp_path, 2, 9, 64, source=counting_field)
    assert calls == [0, 1]


def test_two_processes_draw_the_same_as_one(tmp_path: Path) -> None:
    told: list[int] = []
    alone = cached_fields(tmp_path / "one", 5, 3, 32, source=blob_field)
    together = cached_fields(tmp_path / "two", 5, 3, 32, source=blob_field, workers=2, progress=told.append)
    assert np.array_equal(alone.rgb, together.rgb)
    assert told == [1, 2, 3, 4, 5]


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
    shown = [as_other_scanner(rgb, np.random.default_rng(seed)) for seed in range(30)]
    assert len({one.tobytes() for one in shown}) > 20
    assert all(one.shape == rgb.shape and one.dtype == np.uint8 for one in shown)
    np.testing.assert_array_equal(shown[3], as_other_scanner(rgb, np.random.default_rng(3)))


def test_crops_are_spoiled_as_often_as_asked(tmp_path: Path) -> None:
    fields = cached_fields(tmp_path / "fields", 4, 1, 128, source=blob_field)
    usual = CropSettings(batch=4, crop_px=64)
    never, always = (
        sample_crops(fields, usual.model_copy(update={"scanner_share": share}), 1, 1) for share in (0.0, 1.0)
    )
    plain = sample_crops(fields, usual, 1, 1)
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(plain, never, strict=True))
    assert any(not np.array_equal(a.rgb, b.rgb) for a, b in zip(plain, always, strict=True))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_places_turn_as_the_array_does(quarters: int, *, mirrored: bool) -> None:
    """One lit pixel of a square without symmetry, at row 1 and column 5 of 8."""
    array = np.zeros((8, 8))
    array[1, 5] = 1.0
    turn = Turn(mirrored, quarters)
    x_px, y_px = turned_places(np.array([5.5]), np.array([1.5]), 8, turn)
    assert np.argwhere(turned_array(array, turn)).tolist() == [[int(y_px[0]), int(x_px[0])]]


def test_the_eight_symmetries_are_different() -> None:
    array = np.arange(16).reshape(4, 4)
    turns = [Turn(mirrored, quarters) for mirrored in (False, True) for quarters in range(4)]
    assert len({turned_array(array, turn).tobytes() for turn in turns}) == 8


def test_a_field_comes_twice_only_where_a_batch_needs_more_than_there_are(fields: FieldCache) -> None:
    """Four fields: a batch of four shows each, one of six shows some again."""
    whole = {fields.field(index).rgb.tobytes() for index in range(4)}
    plain = {"crop_px": 96, "gain_spread": 0.0, "brightness_spread": 0.0}
    four, six = (
        sample_crops(fields, CropSettings.model_validate({"batch": number, **plain}), 1, 0)
        for number in (4, 6)
    )
    upright = {
        turned_array(crop.rgb, Turn(mirrored, quarters)).tobytes(): number
        for number, crop in enumerate(four)
        for mirrored in (False, True)
        for quarters in range(4)
    }
    assert {upright[picture] for picture in whole} == {0, 1, 2, 3}
    assert len(six) == 6


def test_cells_of_a_field_are_its_own(fields: FieldCache) -> None:
    assert len(fields) == 4
    for index, field in enumerate(fields):
        assert np.array_equal(field.cells.x_px, blob_field(1, index, 96).cells.x_px)
        assert field.mpp == 0.5


def test_progress_is_told_field_by_field(tmp_path: Path) -> None:
    told: list[int] = []
    cached_fields(tmp_path / "a", 3, 1, 64, source=blob_field, progress=told.append)
    assert told == [1, 2, 3]


MARKED = AnnotatedCells(
    x_px=np.array([0.0, 31.9, 32.0, 10.0]),
    y_px=np.array([0.0, 31.9, 5.0, -0.1]),
    fine=np.array([0, 1, 2, 3]),
    stained=np.array([1, 0, -1, 1], dtype=np.int8),
)


def test_a_square_contains_its_left_and_upper_edge_alone() -> None:
    assert MARKED.inside(0, 0, 32).tolist() == [True, True, False, False]
    assert MARKED.inside(32, 5, 1).tolist() == [False, False, True, False]


def test_cells_move_into_a_frame_of_larger_pixels() -> None:
    """Twice as large pixels, whose origin lies at (4, 6) of theirs."""
    moved = MARKED.in_frame(4.0, 6.0, 2.0)
    assert moved.x_px.tolist() == [-4.0, 11.95, 12.0, 1.0]
    assert moved.y_px[1] == pytest.approx(31.9 / 2 - 6)
    assert moved.fine.tolist() == MARKED.fine.tolist()
    assert moved.take(np.array([2, 0])).stained.tolist() == [-1, 1]
