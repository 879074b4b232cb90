from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from cxpath.patient.clinical import (
    CHEMOTHERAPY,
    IMMUNE_CHECKPOINT,
    NTRK_INHIBITORS,
    PLATINUM,
    Clinical,
    Edition,
    Extent,
    Purpose,
    Setting,
    Stage,
    Therapy,
    all_of,
    any_of,
)


def clinical(*therapies: Mapping[str, object], **facts: object) -> Clinical:
    return Clinical.model_validate({"therapies": therapies, **facts})


def test_chemoradiation_is_no_line_of_metastatic_therapy() -> None:
    given = {"purpose": "chemoradiation", "agents": ["Cisplatin"], "chemotherapy": True, "progressed": True}
    patient = clinical(given)
    assert patient.metastatic_lines == 0
    assert patient.progressed_after_chemotherapy is False
    assert patient.progressed is True
    assert patient.prior_definitive_therapy is True
    assert patient.pelvic_radiotherapy is True
    assert patient.received(["cisplatin"]) is True


def test_a_line_for_recurrent_disease_counts() -> None:
    line = {"purpose": "recurrent_or_metastatic", "chemotherapy": True, "progressed": True}
    assert clinical(line).progressed_after_chemotherapy is True
    assert clinical(line | {"progressed": "unknown"}).progressed_after_chemotherapy is None
    assert clinical(line | {"chemotherapy": False}).progressed_after_chemotherapy is False


@pytest.mark.parametrize(
    ("states", "any_", "all_"),
    [
        ((True, None), True, None),
        ((False, None), None, False),
        ((True, False), True, False),
        ((None,), None, None),
        ((), False, True),
    ],
)
def test_three_valued_or_and_and(
    states: tuple[bool | None, ...], any_: bool | None, all_: bool | None
) -> None:
    assert any_of(states) is any_
    assert all_of(states) is all_


def test_unresectable_or_metastatic() -> None:
    assert Clinical.model_validate({"setting": "metastatic"}).unresectable_or_metastatic is True
    assert Clinical.model_validate({"setting": "recurrent"}).unresectable_or_metastatic is None
    assert (
        Clinical.model_validate({"setting": "early", "unresectable": False}).unresectable_or_metastatic
        is False
    )


def therapy(*agents: str, purpose: str = "recurrent_or_metastatic", **facts: object) -> Therapy:
    return Therapy.model_validate({"purpose": purpose, "agents": agents, **facts})


@pytest.mark.parametrize(
    "agent",
    ["cisplatin", "Carboplatin AUC 5", "carboplatin/paclitaxel", "CDDP", "platinum-based chemotherapy"],
)
def test_platinum_is_recognised_however_it_was_typed(agent: str) -> None:
    assert therapy(agent).included(PLATINUM) is True
    assert therapy(agent).with_platinum is True


@pytest.mark.parametrize(("agent", "names"), [("Keytruda", IMMUNE_CHECKPOINT), ("Vitrakvi", NTRK_INHIBITORS)])
def test_brand_names_are_recognised(agent: str, names: frozenset[str]) -> None:
    assert therapy(agent).included(names) is True
    assert therapy(agent).included(PLATINUM) is False


def test_an_agent_that_is_not_stated_or_not_known_leaves_its_class_unknown() -> None:
    assert therapy().included(PLATINUM) is None
    assert therapy("XY-123").included(PLATINUM) is None
    assert therapy("XY-123", "cisplatin").included(PLATINUM) is True
    assert therapy(purpose="surgery").included(PLATINUM) is False
    assert therapy(chemotherapy=False).with_platinum is False
    assert clinical({"purpose": "chemoradiation"}).received(IMMUNE_CHECKPOINT) is None
    assert "XY-123".lower() in therapy("XY-123").doubts[0]


