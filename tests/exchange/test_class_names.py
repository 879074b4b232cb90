import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.exchange.class_names import plain, refuse_repeats

NAMES = st.text("Aa*: ß", max_size=8)


def test_what_does_not_matter_in_a_name() -> None:
    assert plain(" Tumor :Positive* ") == plain("tumor: positive") == "tumor: positive"


@given(NAMES)
def test_a_plain_name_is_as_plain_as_it_gets(name: str) -> None:
    assert plain(plain(name)) == plain(name)


@given(st.lists(NAMES))
def test_names_are_refused_exactly_when_two_are_the_same(names: list[str]) -> None:
    if len({plain(name) for name in names}) == len(names):
        refuse_repeats(names)
    else:
        with pytest.raises(ValueError, match="has two meanings"):
            refuse_repeats(names)
