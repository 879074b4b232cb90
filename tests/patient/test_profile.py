import re
import tomllib

import pytest

from cxpath.app.therapy_files import template
from cxpath.errors import ProfileError
from cxpath.patient.profile import BiomarkerProfile, profile_from


def test_nothing_stated_is_nothing_known() -> None:
    profile = profile_from({})
    assert profile.tmb.value is None
    assert profile.her2.ihc is None
    assert profile.clinical.therapies is None
    assert profile.clinical.prior_definitive_therapy is None


def test_unknown_says_the_same_as_leaving_out() -> None:
    stated = {"tmb": {"value": "unknown"}, "clinical": {"histology": "unknown", "therapies": "unknown"}}
    assert profile_from(stated) == BiomarkerProfile()


def test_an_empty_list_of_therapies_is_known_and_differs_from_an_unknown_one() -> None:
    assert profile_from({"clinical": {"therapies": []}}).clinical.metastatic_lines == 0


@pytest.mark.parametrize(
    ("stated", "where"),
    [
        ({"tmb": {"value": -1}}, "tmb.value"),
        ({"hpv": {"result": "maybe"}}, "hpv.result"),
        ({"clinical": {"therapies": [{"agents": ["cisplatin"]}]}}, "clinical.therapies.0.purpose"),
        ({"clinical": {"stage": {"stage": "V"}}}, "clinical.stage.stage"),
        ({"her2": {"grade": "3+"}}, "her2.grade"),
        ({"pdl1": [{"value": 101}]}, "pdl1.0.value"),
        ({"pdl1": [{"interval": [9, 4]}]}, "pdl1.0.interval"),
        ({"tmb": {"value": 7, "interval": [9, 4]}}, "tmb.interval"),
        ({"her2": {"h_score": 301}}, "her2.h_score"),
        ({"egfr": {"h_score": -1}}, "egfr.h_score"),
        ({"tumour": "lung"}, "tumour"),
        ({"hpv": {"result": "negative", "types": [16]}}, "hpv"),
        ({"clinical": {"stage": {"edition": "FIGO 2014", "stage": "IIIC1"}}}, "clinical.stage"),
    ],
)
def test_an_error_names_the_file_and_the_path_of_the_field(stated: dict[str, object], where: str) -> None:
    with pytest.raises(ProfileError, match=rf"^case.toml: {re.escape(where)}: ") as caught:
        profile_from(stated, "case.toml")
    assert "cxpath therapy init" in caught.value.hint


def test_names_compare_however_they_were_typed() -> None:
    stated = {
        "tmb": {"value": 9, "assay": " F1CDx "},
        "her2": {"scoring": "Gastric"},
        "pdl1": [{"assay": "22C3"}],
    }
    profile = profile_from(stated)
    assert (profile.tmb.assay, profile.her2.scoring, profile.pdl1[0].assay) == ("f1cdx", "gastric", "22c3")
    assert profile_from({"tmb": {"assay": "  "}}).tmb.assay is None


def test_the_template_knows_nothing_and_its_examples_are_all_valid() -> None:
    assert profile_from(tomllib.loads(template())) == BiomarkerProfile()
    lines = template().splitlines()[6:]
    is_example = re.compile(r"^# (?=(\[+[a-z0-9_.]+\]+|[a-z0-9_]+ = ))")
    full = profile_from(tomllib.loads("\n".join(is_example.sub("", line) for line in lines)))
    for part in BiomarkerProfile.model_fields:
        assert getattr(full, part) != getattr(BiomarkerProfile(), part) or part in {"schema_name", "tumour"}
    assert all(value is not None for value in full.comorbidities.model_dump().values())


def test_conflicts_are_named() -> None:
    stated = {
        "msi": {"msi": "msi-h", "mmr": "proficient"},
        "hpv": {"result": "negative"},
        "p16": {"result": "positive"},
        "clinical": {
            "prior_pelvic_radiotherapy": False,
            "therapies": [{"purpose": "chemoradiation"}],
        },
    }
    words = " | ".join(profile_from(stated).conflicts)
    assert "direct HPV test is negative, p16 is positive" in words
    assert "disagree" in words
    assert "chemoradiation is in the history" in words