def test_chemotherapy_is_told_by_the_agents_where_it_is_not_stated() -> None:
    assert therapy("topotecan").with_chemotherapy is True
    assert therapy("pembrolizumab").with_chemotherapy is False
    assert therapy("tisotumab vedotin").with_chemotherapy is None
    assert therapy("nab-paclitaxel").included(CHEMOTHERAPY) is True


def test_a_history_that_contradicts_itself_is_unknown_and_named() -> None:
    line = therapy("cisplatin", chemotherapy=False)
    assert line.with_chemotherapy is None
    assert "no chemotherapy is stated" in line.doubts[0]


@pytest.mark.parametrize(
    ("facts", "metastatic", "advanced", "advanced_or_recurrent"),
    [
        ({"setting": "early"}, False, False, False),
        ({"setting": "locally_advanced"}, False, True, None),
        ({"setting": "locally_advanced", "unresectable": True}, False, True, True),
        ({"setting": "recurrent"}, None, None, True),
        ({"setting": "recurrent", "unresectable": True}, None, True, True),
        ({"setting": "recurrent", "extent": "metastatic"}, True, True, True),
        ({"setting": "recurrent", "extent": "resectable"}, False, False, True),
        ({"setting": "persistent"}, None, None, None),
        ({"setting": "metastatic"}, True, True, True),
        ({"extent": "metastatic"}, True, True, True),
        ({}, None, None, None),
    ],
)
def test_where_the_disease_stands(
    facts: dict[str, object],
    metastatic: bool | None,
    advanced: bool | None,
    advanced_or_recurrent: bool | None,
) -> None:
    patient = Clinical.model_validate(facts)
    found = (patient.metastatic, patient.advanced, patient.advanced_or_recurrent)
    assert found == (metastatic, advanced, advanced_or_recurrent)


@pytest.mark.parametrize(
    "facts",
    [
        {"setting": "early", "extent": "metastatic"},
        {"setting": "metastatic", "extent": "resectable"},
        {"setting": "locally_advanced", "extent": "metastatic"},
        {"extent": "resectable", "unresectable": True},
    ],
)
def test_setting_and_extent_that_exclude_each_other_are_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        Clinical.model_validate(facts)


def test_perioperative_chemotherapy_decides_nothing_about_later_lines() -> None:
    adjuvant = {"purpose": "adjuvant", "agents": ["cisplatin"], "progressed": True}
    patient = clinical(adjuvant)
    assert patient.progressed_after_chemotherapy is None
    assert patient.progressed_after_platinum is None
    assert patient.chemotherapy_for_advanced_disease is None
    assert patient.prior_systemic_therapy is None
    assert clinical(adjuvant | {"progressed": False}).progressed_after_chemotherapy is False


# What is known stays known: a fact that is learnt later settles what was open and overturns nothing.

QUESTIONS = (
    "metastatic",
    "advanced",
    "advanced_or_recurrent",
    "unresectable_or_metastatic",
    "after_first_treatment",
    "metastatic_lines",
    "prior_definitive_therapy",
    "prior_systemic_therapy",
    "prior_treatment",
    "chemotherapy_for_advanced_disease",
    "progressed",
    "progressed_after_chemotherapy",
    "progressed_after_platinum",
    "progressed_after_systemic",
    "progressed_or_no_alternative",
    "progressed_after_systemic_or_no_alternative",
    "ntrk_pretreated_or_no_alternative",
    "pelvic_radiotherapy",
)
AGENTS = ("cisplatin", "pembrolizumab", "larotrectinib", "tisotumab vedotin", "bevacizumab")
DRUGS = st.lists(st.sampled_from(AGENTS), min_size=1, max_size=2)
LOCAL = [Purpose.SURGERY.value, Purpose.RADIOTHERAPY.value]
THERAPIES = st.one_of(
    st.fixed_dictionaries(
        {
            "purpose": st.sampled_from([one.value for one in Purpose if one.value not in LOCAL]),
            "agents": DRUGS,
            "progressed": st.booleans(),
        }
    ),
    st.fixed_dictionaries({"purpose": st.sampled_from(LOCAL), "progressed": st.booleans()}),
)
KNOWN = {
    "setting": st.sampled_from([setting.value for setting in Setting]),
    "extent": st.sampled_from([extent.value for extent in Extent]),
    "unresectable": st.booleans(),
    "no_satisfactory_alternative": st.booleans(),
    "prior_pelvic_radiotherapy": st.booleans(),
    "therapies": st.lists(THERAPIES, max_size=3),
}


