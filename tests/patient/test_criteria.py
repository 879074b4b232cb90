"""Clauses, sources and criteria as data: what is refused, and three-valued verdicts."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from cxpath.patient.criteria import (
    Advice,
    Approval,
    Caution,
    CautionState,
    Certainty,
    Clause,
    Criteria,
    CriteriaFile,
    Criterion,
    Reading,
    Source,
    SourceKind,
    Verdict,
    all_of,
    by_words,
    in_words,
    unknown,
)

DAY = date(2026, 11, 30)
LABEL = Source(
    id="label", kind=SourceKind.LABEL, title="Label, section 1", address="https://label.example",
    accessed=DAY, read=Reading.FULL,
)  # fmt: skip
numbers = st.integers(-1000, 1000) | st.floats(-1e6, 1e6)
verdicts = st.sampled_from(Verdict)


def criterion(**changes: Any) -> Criterion:
    """A criterion that asks for a CPS of at least 1, and whose label was read."""
    stated: dict[str, Any] = {
        "id": "us-drug",
        "row": "2.1 row 1",
        "agent": "drug",
        "regimen": "drug alone",
        "population": "later line",
        "jurisdiction": "us",
        "approval": Approval.REGULAR,
        "as_of": DAY,
        "certainty": Certainty.VERIFIED,
        "biomarker": (Clause(fact="pdl1.cps", op=">=", value=1),),
        "cited": (LABEL,),
    }
    return Criterion(**(stated | changes))


# Clauses.


@given(numbers, numbers)
def test_numbers_are_compared_as_the_operator_says(limit: float, found: float) -> None:
    assert Clause(fact="f", op=">=", value=limit).is_met_by(found) == (found >= limit)
    assert Clause(fact="f", op=">", value=limit).is_met_by(found) == (found > limit)
    assert Clause(fact="f", op="<", value=limit).is_met_by(found) == (found < limit)


@given(numbers)
def test_the_limit_itself_meets_at_least_and_neither_above_nor_below(limit: float) -> None:
    met = {op: Clause(fact="f", op=op, value=limit).is_met_by(limit) for op in (">=", ">", "<")}
    assert met == {">=": True, ">": False, "<": False}


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3), st.sampled_from("abcdef"))
def test_one_of_and_none_of_are_opposites(some: list[str], found: str) -> None:
    one_of = Clause(fact="f", op="in", value=tuple(some)).is_met_by(found)
    assert one_of == (found in some)
    assert Clause(fact="f", op="not_in", value=tuple(some)).is_met_by(found) != one_of


@pytest.mark.parametrize("value", [True, False])
def test_yes_is_not_no(value: bool) -> None:
    clause = Clause(fact="f", op="is", value=value)
    assert clause.is_met_by(value)
    assert not clause.is_met_by(not value)


@pytest.mark.parametrize(
    ("op", "value", "why"),
    [
        ("in", "a", "operator in takes a list"),
        ("not_in", 3, "operator not_in takes a list"),
        ("is", ("a",), "operator is takes one value"),
        (">=", ("a",), "operator >= takes one value"),
        (">=", "1", "operator >= takes a number"),
        ("<", True, "operator < takes a number"),
        ("==", 1, "Input should be"),
    ],
)
def test_a_value_that_does_not_fit_its_operator_is_refused(op: Any, value: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Clause(fact="f", op=op, value=value)


# Sources.


@pytest.mark.parametrize(
    ("number", "identified"),
    [
        ({}, False),
        ({"registry": "NCT01234567"}, True),
        ({"doi": "10.1/x"}, True),
        ({"pmid": "1"}, True),
        ({"pmcid": "PMC1"}, True),
    ],
)
def test_a_source_is_identified_by_any_number(number: dict[str, str], identified: bool) -> None:
    assert LABEL.model_copy(update=number).is_identified is identified


def test_a_citation_names_all_that_is_known_and_how_much_was_read() -> None:
    source = LABEL.model_copy(
        update={
            "revision": "11/2026",
            "journal": "J 1:2",
            "registry": "NCT01234567",
            "doi": "10.1/x",
            "pmid": "7",
        }
    )
    assert source.citation == (
        "Label, section 1; revision 11/2026; J 1:2; NCT01234567; doi 10.1/x; PMID 7; "
        "https://label.example (accessed 2026-11-30, in full)"
    )
    assert LABEL.citation == "Label, section 1; https://label.example (accessed 2026-11-30, in full)"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "Label"},
        {"registry": "NCT1"},
        {"address": "label.example"},
        {"accessed": "lately"},
        {"read": "mostly"},
    ],
)
def test_a_source_that_cannot_be_looked_up_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Source.model_validate(LABEL.model_dump() | wrong)


@pytest.mark.parametrize(
    ("read", "complete"),
    [(Reading.FULL, True), (Reading.QUOTED, True), (Reading.PART, False), (Reading.NOT, False)],
)
def test_only_whole_wordings_are_complete(read: Reading, complete: bool) -> None:
    assert read.is_complete is complete


# Criteria.


def test_a_criterion_whose_label_was_read_has_no_open_point() -> None:
    assert criterion().open_points == ()
    assert criterion().verified


def test_without_a_label_or_guideline_a_criterion_stays_open() -> None:
    trial = LABEL.model_copy(update={"kind": SourceKind.TRIAL})
    for cited in ((), (trial,)):
        found = criterion(cited=cited, beyond_clauses=("no active infection",))
        assert found.open_points == ("the label or guideline itself: none is cited", "no active infection")
        assert not found.verified


def test_a_label_read_in_part_and_what_no_clause_says_are_open_points() -> None:
    part = LABEL.model_copy(update={"read": Reading.PART})
    found = criterion(cited=(part, LABEL), beyond_clauses=("no active infection",))
    assert found.open_points == (
        "the full wording of Label, section 1: it could not be read",
        "no active infection",
    )


@pytest.mark.parametrize("approval", [Approval.NONE, Approval.NEGATIVE, Approval.UNVERIFIED])
def test_what_cannot_be_met_must_say_why(approval: Approval) -> None:
    assert not approval.can_be_met
    with pytest.raises(ValidationError, match="must give its reason"):
        criterion(approval=approval)
    assert criterion(approval=approval, reason="tried without success").reason


def test_a_stage_needs_its_edition() -> None:
    with pytest.raises(ValidationError, match="stage needs stage_edition"):
        criterion(stage=("IIIA",))


@pytest.mark.parametrize("when", ["2026", "2026-11", "2026-11-30", "unknown", ""])
def test_a_date_is_as_exact_as_its_source(when: str) -> None:
    assert criterion(approved_on=when).approved_on == when


@pytest.mark.parametrize("when", ["30.11.2026", "2026-1", "soon"])
def test_another_form_of_a_date_is_refused(when: str) -> None:
    with pytest.raises(ValidationError):
        criterion(approved_on=when)


def test_conditions_are_read_in_order_with_edition_and_excluded_histology() -> None:
    found = criterion(
        setting=("persistent",),
        stage=("IIIA", "IIIB"),
        stage_edition="FIGO 2018",
        histology_excluded=("small_cell",),
        requires=(Clause(fact="clinical.lines", op=">=", value=1),),
    )
    assert [clause.fact for clause in found.clauses] == [
        "clinical.setting",
        "clinical.stage",
        "clinical.histology",
        "clinical.lines",
        "pdl1.cps",
    ]
    assert found.clauses[1].edition == "FIGO 2018"
    assert found.clauses[2].words == "histology none of small cell (excluded from the trial)"
    assert not found.clauses[2].is_met_by("small_cell")


def test_sources_are_filled_in_by_their_names() -> None:
    when = Clause(fact="f", op="is", value=True)
    common: dict[str, Any] = {"as_of": DAY, "certainty": Certainty.HIGH, "sources": ("label",)}
    file = CriteriaFile(
        criterion=(criterion(cited=(), sources=("label",)),),
        caution=(Caution(id="c", agents="any", when=when, flag="careful", **common),),
        advice=(Advice(agents="any", text="drink", **common),),
        source=(LABEL,),
    )
    cited = file.citing({"label": LABEL})
    for entry in (*cited.criterion, *cited.caution, *cited.advice):
        assert entry.cited == (LABEL,)
        assert entry.source == LABEL.citation
    assert file.criterion[0].source == "no source was read"
    with pytest.raises(KeyError):
        file.citing({})


def test_criteria_of_a_jurisdiction_include_those_of_any() -> None:
    criteria = Criteria(tuple(criterion(jurisdiction=where) for where in ("us", "eu", "any")))
    assert [one.jurisdiction for one in criteria.of(["eu"]).criteria] == ["eu", "any"]
    assert [one.jurisdiction for one in criteria.of([]).criteria] == ["any"]


# Verdicts.


@given(st.lists(verdicts))
def test_one_not_met_decides_then_one_indeterminate(some: list[Verdict]) -> None:
    found = all_of(some)
    if Verdict.NOT_MET in some:
        assert found is Verdict.NOT_MET
    elif Verdict.INDETERMINATE in some:
        assert found is Verdict.INDETERMINATE
    else:
        assert found is Verdict.MET


@given(st.lists(verdicts), st.lists(verdicts))
def test_conditions_may_be_taken_together_in_any_way(first: list[Verdict], second: list[Verdict]) -> None:
    assert all_of([*first, *second]) is all_of([all_of(second), all_of(first)])


def test_verdicts_and_states_as_they_are_printed() -> None:
    assert [one.words for one in Verdict] == ["met", "not met", "indeterminate"]
    assert [one.words for one in CautionState] == ["raised", "not raised", "unknown"]


def test_an_unknown_fact_says_why_and_what_settles_it() -> None:
    found = unknown("not tested", "test it")
    assert (found.value, found.words, found.settle, found.compared) == (None, "not tested", "test it", None)


@pytest.mark.parametrize(
    ("value", "words"),
    [(True, "yes"), (False, "no"), (1.0, "1"), (0.125, "0.125"), (3, "3"), ("small_cell", "small cell")],
)
def test_values_in_words(value: Any, words: str) -> None:
    assert in_words(value) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("22c3", "22C3"),
        ("28-8", "28-8"),
        ("gastric", "gastric criteria"),
        ("SP142", "SP142"),
        ("sp263", "SP263"),
    ],
)
def test_assays_and_scoring_systems_in_words(name: str, words: str) -> None:
    assert by_words(name) == words
