"""Ten thousand generated profiles: never an exception, never *met* on an unknown fact, and monotone."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from cxpath.patient.criteria import Criterion, Verdict
from cxpath.patient.profile import profile_from
from cxpath.patient.review import evaluate_criterion
from tests.patient.patients import Fields, criteria

PROFILES = 10_000
UNKNOWN = 0.25
"""Share of facts left unknown."""

Draw = Callable[[random.Random], Any]


def one_of(*values: Any) -> Draw:
    return lambda rng: rng.choice(values)


def _therapies(rng: random.Random) -> list[Fields]:
    agents = ("cisplatin", "paclitaxel", "pembrolizumab", "topotecan", "larotrectinib", "a trial drug")
    purposes = ("chemoradiation", "surgery", "adjuvant", "recurrent_or_metastatic", "recurrent_or_metastatic")
    return [
        {
            "purpose": rng.choice(purposes),
            "agents": rng.sample(agents, rng.randint(0, 2)),
            "chemotherapy": rng.choice((True, False, "unknown")),
            "progressed": rng.choice((True, True, False, "unknown")),
        }
        for _ in range(rng.randint(0, 3))
    ]


FACTS: Mapping[str, Draw] = {
    "pdl1.score": one_of("cps", "cps", "cps", "tps"),
    "pdl1.assay": one_of("22c3", "22c3", "sp263"),
    "pdl1.value": one_of(0.0, 0.4, 1.0, 1.2, 3.0, 20.0, 100.0, "<1"),
    "pdl1.origin": one_of("cxpath", "reader"),
    "pdl1.near_cutoff": one_of(True, False, False),
    "pdl1.viable_tumour_cells": one_of(40, 150, 3000, 50_000),
    "pdl1.confirmed_by": one_of("Dr A"),
    "pdl1.confirmed_on": one_of("2026-11-20"),
    "hpv.types": one_of([16], [6], [18, 45]),
    "p16.result": one_of("positive", "negative"),
    "tmb.value": one_of(0.0, 3.1, 9.9, 10.0, 44.0),
    "tmb.assay": one_of("f1cdx", "msk-impact", "f1cdx_like"),
    "msi.msi": one_of("msi-h", "mss"),
    "msi.mmr": one_of("deficient", "proficient"),
    "msi.fda_approved_test": one_of(True, False),
    "her2.ihc": one_of("0", "1+", "2+", "3+", "3+"),
    "her2.specimen": one_of("biopsy", "resection"),
    "her2.scoring": one_of("gastric", "gastric", "endometrial"),
    "egfr.h_score": one_of(0, 290),
    "alterations.ntrk_fusion": one_of("present", "absent"),
    "alterations.ntrk_resistance_mutation": one_of("present", "absent"),
    "alterations.ret_fusion": one_of("present", "absent"),
    "alterations.braf_v600e": one_of("present", "absent"),
    "clinical.age_years": one_of(0.05, 1, 11, 40, 80),
    "clinical.histology": one_of("squamous", "adenocarcinoma", "squamous", "small_cell"),
    "clinical.stage.edition": one_of("FIGO 2014", "FIGO 2018"),
    "clinical.stage.stage": one_of("IB1", "IIB", "IIIB", "IVA", "IV"),
    "clinical.setting": one_of("early", "locally_advanced", "persistent", "recurrent", "metastatic"),
    "clinical.unresectable": one_of(True, False),
    "clinical.resection_severely_morbid": one_of(True, False),
    "clinical.platinum_unsuitable": one_of(True, False),
    "clinical.no_satisfactory_alternative": one_of(True, False),
    "clinical.therapies": _therapies,
}

EVIDENCE_AGAINST = {"pdl1.near_cutoff", "pdl1.viable_tumour_cells", "pdl1.value", "clinical.therapies"}
"""What may speak against deciding on a score that stands: the exclusions of a CPS clause. Earlier therapies
may contradict the setting."""


def _nested(flat: Mapping[str, Any]) -> Fields:
    fields: Fields = {}
    for path, value in flat.items():
        table = fields
        *parents, last = path.split(".")
        for key in parents:
            table = table.setdefault(key, {})
        table[last] = deepcopy(value)
    if "pdl1" in fields:
        fields["pdl1"] = [fields["pdl1"]]
    return fields


def _drawn(rng: random.Random) -> dict[str, Any]:
    """Draw facts; the extent only where neither setting nor resectability could contradict it."""
    drawn = {path: draw(rng) for path, draw in FACTS.items() if rng.random() > UNKNOWN}
    unbound = drawn.get("clinical.setting", "recurrent") in {"persistent", "recurrent"}
    if unbound and not drawn.get("clinical.unresectable") and rng.random() > UNKNOWN:
        drawn["clinical.extent"] = rng.choice(("resectable", "locally_advanced", "metastatic"))
    return drawn


def _evaluate(flat: Mapping[str, Any], able: list[Criterion]) -> dict[str, Verdict]:
    profile = profile_from(_nested(flat))
    verdicts = {}
    for criterion in able:
        result = evaluate_criterion(profile, criterion, {})
        if result.verdict is Verdict.MET:
            assert all(one.found.value is not None for one in result.clauses), (criterion.id, flat)
            assert criterion.verified, (criterion.id, flat)
        if result.verdict is Verdict.INDETERMINATE:
            assert result.missing, (criterion.id, flat)
        verdicts[criterion.id] = result.verdict
    return verdicts


@pytest.mark.slow
def test_ten_thousand_profiles() -> None:
    rng = random.Random(20261125)
    able = [one for one in criteria().criteria if one.approval.can_be_met]
    seen = {(one.id, verdict): 0 for one in able for verdict in Verdict}
    for _ in range(PROFILES):
        flat = _drawn(rng)
        full = _evaluate(flat, able)
        for item in full.items():
            seen[item] += 1
        if not flat:
            continue
        added = rng.choice(list(flat))
        before = _evaluate({path: value for path, value in flat.items() if path != added}, able)
        for name, verdict in before.items():
            if verdict is Verdict.MET and full[name] is Verdict.INDETERMINATE:
                assert added in EVIDENCE_AGAINST, (name, added, flat)
    never = {item for item, times in seen.items() if times == 0}
    assert never == {(one.id, Verdict.MET) for one in able if not one.verified}


@pytest.mark.slow
def test_taking_a_fact_away_never_makes_a_criterion_met_that_was_not() -> None:
    """Less knowledge decides less: without a fact, a verdict may become indeterminate, and never firmer."""
    rng = random.Random(7)
    able = [one for one in criteria().criteria if one.approval.can_be_met]
    for _ in range(1000):
        flat = _drawn(rng)
        full = _evaluate(flat, able)
        for gone in rng.sample(list(flat), min(3, len(flat))):
            less = _evaluate({path: value for path, value in flat.items() if path != gone}, able)
            risen = [n for n, v in less.items() if v is Verdict.MET and full[n] is not Verdict.MET]
            assert not risen or gone in EVIDENCE_AGAINST, (gone, risen, flat)