def answers(facts: dict[str, Any]) -> dict[str, bool | int | None] | None:
    """Return what a patient's facts say to every question; None where they exclude each other."""
    try:
        patient = Clinical.model_validate(facts)
    except ValidationError:
        return None
    if patient.contradictions or any(therapy.doubts for therapy in patient.therapies or ()):
        return None
    if patient.prior_pelvic_radiotherapy is False and patient.pelvic_radiotherapy:
        return None  # a conflict of its own, which the profile names
    return {question: getattr(patient, question) for question in QUESTIONS}


@settings(max_examples=80)
@given(st.fixed_dictionaries(KNOWN), st.sets(st.sampled_from(sorted(KNOWN))), st.booleans(), st.booleans())
def test_a_fact_that_is_hidden_leaves_an_answer_open_and_never_turns_it(
    facts: dict[str, Any], hidden: set[str], agents: bool, progress: bool
) -> None:
    whole = answers(facts)
    less = {name: value for name, value in facts.items() if name not in hidden}
    if "therapies" in less:
        unknown = ({"agents"} if agents else set()) | ({"progressed"} if progress else set())
        less["therapies"] = [
            {name: value for name, value in therapy.items() if name not in unknown}
            for therapy in less["therapies"]
        ]
    known = answers(less)
    if whole is None or known is None:
        return
    turned = {
        question: (known[question], whole[question])
        for question in QUESTIONS
        if known[question] is not None and known[question] is not whole[question]
    }
    assert not turned


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ([], (0, False, False, False)),
        (["surgery"], (0, True, False, None)),
        (["radiotherapy"], (0, True, False, None)),
        (["chemoradiation"], (0, True, None, None)),
        (["neoadjuvant"], (0, False, None, None)),
        (["adjuvant"], (0, False, None, None)),
        (["recurrent_or_metastatic"], (1, False, True, True)),
        (["surgery", "adjuvant"], (0, True, None, None)),
        (["surgery", "recurrent_or_metastatic"] * 2, (2, True, True, True)),
    ],
)
def test_what_was_given_before_by_its_purpose(given_: list[str], expected: tuple[object, ...]) -> None:
    """Lines, definitive therapy, systemic therapy, any treatment: what no label says stays open."""
    patient = clinical(*({"purpose": purpose} for purpose in given_))
    assert expected == (
        patient.metastatic_lines,
        patient.prior_definitive_therapy,
        patient.prior_systemic_therapy,
        patient.prior_treatment,
    )


@pytest.mark.parametrize(
    ("therapy", "chemotherapy", "platinum"),
    [
        ({"agents": ["carboplatin", "paclitaxel"]}, True, True),
        ({"agents": ["paclitaxel"]}, True, False),
        ({"agents": ["bevacizumab"]}, False, False),
        ({"agents": ["pembrolizumab", "an unknown one"]}, None, None),
        ({"agents": ["tisotumab vedotin"]}, None, False),
        ({"agents": ["tisotumab vedotin", "carboplatin"]}, True, True),
        ({"agents": ["tisotumab vedotin"], "chemotherapy": True}, True, False),
        ({"agents": ["cisplatin"], "chemotherapy": False}, None, None),
        ({"agents": [], "chemotherapy": True}, True, None),
        ({"agents": [], "chemotherapy": False}, False, False),
        ({"agents": []}, None, None),
    ],
)
def test_whether_chemotherapy_and_platinum_were_part_of_a_line(
    therapy: dict[str, object], chemotherapy: bool | None, platinum: bool | None
) -> None:
    line = Therapy.model_validate({"purpose": "recurrent_or_metastatic", **therapy})
    assert (line.with_chemotherapy, line.with_platinum) == (chemotherapy, platinum)


