from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from cxpath.errors import ConfigurationError, MissingFileError
from cxpath.evaluation.settings import (
    RealSettings,
    RestainedArm,
    Stratum,
    SyntheticSettings,
    bundled_settings,
    evaluation_settings,
)
from cxpath.synth import Painting
from tests.evaluation.called_cells import REAL


def test_the_targets_are_the_ones_agreed() -> None:
    targets = {one.name: str(one.f1) for one in REAL.labelled_set}
    assert targets == {"bcdata": "≥ 0.82", "deepliif": "≥ 0.83", "glioma": "≥ 0.8", "shidc": "≥ 0.72"}
    assert str(REAL.labelled_set[0].detections_per_label) == "≤ 1.3"
    assert str(REAL.brown_classified_positive) == "≤ 0.05"
    assert (str(REAL.scanner_pair.count_difference), REAL.match_radius_um) == ("≤ 0.1", 6.0)
    assert [one.name for one in REAL.labelled_set if one.counted == "tumour_or_immune"] == ["shidc"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("match_radius_um", "match_radius", "match_radius_um: Field required"),
        ("mpp = 0.25", "mpp = 25", "mpp: Input should be less than 5"),
        ("[bootstrap]", "[bootstrap", "not readable as TOML"),
        ('form = "points"', 'form = "dots"', "form: Input should be"),
    ],
)
def test_wrong_settings_are_one_line(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = tmp_path / "real.toml"
    path.write_text(bundled_settings("real").read_text(encoding="utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigurationError) as error:
        evaluation_settings(RealSettings, path)
    assert str(path) in str(error.value)
    assert reason in str(error.value)


def test_missing_settings_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        evaluation_settings(RealSettings, tmp_path / "none.toml")


# Strata of the synthetic test set.

STRATA = evaluation_settings(SyntheticSettings, bundled_settings("synthetic")).stratum


@pytest.mark.parametrize(
    ("cps", "inside"), [(0.99, False), (1.0, True), (9.999, True), (10.0, False), (float("nan"), False)]
)
def test_a_stratum_begins_at_its_lower_end_and_stops_before_its_upper(cps: float, *, inside: bool) -> None:
    assert Stratum(name="low", low_cps=1.0, high_cps=10.0).contains(cps) is inside


def test_the_highest_stratum_lets_100_in() -> None:
    highest = Stratum(name="high", low_cps=60.0, high_cps=100.0)
    assert highest.contains(100.0)
    assert not Stratum(name="high", low_cps=60.0, high_cps=90.0).contains(100.0)


@given(st.floats(0, 100))
def test_every_score_of_the_shipped_test_set_has_at_most_one_stratum(cps: float) -> None:
    assert sum(stratum.contains(cps) for stratum in STRATA) <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"low_cps": 10.0, "high_cps": 10.0},
        {"low_cps": 11.0, "high_cps": 10.0},
        {"low_cps": 0.0, "high_cps": 1.0, "scale": "logarithmic"},
    ],
)
def test_a_range_that_contains_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="low_cps must lie below high_cps"):
        Stratum.model_validate({"name": "none", **wrong})


@pytest.mark.parametrize("name", ["High", "a b", "a-b", ""])
def test_a_name_that_no_file_should_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        Stratum(name=name, low_cps=0.0, high_cps=1.0)


def test_an_arm_is_named_by_its_data_set_and_its_painting() -> None:
    arm = RestainedArm(source="consep", painting=Painting.RESERVED)
    assert arm.name == f"restained_consep_{Painting.RESERVED.value}"
    with pytest.raises(ValidationError, match="source"):
        RestainedArm.model_validate({"source": "other", "painting": Painting.USUAL})
