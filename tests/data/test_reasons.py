"""Reasons carry a code for programs and a line for people."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cxpath.data.reasons import RESEARCH_USE, Reason, ReasonCode, coded, counted, texts

lines = st.lists(st.text(max_size=30), max_size=5)


@given(lines, st.sampled_from(ReasonCode))
def test_texts_of_one_origin_get_its_code_and_come_back(said: list[str], code: ReasonCode) -> None:
    reasons = coded(code, said)
    assert texts(reasons) == tuple(said)
    assert {reason.code for reason in reasons} <= {code}
    assert [str(reason) for reason in reasons] == said


def test_reasons_may_come_from_a_generator() -> None:
    assert coded(ReasonCode.CAVEAT, (f"caveat {number}" for number in range(2))) == (
        Reason(ReasonCode.CAVEAT, "caveat 0"),
        Reason(ReasonCode.CAVEAT, "caveat 1"),
    )


def test_two_reasons_are_the_same_only_with_code_and_text() -> None:
    one = Reason(ReasonCode.NO_TUMOUR, "no tumour")
    assert one == Reason(ReasonCode.NO_TUMOUR, "no tumour")
    assert one != Reason(ReasonCode.NO_TISSUE, "no tumour")
    assert len({one, Reason(ReasonCode.NO_TUMOUR, "no tumour")}) == 1


@pytest.mark.parametrize("code", ReasonCode)
def test_codes_are_plain_words_that_json_may_carry(code: ReasonCode) -> None:
    assert code.value == code.name.lower()
    assert ReasonCode(code.value) is code


def test_the_sentence_of_research_use_is_that_of_every_document() -> None:
    assert RESEARCH_USE == "For Research Use Only. Not for use in diagnostic procedures."


@pytest.mark.parametrize(("number", "words"), [(0, "0 slides"), (1, "1 slide"), (2, "2 slides")])
def test_a_number_and_its_word_agree(number: int, words: str) -> None:
    assert counted(number, "slide") == words
