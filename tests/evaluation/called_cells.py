"""Calls made by hand, and settings small enough for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cxpath.data.cells import Kind
from cxpath.evaluation.classifier import Calls
from cxpath.evaluation.settings import RealSettings, bundled_settings, evaluation_settings

TUMOUR, IMMUNE, OTHER = Kind

REAL = evaluation_settings(RealSettings, bundled_settings("real"))

SMALL_RECIPE = """
seed = 5
pictures = 1
[bootstrap]
repeats = 50
[tissue]
field_um = 144.0
margin_um = 24.0
tumour_cells = 40
mpps = [0.5]
mpp_jitter = 0.0
[[stratum]]
name = "none"
low_cps = 0.0
high_cps = 0.5
zero_share = 1.0
[[stratum]]
name = "high"
low_cps = 20.0
high_cps = 60.0
[[arm]]
name = "held_out"
stains = "held_out"
gated = true
slides = { none = 1, high = 2 }
[targets]
macro_f1 = { at_least = 0.85 }
concordance = { at_least = 0.97 }
right_side_of_1 = { at_least = 0.95 }
right_side_of_10 = { at_least = 0.95 }
low_reaching_1 = { at_most = 0.05 }
slides = 300
slides_below_half = 80
slides_from_0_3_to_3 = 100
tumour_cells = 40
hard_negative_share = 0.05
"""
"""Three tiny slides; every key that is left out keeps its default."""


def calls_at(points_um: list[tuple[float, float]], kinds: list[Kind], positive: list[bool]) -> Calls:
    """Calls that are sure of themselves."""
    flags = np.array(positive, dtype=bool)
    return Calls(
        np.array(points_um, dtype=np.float64).reshape(-1, 2),
        np.array(kinds, dtype=np.uint8),
        np.where(flags, 0.99, 0.01).astype(np.float32),
        flags,
        np.full(len(kinds), 0.95, np.float32),
    )


def small_recipe(folder: Path) -> Path:
    """Write the small recipe; returns its path."""
    path = folder / "small.toml"
    path.write_text(SMALL_RECIPE, encoding="utf-8")
    return path
