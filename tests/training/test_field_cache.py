from __future__ import annotations

from pathlib import Path

import numpy as np

from cxpath.training.field_cache import cached_fields
from cxpath.training.synthetic.drawn_field import DrawnField
from tests.training.blob_fields import blob_field

calls: list[int] = []


def counting_field(seed: int, index: int, side_px: int) -> DrawnField:
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
    (tmp_path / "drawn.json").unlink()
    calls.clear()
    cached_fields(tmp_path, 2, 9, 64, source=counting_field)
    assert calls == [0, 1]


def test_two_processes_draw_the_same_as_one(tmp_path: Path) -> None:
    told: list[int] = []
    alone = cached_fields(tmp_path / "one", 5, 3, 32, source=blob_field)
    together = cached_fields(tmp_path / "two", 5, 3, 32, source=blob_field, workers=2, progress=told.append)
    assert np.array_equal(alone.rgb, together.rgb)
    assert told == [1, 2, 3, 4, 5]
