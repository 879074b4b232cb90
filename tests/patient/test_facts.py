"""Facts that criteria ask for: known, or unknown with what would settle it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cxpath.patient.criteria import Clause, Found
from cxpath.patient.facts import FACTS, PDL1_FACTS, find_pdl1
from cxpath.patient.profile import BiomarkerProfile, Comorbidities, profile_from
from tests.patient.patients import PDL1, Fields


def clause(fact: str, op: str = "is", value: Any = True, **others: Any) -> Clause:
    return Clause(fact=fact, op=op, value=value, **others)


def found(fact: str, profile: Fields, **of_clause: Any) -> Found:
    return FACTS[fact].read(profile_from(profile), clause(fact, **of_clause))


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_nothing_is_known_of_an_empty_profile_and_each_fact_says_what_would_settle_it(fact: str) -> None:
    read = FACTS[fact].read(BiomarkerProfile(), clause(fact))
    assert read.value is None
    assert read.words == "unknown"
    assert read.settle
    assert FACTS[fact].label


def test_every_comorbidity_is_a_fact_with_a_readable_name() -> None:
    names = {name.removeprefix("comorbidities.") for name in FACTS if name.startswith("comorbidities.")}
    assert names == set(Comorbidities.model_fields)
    assert FACTS["comorbidities.lvef_reduced"].label == "LVEF reduced"
    assert FACTS["comorbidities.qtc_prolonged"].label == "QTc prolonged"
    assert FACTS["comorbidities.steroids_mg_per_day"].label == "steroids (mg a day)"


@pytest.mark.parametrize(
    ("profile", "fact", "value", "words"),
    [
        ({"clinical": {"age_years": 50}}, "clinical.age_years", 50, "50"),
        ({"comorbidities": {"pregnancy": False}}, "comorbidities.pregnancy", False, "no"),
        ({"alterations": {"ret_fusion": "present"}}, "alterations.ret_fusion", True, "yes"),
        ({"alterations": {"ret_fusion": "absent"}}, "alterations.ret_fusion", False, "no"),
        ({"msi": {"msi": "msi-h"}}, "msi.high", True, "yes"),
        ({"msi": {"mmr": "proficient"}}, "msi.mmr_deficient", False, "no"),
        ({"msi": {"fda_approved_test": True}}, "msi.fda_approved_test", True, "yes"),
    ],
)
def test_what_is_stated_is_known(profile: Fields, fact: str, value: object, words: str) -> None:
    read = found(fact, profile)
    assert (read.value, read.words, read.settle) == (value, words, "")


@pytest.mark.parametrize(
    ("msi", "value"),
    [
        ({"msi": "msi-h"}, True),
        ({"mmr": "deficient"}, True),
        ({"msi": "msi-h", "mmr": "proficient"}, True),
        ({"msi": "mss", "mmr": "proficient"}, False),
        ({"msi": "mss"}, None),
        ({"mmr": "proficient"}, None),
    ],
)
def test_either_of_two_tests_is_enough_and_both_must_deny(msi: Mapping[str, str], value: bool | None) -> None:
    assert found("msi.high_or_mmr_deficient", {"msi": dict(msi)}).value is value


def test_a_test_that_is_not_approved_leaves_the_fact_open() -> None:
    read = found("msi.fda_approved_test", {"msi": {"fda_approved_test": False}})
    assert (read.value, read.words) == (None, "no")
    assert read.settle == "MSI or mismatch repair by an FDA-approved test"


STAGE = {"edition": "FIGO 2014", "stage": "IIIB"}


def stage(stated: Mapping[str, str], edition: str | None = "FIGO 2014") -> Found:
    return found(
        "clinical.stage", {"clinical": {"stage": dict(stated)}}, op="in", value=("IIIB",), edition=edition
    )


def test_a_stage_counts_by_the_edition_that_the_trial_used() -> None:
    assert stage(STAGE) == Found("IIIB", "IIIB (FIGO 2014)")
    assert stage(STAGE, None).value == "IIIB"
    other = stage(STAGE | {"edition": "FIGO 2018"})
    assert (other.value, other.words) == (None, "IIIB (FIGO 2018); no edition is mapped to another")
    assert other.settle == "the stage by FIGO 2014, as the trial used it"
    assert "edition not stated" in stage({"stage": "IIIB"}).words


def test_stage_iv_without_a_letter_is_not_enough() -> None:
    read = stage({"edition": "FIGO 2014", "stage": "IV"})
    assert (read.value, read.settle) == (None, "whether the stage is IVA or IVB")


def setting(clinical: Fields, *wanted: str) -> Found:
    return found("clinical.setting", {"clinical": clinical}, op="in", value=wanted)


def test_recurrent_disease_may_be_metastatic_as_long_as_nobody_says() -> None:
    assert setting({"setting": "recurrent"}, "recurrent", "metastatic").value == "recurrent"
    read = setting({"setting": "recurrent"}, "metastatic")
    assert (read.value, read.words) == (None, "recurrent; whether it is metastatic is unknown")
    assert setting({"setting": "metastatic"}, "metastatic").value == "metastatic"


def test_a_result_counts_only_by_the_assays_that_the_clause_names() -> None:
    by_f1 = {"value": 12.0, "assay": "f1cdx"}
    asks: dict[str, Any] = {"op": ">=", "value": 10, "assay": ("f1cdx",)}
    assert found("tmb.value", {"tmb": by_f1}, **asks) == Found(12.0, "12 by F1CDx")
    other = found("tmb.value", {"tmb": by_f1 | {"assay": "tso500"}}, **asks)
    assert (other.value, other.words) == (None, "12 by TSO500; only F1CDx counts here")
    assert other.settle == "tumour mutational burden by F1CDx"
    assert "an assay that is not stated" in found("tmb.value", {"tmb": {"value": 12.0}}, **asks).words


def test_a_her2_grade_needs_its_specimen_because_thresholds_differ() -> None:
    asks: dict[str, Any] = {"op": "in", "value": ("3+",), "assay": ("gastric",)}
    graded = {"ihc": "3+", "scoring": "gastric"}
    assert "biopsy or resection is not stated" in found("her2.ihc", {"her2": graded}, **asks).words
    read = found("her2.ihc", {"her2": graded | {"specimen": "biopsy"}}, **asks)
    assert (read.value, read.words) == ("3+", "3+ by gastric criteria, biopsy")
    breast = found("her2.ihc", {"her2": graded | {"scoring": "breast", "specimen": "biopsy"}}, **asks)
    assert breast.value is None


# PD-L1: a confirmed score by the right assay, clear of the cut-off.


def pdl1(*scores: Fields, cutoff: float = 1, kind: str = "cps", assay: tuple[str, ...] = ("22c3",)) -> Found:
    asked = clause(f"pdl1.{kind}", ">=", cutoff, assay=assay)
    return find_pdl1(profile_from({"pdl1": [PDL1 | one for one in scores]}), asked)


def test_a_confirmed_score_far_from_the_cutoff_counts() -> None:
    read = pdl1({})
    assert (read.value, read.compared, read.settle) == (20.0, 20.0, "")
    assert read.words == "CPS 20 by 22C3, confirmed by Dr A, 2026-11-20"


def test_only_the_score_that_is_asked_for_is_looked_at() -> None:
    assert set(PDL1_FACTS.values()) == {"CPS", "TPS"}
    read = pdl1({}, kind="tps")
    assert (read.value, read.settle) == (None, "TPS by 22C3, confirmed by a pathologist")
    assert pdl1({"score": "tps"}, kind="tps").value == 20.0


@pytest.mark.parametrize(
    ("change", "why", "settle"),
    [
        ({"assay": None}, "its assay is not stated", "which assay stained the slide"),
        ({"assay": "sp142"}, "only 22C3 counts here", "CPS by 22C3, confirmed by a pathologist"),
        (
            {"not_evaluable_because": ("no tissue",)},
            "not evaluable: no tissue",
            "CPS by 22C3 on another block",
        ),
        ({"value": None}, "no value is stated", "the CPS as read"),
        ({"value": "<10"}, "<10 does not say on which side it lies", "the CPS as a number"),
        ({"viable_tumour_cells": 99}, "only 99 viable tumour cells, 100 are required", "on another block"),
        (
            {"confirmed_by": None, "confirmed_on": None},
            "no person has confirmed it",
            "confirmation of this CPS",
        ),
        ({"value": 1.0}, "near the cut-off: the counting interval", "a second read near the cut-off"),
        ({"near_cutoff": True}, "the reader calls it near 1", "a second read near the cut-off"),
        ({"borderline_at": (1.0,)}, "cxpath leaves 1 uncertain", "a second read near the cut-off"),
        ({"value": 3.0, "interval": (0.5, 9.0)}, "its interval 0.50 to 9.00 contains 1", "a second read"),
    ],
)
def test_every_doubt_leaves_the_score_open_and_says_what_would_settle_it(
    change: Fields, why: str, settle: str
) -> None:
    read = pdl1(change)
    assert read.value is None
    assert why in read.words
    assert settle in read.settle


def test_the_readers_own_word_and_what_cxpath_decides_win_over_counting() -> None:
    assert pdl1({"value": 1.0, "near_cutoff": False}).value == 1.0
    assert pdl1({"value": 1.0, "clear_at": (1.0,)}).value == 1.0


def test_a_score_known_only_as_below_the_cutoff_is_compared_as_below_it() -> None:
    read = pdl1({"value": "<1", "near_cutoff": False})
    assert read.value == "<1"
    assert read.compared is not None
    assert 0.999 < read.compared < 1.0


def test_of_several_scores_a_doubted_one_is_silent_and_clear_ones_must_agree() -> None:
    assert pdl1({}, {"assay": "sp142", "value": 0.0}).value == 20.0
    assert pdl1({}, {"value": 30.0}).value == 20.0
    against = pdl1({}, {"value": 0.0, "near_cutoff": False})
    assert (against.value, against.settle) == (None, "which of the scores applies to the case")
    assert against.words.endswith("these disagree")


def test_a_score_near_the_cutoff_speaks_against_a_clear_one() -> None:
    assert pdl1({}, {"value": 1.0}).value is None


def test_of_doubted_scores_the_one_nearest_to_counting_is_explained() -> None:
    read = pdl1({"assay": "sp142", "confirmed_by": None, "confirmed_on": None}, {"viable_tumour_cells": 50})
    assert "only 50 viable tumour cells" in read.words
    assert "SP142" not in read.words
