"""The beginning of a reader study: names of slides, values as TOML, and components that are stated."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from cxpath.agreement import Components, ReaderStudyPlan
from cxpath.app.review_folder import printed_name
from cxpath.app.study_init import _slide_id, _value, plan_readers, stated_components
from cxpath.errors import ConfigurationError
from cxpath.review import ReviewError

STATED = {
    "error": 0.0008,
    "cov1": 0.00035,
    "cov2": 0.00034,
    "cov3": 0.00024,
    "arm_reader": 0.0002,
    "cases": 114,
}


def text_of(stated: Mapping[str, object]) -> str:
    return ",".join(f"{name}={value}" for name, value in stated.items())


def test_components_are_read_in_any_order_with_blanks() -> None:
    expected = Components(
        reader=0.0, **{name: value for name, value in STATED.items() if name != "cases"}, cases=114
    )
    assert stated_components(text_of(STATED)) == expected
    backwards = dict(reversed(STATED.items()))
    assert stated_components(text_of(backwards).replace(",", " , ").replace("=", " = ")) == expected


def test_the_variance_of_readers_may_be_stated_and_is_0_otherwise() -> None:
    assert stated_components(text_of(STATED)).reader == 0
    assert stated_components(text_of(STATED | {"reader": 0.001})).reader == 0.001


@pytest.mark.parametrize("name", STATED)
def test_a_component_that_is_missing_is_named(name: str) -> None:
    left = {key: value for key, value in STATED.items() if key != name}
    with pytest.raises(ConfigurationError, match=f"components: {name} is missing"):
        stated_components(text_of(left))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' is no component"),
        ("errors=1", "'errors=1' is no component"),
        ("error=1,error=2", "'error=2' is no component, or stands twice"),
        ("error", "'error' states no number"),
        ("error=small", "'error=small' states no number"),
        ("error=1", "arm_reader, cov1, cov2, cov3, cases are missing"),
    ],
)
def test_what_is_no_list_of_components_is_refused_with_an_example(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        stated_components(text)
    assert "error=0.0008,cov1=0.00035" in str(refused.value)


@pytest.mark.parametrize("name", STATED)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_that_is_none_is_refused_and_never_planned_with(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}={value}' states no finite number"):
        stated_components(text_of(STATED | {name: value}))


@pytest.mark.parametrize(
    "change", [{"cases": 1}, {"cases": 10.5}, {"cases": -3}, {"error": 0}, {"error": -1}]
)
def test_cases_and_error_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="cases must be a whole number from 2, and error above 0"):
        stated_components(text_of(STATED | change))


def test_more_readers_never_need_more_cases() -> None:
    planned = plan_readers(ReaderStudyPlan(0.06, stated_components(text_of(STATED))), 5, 0.8)
    assert [one.readers for one in planned] == [3, 4, 5, 7, 10]
    cases = [one.cases or 10**9 for one in planned]
    assert cases == sorted(cases, reverse=True)
    assert all(one.power >= 0.8 for one in planned if one.cases)


def test_two_readers_are_the_fewest_that_are_planned() -> None:
    planned = plan_readers(ReaderStudyPlan(0.06, stated_components(text_of(STATED))), 2, 0.8)
    assert [one.readers for one in planned] == [2, 4, 7]


@given(st.text(min_size=1, max_size=120).filter(lambda name: "/" not in name and "\0" not in name))
def test_a_slide_gets_a_name_that_exports_can_carry(name: str) -> None:
    found = _slide_id(Path("folder") / f"{name}.svs")
    assert found
    assert len(found) <= 80
    assert not found.startswith((" ", ".", "_", "-"))
    assert all(letter.isascii() and (letter.isalnum() or letter in " ._-") for letter in found)


@pytest.mark.parametrize(
    ("file", "name"),
    [("a b.svs", "a b"), ("Zervix-Ä.ndpi", "Zervix-_"), ("..svs", "slide"), ("___.tiff", "slide")],
)
def test_names_of_slides(file: str, name: str) -> None:
    assert _slide_id(Path(file)) == name


@given(
    st.text(max_size=30).filter(str.isprintable)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**40), 2**40)
    | st.lists(st.integers(0, 100), max_size=4)
)
def test_values_are_written_as_toml_reads_them_on_one_line(value: object) -> None:
    written = _value(value)
    assert "\n" not in written
    assert tomllib.loads(f"x = {written}")["x"] == value


@pytest.mark.parametrize("name", ["", "  ", "\t\n", "cxpath", "a\x07b"])
def test_a_reader_without_a_name_of_their_own_is_refused(name: str) -> None:
    with pytest.raises(ReviewError, match="needs the reader's printed name"):
        printed_name(name)


@given(st.lists(st.text("abcÄß.-", min_size=1), min_size=1, max_size=3), st.sampled_from([" ", "  ", "\t"]))
def test_a_name_is_recorded_with_single_blanks(parts: list[str], blank: str) -> None:
    assert printed_name(f" {blank.join(parts)} ") == " ".join(parts)
