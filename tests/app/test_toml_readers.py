"""Every file of settings that a person may hand over: TOML that breaks the library's reader is one line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from cxpath.app.configuration import load_configuration
from cxpath.app.therapy import lint_files, read_criteria
from cxpath.app.therapy_profile import read_profile
from cxpath.errors import CxpathError
from cxpath.io.cell_classes import read_cell_classes
from cxpath.network.card import CARD_NAME, read_card

READERS: dict[str, Callable[[Path], object]] = {
    "configuration": load_configuration,
    "class map": read_cell_classes,
    "criteria": read_criteria,
    "profile": read_profile,
    "model card": lambda path: read_card(path.parent),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("a = " + "[" * 5000 + "]" * 5000, "nested too deeply", id="deep"),
        pytest.param(f"a = {'9' * 5000}", "too many digits", id="digits"),
        pytest.param("a = [{ b = 1e101 }]", "a.0.b: the number is too large", id="number"),
        pytest.param("a = \n", "Invalid value", id="no TOML"),
    ],
)
def test_toml_that_breaks_its_reader_is_one_line(
    reader: str, content: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / CARD_NAME
    path.write_text(content)
    with pytest.raises(CxpathError, match=said) as caught:
        READERS[reader](path)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_profile_in_json_that_is_nested_too_deeply_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "patient.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(CxpathError, match="not readable") as caught:
        read_profile(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["[" * 5000 + "]" * 5000, "9" * 5000])
def test_a_setting_on_the_command_line_that_breaks_its_reader_is_one_line(value: str) -> None:
    with pytest.raises(CxpathError):
        load_configuration(None, [f"scoring.level={value}"])


@pytest.mark.parametrize("number", ["inf", "-inf", "nan"])
@pytest.mark.parametrize(
    ("reader", "content"),
    [
        ("configuration", "[scoring]\nassociation_distance_um = {}"),
        ("profile", "[tmb]\nvalue = {}\nunit = 'mutations per Mb'"),
        ("class map", "[classes]\nTumor = {{ kind = 'tumour', stained = {} }}"),
    ],
)
def test_numbers_that_are_none_are_refused(reader: str, content: str, number: str, tmp_path: Path) -> None:
    """TOML knows them; no JSON, no FHIR and no comparison does."""
    path = tmp_path / CARD_NAME
    path.write_text(content.format(number))
    with pytest.raises(CxpathError) as caught:
        READERS[reader](path)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["criterion = 0.5", "criterion = ['x']", "caution = {}", "advice = [1, 2]"]
)
def test_criteria_that_are_no_list_of_tables_are_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "criteria.toml"
    path.write_text(content)
    for read in (lambda: read_criteria(path), lambda: lint_files([path], date(2026, 11, 30))):
        with pytest.raises(CxpathError, match="not a list of tables") as caught:
            read()
        assert str(path) in caught.value.message


def test_a_profile_in_json_with_half_a_character_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "patient.json"
    path.write_text(r'{"case": "CX-\ud800"}')
    with pytest.raises(CxpathError, match="half a character") as caught:
        read_profile(path)
    assert str(path) in caught.value.message
