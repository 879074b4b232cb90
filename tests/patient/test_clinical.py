import pytest
from pydantic import ValidationError

from cxpath.patient.clinical import (
    CHEMOTHERAPY,
    IMMUNE_CHECKPOINT,
    NTRK_INHIBITORS,
    PLATINUM,
    Clinical,
    Therapy,
    all_of,
    any_of,
)


def clinical(*therapies: dict[str, object], **facts: object) -> Clinical:
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
