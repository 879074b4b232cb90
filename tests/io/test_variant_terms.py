"""Words for what a variant does: every vocabulary is understood, the gravest wins, and nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cxpath.data.variants import Consequence
from cxpath.io.variant_terms import (
    KNOWN_TERMS,
    MAF_CLASSES,
    NON_CODING_TRANSCRIPT_TERMS,
    NON_SYNONYMOUS_TERMS,
    SYNONYMOUS_TERMS,
    consequence_of_class,
    consequence_of_terms,
    is_maf_class,
    unknown_terms,
)

terms = st.sampled_from(sorted(KNOWN_TERMS))
CHANGING = [name for name, meaning in MAF_CLASSES.items() if meaning is Consequence.NON_SYNONYMOUS]


def test_no_term_has_two_meanings() -> None:
    assert not NON_SYNONYMOUS_TERMS & SYNONYMOUS_TERMS
    assert not NON_CODING_TRANSCRIPT_TERMS & (NON_SYNONYMOUS_TERMS | SYNONYMOUS_TERMS)


def test_nine_classes_of_maf_change_the_protein() -> None:
    """Those of maftools and cBioPortal."""
    assert set(CHANGING) == {
        "Missense_Mutation",
        "Nonsense_Mutation",
        "Nonstop_Mutation",
        "Frame_Shift_Del",
        "Frame_Shift_Ins",
        "In_Frame_Del",
        "In_Frame_Ins",
        "Splice_Site",
        "Translation_Start_Site",
    }


@given(st.sets(terms))
def test_the_gravest_term_decides(some: set[str]) -> None:
    found = consequence_of_terms(some)
    if some & NON_SYNONYMOUS_TERMS:
        assert found is Consequence.NON_SYNONYMOUS
    elif some & SYNONYMOUS_TERMS:
        assert found is Consequence.SYNONYMOUS
    elif "coding_sequence_variant" in some:
        assert found is Consequence.NON_SYNONYMOUS
    else:
        assert found is Consequence.NON_CODING


@given(st.lists(terms, min_size=1, max_size=5))
def test_neither_order_nor_repetition_of_terms_matters(some: list[str]) -> None:
    assert consequence_of_terms(some) is consequence_of_terms([*reversed(some), some[0]])


@given(st.lists(terms, min_size=1, max_size=4), st.sampled_from("&,;"))
def test_a_class_of_joined_terms_means_what_its_terms_mean(some: list[str], joint: str) -> None:
    assert consequence_of_class(joint.join(some)) is consequence_of_terms(some)


@given(st.sampled_from(sorted(MAF_CLASSES)), st.sampled_from([str.upper, str.lower, str.title]))
def test_case_and_punctuation_make_no_difference(name: str, cased: object) -> None:
    assert callable(cased)
    written = cased(name).replace("_", " ")
    assert consequence_of_class(written) is MAF_CLASSES[name]
    assert is_maf_class(written)


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("Start_Codon_SNP", Consequence.NON_SYNONYMOUS),
        ("Start_Codon_Del", Consequence.NON_SYNONYMOUS),
        ("Stop_Codon_Ins", Consequence.NON_SYNONYMOUS),
        ("stop codon DNP", Consequence.NON_SYNONYMOUS),
        ("De_novo_Start_OutOfFrame", Consequence.NON_CODING),
        ("De_novo_Start_In_Frame", Consequence.NON_CODING),
        ("nonsynonymous SNV", Consequence.NON_SYNONYMOUS),
        ("synonymous SNV", Consequence.SYNONYMOUS),
        ("stopgain", Consequence.NON_SYNONYMOUS),
        ("exonic;splicing", Consequence.NON_SYNONYMOUS),
        ("ncRNA_splicing", Consequence.NON_CODING),
        ("UTR5;UTR3", Consequence.NON_CODING),
        ("5'UTR", Consequence.NON_CODING),
        ("3'Flank", Consequence.NON_CODING),
        ("unknown", Consequence.NON_CODING),
        ("silent mutation", Consequence.SYNONYMOUS),
        ("missense_variant&splice_region_variant", Consequence.NON_SYNONYMOUS),
        ("splice_region_variant, synonymous_variant", Consequence.SYNONYMOUS),
        ("coding_sequence_variant", Consequence.NON_SYNONYMOUS),
    ],
)
def test_words_of_other_programs(name: str, meaning: Consequence) -> None:
    assert consequence_of_class(name) is meaning


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "mis-sense-ish",
        "start_codon",
        "Start_Codon_Foo",
        "missense_variant&nonsense_of_mine",
        "p.R175H",
        "&",
    ],
)
def test_a_word_of_no_vocabulary_is_not_guessed(name: str) -> None:
    assert consequence_of_class(name) is None


@given(st.text(max_size=30))
def test_no_text_fails_and_a_maf_class_is_always_understood(text: str) -> None:
    found = consequence_of_class(text)
    assert found is None or isinstance(found, Consequence)
    if is_maf_class(text):
        assert found is not None


def test_only_words_that_are_no_terms_are_unknown() -> None:
    assert set(unknown_terms(["missense_variant", "", "Missense_Mutation", "intron"])) == {
        "Missense_Mutation",
        "intron",
    }
    assert not unknown_terms(KNOWN_TERMS)


@given(st.lists(st.text(max_size=12) | terms))
def test_unknown_terms_are_those_that_are_stated_and_not_known(stated: list[str]) -> None:
    assert set(unknown_terms(stated)) == set(stated) - KNOWN_TERMS - {""}
