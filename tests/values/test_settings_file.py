from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.values.errors import ConfigurationError, MissingFileError
from cxpath.values.settings import Settings
from cxpath.values.settings_file import read_settings


class Lamp(Settings):
    watts: int = 40


def test_a_file_becomes_settings(tmp_path: Path) -> None:
    path = tmp_path / "lamp.toml"
    path.write_text("watts = 60\n")
    assert read_settings(Lamp, path, "see lamps").watts == 60


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"watts = \n", "not readable as TOML"),
        (b"\xff\xfe", "not readable as TOML"),
        (b"colour = 'blue'\n", "colour"),
        (b"watts = 'many'\n", "watts"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "lamp.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        read_settings(Lamp, path, "see lamps")
    assert str(path) in str(caught.value)
    assert caught.value.hint == "see lamps"


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_settings(Lamp, tmp_path / "none.toml", "see lamps")
    with pytest.raises(ConfigurationError, match="not readable"):
        read_settings(Lamp, tmp_path, "see lamps")