def test_surgery_without_a_drug_gave_no_drug_and_a_line_without_one_is_not_told() -> None:
    assert Therapy(purpose=Purpose.SURGERY).included(PLATINUM) is False
    assert Therapy(purpose=Purpose.RECURRENT_OR_METASTATIC).included(PLATINUM) is None


def test_every_doubt_about_a_line_is_named() -> None:
    line = Therapy(
        purpose=Purpose.RECURRENT_OR_METASTATIC, agents=("cisplatin", "drug x"), chemotherapy=False
    )
    assert line.doubts == (
        "no chemotherapy is stated, but cisplatin, drug x",
        "the class of 'drug x' is not known here; it may be any",
    )
    assert Therapy(purpose=Purpose.ADJUVANT, agents=("cisplatin",)).doubts == ()


@pytest.mark.parametrize(
    ("typed", "stage"), [(" iiic1r ", "IIIC1"), ("IIIC2p", "IIIC2"), ("ib3", "IB3"), ("IV", "IV"), ("", None)]
)
def test_a_stage_is_compared_without_its_suffix_of_method(typed: str, stage: str | None) -> None:
    assert Stage(edition=Edition.FIGO_2018, stage=typed).stage == stage


@pytest.mark.parametrize(
    "typed",
    [
        "V",
        "IIID",
        "2B",
        "IA4",
        "IA3",
        "IC",
        "IIC",
        "IIB1",
        "IIIB1",
        "IIIC3",
        "IVC",
        "IVA1",
        "IIIC1RP",
        "T1b",
    ],
)
def test_what_is_no_stage_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError, match="must be a FIGO stage of cervical cancer from I to IVB"):
        Stage(stage=typed)


def test_a_nodal_stage_without_an_edition_is_taken_for_what_it_can_only_be() -> None:
    assert Stage(stage="IIIC1").stage == "IIIC1"
    for edition in (Edition.FIGO_2009, Edition.FIGO_2014):
        for stage in ("IIIC", "IB3"):
            with pytest.raises(ValidationError, match=f"stage {stage} exists only since FIGO 2018"):
                Stage(edition=edition, stage=stage)


def test_a_stage_counts_only_as_long_as_the_disease_is_untreated() -> None:
    for setting, after in (("early", False), ("locally_advanced", False), ("recurrent", True)):
        assert clinical(setting=setting).after_first_treatment is after
    assert clinical().after_first_treatment is None
    doubted = clinical({"purpose": "recurrent_or_metastatic"}, setting="early")
    assert doubted.contradictions
    assert doubted.after_first_treatment is None


def test_an_ntrk_inhibitor_or_the_boards_word_that_nothing_is_left() -> None:
    given_ = {"purpose": "recurrent_or_metastatic", "agents": ["Entrectinib 600 mg"]}
    assert clinical(given_).ntrk_pretreated_or_no_alternative is True
    other = given_ | {"agents": ["cisplatin"]}
    assert clinical(other).ntrk_pretreated_or_no_alternative is None
    assert clinical(other, no_satisfactory_alternative=False).ntrk_pretreated_or_no_alternative is False
    assert clinical(other, no_satisfactory_alternative=True).ntrk_pretreated_or_no_alternative is True


def test_progress_after_chemoradiation_alone_leaves_systemic_treatment_open() -> None:
    given_ = {"purpose": "chemoradiation", "progressed": True}
    settled = {"no_satisfactory_alternative": False}
    assert clinical(given_, **settled).progressed_after_systemic_or_no_alternative is None
    controlled = given_ | {"progressed": False}
    assert clinical(controlled, **settled).progressed_after_systemic_or_no_alternative is False
    assert clinical(given_, **settled).progressed_or_no_alternative is True
