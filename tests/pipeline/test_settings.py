"""Settings of tiles and cells: limits, and what 0 threads stand for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from cxpath.pipeline import settings as pipeline_settings
from cxpath.pipeline.settings import CellSettings, PipelineSettings, TileSettings


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (3, 3), (8, 8), (9, 8), (200, 8)])
def test_zero_threads_are_one_a_core_and_at_most_eight(
    cores: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_settings, "usable_cores", lambda: frozenset(range(cores)))
    assert TileSettings().effective_reader_threads == threads


@given(st.integers(1, 500))
def test_stated_threads_are_taken(threads: int) -> None:
    assert TileSettings(reader_threads=threads).effective_reader_threads == threads


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        (TileSettings, {"core_px": 63}),
        (TileSettings, {"reader_threads": -1}),
        (TileSettings, {"read_ahead": 0}),
        (TileSettings, {"lattice_offset_px": -16}),
        (CellSettings, {"membrane_reach_um": 0}),
        (CellSettings, {"membrane_visible_od": 0}),
        (CellSettings, {"membrane_contrast": 0.99}),
        (PipelineSettings, {"tile": {}}),
    ],
)
def test_what_makes_no_sense_is_refused(model: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(wrong)


def test_the_limits_themselves_are_allowed() -> None:
    tiles = TileSettings(core_px=64, read_ahead=1, lattice_offset_px=0)
    assert PipelineSettings(tiles=tiles, cells=CellSettings(membrane_contrast=1.0)).tiles == tiles
