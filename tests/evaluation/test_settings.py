from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.errors import ConfigurationError, MissingFileError
from cxpath.evaluation.settings import RealSettings, bundled_settings, evaluation_settings
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
