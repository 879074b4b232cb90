from __future__ import annotations

import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.slide.resolution import StatedResolution, resolve
from cxpath.values.errors import ResolutionError


def _stated(x_mpp: float, y_mpp: float | None = None) -> StatedResolution:
    return StatedResolution(x_mpp, x_mpp if y_mpp is None else y_mpp, "openslide.mpp-x")


@given(st.floats(0.05, 5))
def test_a_plausible_file_is_believed(mpp: float) -> None:
    resolution = resolve(None, _stated(mpp), "a.svs")
    assert (resolution.mpp, resolution.source, resolution.warnings) == (mpp, "openslide.mpp-x", ())


@pytest.mark.parametrize("mpp", [352.8, 0.0499, 5.01, 0.0, -0.25, math.nan, math.inf])
def test_an_absurd_file_is_not_believed(mpp: float) -> None:
    with pytest.raises(ResolutionError) as caught:
        resolve(None, _stated(mpp), "a.svs")
    assert caught.value.message.startswith("a.svs: ")
    assert f"{mpp:.4g} µm" in caught.value.message
    assert "--mpp 0.25" in caught.value.hint


def test_a_missing_number_is_an_error_that_never_uses_the_objective() -> None:
    with pytest.raises(ResolutionError) as caught:
        resolve(None, None, "a.svs", objective="40")
    assert "does not say" in caught.value.message
    assert "objective 40, often about 0.25" in caught.value.hint


@pytest.mark.parametrize("objective", ["", "forty", "0", "-10"])
def test_a_useless_objective_is_not_mentioned(objective: str) -> None:
    with pytest.raises(ResolutionError) as caught:
        resolve(None, None, "a.svs", objective=objective)
    assert "objective" not in caught.value.hint


def test_pixels_must_be_square_within_two_percent() -> None:
    assert resolve(None, _stated(0.25, 0.2549), "a.svs").mpp == pytest.approx(0.25245)
    with pytest.raises(ResolutionError, match=r"not square, 0\.25 by 0\.256"):
        resolve(None, _stated(0.25, 0.256), "a.svs")


def test_the_user_wins(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        near = resolve(0.26, _stated(0.25), "a.svs")
        far = resolve(0.5, _stated(0.25), "a.svs")
    assert (near.mpp, near.source, near.warnings) == (0.26, "user", ())
    assert (far.mpp, far.source) == (0.5, "user")
    assert far.warnings == (
        "0.5 µm per pixel was given by the user, but the file says 0.25 (openslide.mpp-x)",
    )
    assert [record.message for record in caplog.records] == [f"a.svs: {far.warnings[0]}"]


def test_an_absurd_file_does_not_contradict_the_user() -> None:
    assert resolve(0.25, _stated(352.8), "a.tif").warnings == ()


@pytest.mark.parametrize("mpp", [0.01, 40, 0, -1, math.nan])
def test_an_absurd_user_is_refused(mpp: float) -> None:
    with pytest.raises(ResolutionError, match="was asked for"):
        resolve(mpp, _stated(0.25), "a.svs")
