import pytest

from cxpath.patient.hpv import P16, Hpv, HpvClass, derive_hpv


@pytest.mark.parametrize(
    ("hpv", "p16", "histology", "derived", "conflicts"),
    [
        ({"types": [16]}, None, None, HpvClass.ASSOCIATED, 0),
        ({"result": "negative"}, None, None, HpvClass.INDEPENDENT, 0),
        ({"types": [6]}, None, None, HpvClass.UNKNOWN, 0),
        ({}, "positive", "squamous", HpvClass.ASSOCIATED, 0),
        ({}, "positive", "gastric_type_adenocarcinoma", HpvClass.UNKNOWN, 1),
        ({"result": "negative"}, "positive", None, HpvClass.INDEPENDENT, 1),
        ({"types": [18]}, "negative", None, HpvClass.ASSOCIATED, 1),
        ({"types": [18]}, "positive", "gastric_type_adenocarcinoma", HpvClass.ASSOCIATED, 1),
        ({}, None, None, HpvClass.UNKNOWN, 0),
    ],
)
def test_the_class_its_rule_and_its_conflicts(
    hpv: dict[str, object], p16: str | None, histology: str | None, derived: HpvClass, conflicts: int
) -> None:
    found = derive_hpv(Hpv.model_validate(hpv), P16.model_validate({"result": p16}), histology)
    assert found.derived is derived
    assert len(found.conflicts) == conflicts
    assert found.rule


def test_p16_never_fills_in_for_a_direct_test() -> None:
    assert Hpv().direct is None
    assert "surrogate" in derive_hpv(Hpv(), P16.model_validate({"result": "positive"}), None).rule
