import tomllib
from pathlib import Path

import pytest

from cxpath.app.configuration import Configuration, load_configuration
from cxpath.data.settings import bundled
from cxpath.errors import ConfigurationError, MissingFileError


def test_the_file_of_defaults_holds_the_defaults() -> None:
    file = bundled("configs") / "default.toml"
    assert load_configuration(file) == Configuration()
    stated = tomllib.loads(file.read_text())
    for section, values in Configuration().model_dump(mode="json").items():
        named = {key for key, value in values.items() if value is not None}
        assert set(stated[section]) == named, section


def test_single_settings_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[scoring]\nlevel = 0.9\nminimum_tumour_cells = 50\n")
    found = load_configuration(file, ["scoring.level=0.8", "tissue.stain_check=off"])
    assert found.scoring.level == 0.8
    assert found.scoring.minimum_tumour_cells == 50
    assert found.tissue.stain_check == "off"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("scoring.levle=0.9", "scoring.levle: no such setting"),
        ("scorings.level=0.9", "scorings: no such setting"),
        ("scoring.level=2", "scoring.level: input should be less than 1"),
        ("scoring.level", "is not section.key=VALUE"),
        ("scoring.level=high", "scoring.level"),
        ("tissue.stain_check=maybe", "tissue.stain_check"),
        ("scoring.intensity_thresholds_od=[0.1, 0.2]", "scoring.intensity_thresholds_od"),
    ],
)
def test_what_cannot_be_meant_is_named(setting: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_configuration(None, [setting])


def test_a_field_has_one_size_for_scores_and_pictures() -> None:
    assert load_configuration(None, ["scoring.field_um=300"]).pictures.field_um == 300
    with pytest.raises(ConfigurationError, match=r"report\.field_um: no such setting"):
        load_configuration(None, ["report.field_um=300"])


def test_a_missing_or_broken_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such configuration file"):
        load_configuration(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("[scoring\n")
    with pytest.raises(ConfigurationError, match="not readable as TOML"):
        load_configuration(tmp_path / "broken.toml")


def test_the_digest_follows_the_values_and_not_their_order() -> None:
    one = load_configuration(None, ["scoring.level=0.9", "tiles.core_px=512"])
    same = load_configuration(None, ["tiles.core_px=512", "scoring.level=0.9"])
    assert one.digest() == same.digest() != Configuration().digest()
