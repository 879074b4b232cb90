import pytest

from cxpath.patient.clinical import Clinical, all_of, any_of


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
