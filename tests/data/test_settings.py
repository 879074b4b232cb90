"""How many cores this process may use, with and without limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxpath.data.settings import Settings, read_settings, usable_cores
from cxpath.errors import ConfigurationError, MissingFileError


def test_a_process_held_to_one_core_has_one() -> None:
    before = os.sched_getaffinity(0)
    one = min(before)
    try:
        os.sched_setaffinity(0, {one})
        assert usable_cores() == {one}
    finally:
        os.sched_setaffinity(0, before)
    assert usable_cores() == before


def test_a_system_without_such_limits_offers_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert len(usable_cores()) == os.cpu_count()


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


DEEP, DIGITS = "watts = " + "[" * 5000 + "]" * 5000, f"watts = {'9' * 5000}"


@pytest.mark.parametrize(("content", "said"), [(DEEP, "nested too deeply"), (DIGITS, "has too many digits")])
def test_toml_that_breaks_its_reader_is_one_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "lamp.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=f"not readable as TOML: .*{said}"):
        read_settings(Lamp, path, "see lamps")


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "lamp.toml").write_text("watts = 60\n", encoding="utf-8-sig")
    assert read_settings(Lamp, tmp_path / "lamp.toml", "see lamps").watts == 60
