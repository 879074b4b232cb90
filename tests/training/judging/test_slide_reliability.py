from __future__ import annotations

from typing import Any

import numpy as np

from cxpath.training.judging.slide_reliability import slide_reliability
from tests.training.judging.test_synthetic_figures import RECIPE, slide


def with_kinds(one: dict[str, Any], right: int) -> dict[str, Any]:
    bins = np.zeros((10, 3))
    bins[9] = 2000, 1900, right
    return one | {"kind_reliability": bins.tolist()}


def test_each_arm_has_its_curves() -> None:
    slides = [with_kinds(slide(30, 30), 1900), with_kinds(slide(30, 30), 1500)]
    slides += [with_kinds(slide(30, 30, arm="training_stains"), 1900)]
    found = {(one.set_name, one.of): one.curve for one in slide_reliability(slides, RECIPE)}
    assert set(found) == {
        (f"synthetic_{arm}", of) for arm in ("held_out", "training_stains") for of in ("kind", "stained")
    }
    kind, stained = (found["synthetic_held_out", of] for of in ("kind", "stained"))
    assert kind.observed_share == ((1900 + 1500) / 4000,)
    assert kind.expected_error.value == 0.1
    assert stained.count == (3940, 60)
    assert stained.expected_error.count == 2
    assert found["synthetic_training_stains", "kind"].expected_error.value == 0.0


def test_kinds_that_an_earlier_version_did_not_count_are_left_out() -> None:
    mixed = [with_kinds(slide(30, 30), 1900), slide(30, 30)]
    assert [one.of for one in slide_reliability(mixed, RECIPE)] == ["stained"]
    assert list(slide_reliability([], RECIPE)) == []
