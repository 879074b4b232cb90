"""Scores and biomarkers as a FHIR bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from fhir.resources.R4B.bundle import Bundle

from cxpath import __version__
from cxpath.data import RESEARCH_USE, Settings, bundled, read_settings
from cxpath.documents import TherapyDocument
from cxpath.patient import (
    WORDING,
    BiomarkerProfile,
    Certainty,
    CriterionResult,
    Pdl1Score,
    ScoreKind,
    TherapyReview,
)

# The small editable map of codes; a concept that it does not contain gets a code of cxpath's own.


OWN_SYSTEM = "urn:cxpath:concept"


class Code(Settings):
    """One `[[code]]`."""

    concept: str
    system: str
    code: str
    certainty: Certainty
    note: str = ""


class CodesFile(Settings):
    """The content of `configs/fhir/codes.toml`."""

    code: tuple[Code, ...] = ()


def read_codes() -> Mapping[str, Code]:
    """Return the codes by concept.

    Raises
    ------
    ConfigurationError
        When the file cannot be used.
    """
    path = bundled("configs") / "fhir" / "codes.toml"
    return {one.concept: one for one in read_settings(CodesFile, path, "restore the file").code}


def concept(name: str, words: str, codes: Mapping[str, Code]) -> dict[str, Any]:
    """Return a CodeableConcept; its text is always there."""
    known = codes.get(name)
    coding = {"system": known.system, "code": known.code} if known else {"system": OWN_SYSTEM, "code": name}
    return {"coding": [coding], "text": words}


# A review as FHIR R4: a collection of a preliminary report, its observations and the device.
#
# Checked by fhir.resources, which ships R4B; only elements unchanged since R4 are used. No conformance to a
# profile is claimed. A criterion is an observation about cited text, and never a request for a medication.


STATUS = "preliminary"
_CATEGORY = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]
}
_UCUM = "http://unitsofmeasure.org"
Resource = dict[str, Any]


def fhir_bundle(review: TherapyReview, document: TherapyDocument) -> dict[str, Any]:
    """Return a Bundle of type collection.

    Parameters
    ----------
    review : TherapyReview
    document : TherapyDocument
        Of the same review: what the addresses inside the bundle follow from.
    """
    codes, seed, on = read_codes(), document.text(), document.provenance.reviewed_on

    def address(name: str) -> str:
        return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{seed}/{name}')}"

    case, specimen = review.profile.case, review.profile.specimen
    common = {
        "status": STATUS,
        "subject": _named(case) if case else {"display": "no pseudonym stated"},
        "effectiveDateTime": on.isoformat(),
    }
    tested = {"specimen": _named(specimen)} if specimen else {}
    observed = {
        name: {"resourceType": "Observation", "category": [_CATEGORY], **common, **tested, **content}
        for name, content in _biomarkers(review.profile, codes)
    }
    for name, content in observed.items():
        if name.startswith("pdl1"):
            content["device"] = {"reference": address("device")}
    implied = {
        f"criterion-{one.criterion.id}": {
            "resourceType": "Observation",
            **common,
            **_criterion(one, codes),
            **_derived_from(one, {name: address(name) for name in observed}),
        }
        for one in review.results
        if one.criterion.approval.can_be_met
    }
    report = {
        "resourceType": "DiagnosticReport",
        **common,
        "code": concept("therapy-criteria-report", "Therapy criteria for the tumour board", codes),
        "result": [{"reference": address(name)} for name in (*observed, *implied)],
        "conclusion": f"{RESEARCH_USE} {WORDING}",
    }
    entries = {"report": report, "device": _device(review.profile), **observed, **implied}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": address(name), "resource": content} for name, content in entries.items()],
    }
    Bundle.model_validate(bundle)  # a bundle that is none never leaves
    return bundle


def _named(pseudonym: str) -> Resource:
    """Return a reference by the laboratory's own free-form identifier, of no stated system."""
    return {"display": pseudonym, "identifier": {"value": pseudonym}}


def _device(profile: BiomarkerProfile) -> Resource:
    digests = sorted({score.model_digest for score in profile.pdl1 if score.model_digest})
    identifiers = [{"system": "urn:cxpath:model-sha256", "value": digest} for digest in digests]
    return {
        "resourceType": "Device",
        "deviceName": [{"name": "cxpath", "type": "user-friendly-name"}],
        "version": [{"value": __version__}],
        "note": [{"text": RESEARCH_USE}],
    } | ({"identifier": identifiers} if identifiers else {})


def _biomarkers(profile: BiomarkerProfile, codes: Mapping[str, Code]) -> Iterator[tuple[str, Resource]]:
    for number, score in enumerate(profile.pdl1, start=1):
        yield f"pdl1-{number}", _pdl1(score, codes)
    tmb, msi, her2 = profile.tmb, profile.msi, profile.her2
    if tmb.value is not None:
        yield (
            "tmb",
            {
                "code": concept("tmb", "Tumour mutational burden", codes),
                "valueQuantity": {"value": tmb.value, "unit": "mutations per megabase"},
                "method": {"text": tmb.assay or "assay not stated"},
            },
        )
    if msi.msi is not None:
        yield "msi", _worded("msi", "Microsatellite instability", msi.msi.value, codes)
    if msi.mmr is not None:
        yield "mmr", _worded("mmr", "Mismatch repair, immunohistochemistry", msi.mmr.value, codes)
    if her2.ihc is not None:
        graded = f"{her2.scoring or 'unstated'} criteria, {her2.specimen or 'specimen not stated'}"
        said = _worded("her2-ihc", "HER2, immunohistochemistry", her2.ihc.value, codes)
        yield "her2", said | {"method": {"text": graded}}
    yield from _hpv(profile, codes)
    for name, expression in (("egfr", profile.egfr), ("vegf", profile.vegf)):
        if expression.h_score is not None:
            yield (
                name,
                {
                    "code": concept(f"{name}-h-score", f"{name.upper()} H-score", codes),
                    "valueQuantity": {"value": expression.h_score, "unit": "H-score, 0 to 300"},
                },
            )
    for name in ("ntrk_fusion", "ntrk_resistance_mutation", "ret_fusion", "braf_v600e"):
        if (state := getattr(profile.alterations, name)) is not None:
            yield name, _worded(name.replace("_", "-"), name.replace("_", " "), state.value, codes)


def _hpv(profile: BiomarkerProfile, codes: Mapping[str, Code]) -> Iterator[tuple[str, Resource]]:
    """Yield the direct test and p16 apart; coded types only where DNA was amplified, as the codes say."""
    if profile.hpv.types or profile.hpv.result is not None:
        types = ", ".join(f"HPV{kind}" for kind in profile.hpv.types)
        yield "hpv", _worded("hpv", "HPV, direct test", types or str(profile.hpv.result), codes)
    if profile.hpv.method == "dna_pcr":
        for kind in sorted({16, 18} & set(profile.hpv.types)):
            yield f"hpv{kind}", _worded(f"hpv{kind}-dna", f"HPV{kind} DNA", "detected", codes)
    if profile.p16.result is not None:
        yield "p16", _worded("p16", "p16, immunohistochemistry", profile.p16.result.value, codes)


_PDL1_NAMES = {
    ScoreKind.CPS: ("PD-L1 combined positive score", "pdl1-cps"),
    ScoreKind.TPS: ("PD-L1 tumour proportion score", "pdl1-tps"),
    ScoreKind.NOT_STATED: ("PD-L1 score, which one is not stated", "pdl1-score-not-stated"),
}


def _pdl1(score: Pdl1Score, codes: Mapping[str, Code]) -> Resource:
    name, code = _PDL1_NAMES[score.score]
    is_share = score.score is ScoreKind.TPS
    unit = {"unit": "%", "code": "%"} if is_share else {"unit": "1", "code": "1"}
    value: Resource
    if score.value is not None:
        value = {"valueQuantity": {"value": score.value, "system": _UCUM, **unit}}
    elif score.below is not None:
        value = {"valueQuantity": {"value": score.below, "comparator": "<", "system": _UCUM, **unit}}
    else:
        value = {"dataAbsentReason": {"text": "; ".join(score.not_evaluable_because) or "not stated"}}
    method = {
        "code": concept("pdl1-scoring-method", "PD-L1 scoring method", codes),
        "valueString": score.name,
    }
    return {
        "code": concept(code, name, codes),
        "method": {"text": score.assay.upper() if score.assay else "assay not stated"},
        "component": [method, *_basis(score, codes)],
        "note": [{"text": score.words}],
        **value,
    }


def _basis(score: Pdl1Score, codes: Mapping[str, Code]) -> list[Resource]:
    """Return whose cells a score of cxpath counts: the network's, edited ones, or an audit's answers."""
    if score.basis is None:
        return []
    return [{"code": concept("pdl1-basis", "Whose cells were counted", codes), "valueString": score.basis}]


def _worded(name: str, words: str, value: str, codes: Mapping[str, Code]) -> Resource:
    return {"code": concept(name, words, codes), "valueCodeableConcept": {"text": value}}


def _criterion(result: CriterionResult, codes: Mapping[str, Code]) -> Resource:
    criterion = result.criterion
    verdict = "criteria met, needs confirmation" if result.verdict == "met" else result.verdict.words
    stated = {
        "regimen": criterion.regimen,
        "jurisdiction": criterion.jurisdiction,
        "approval": criterion.approval.value,
        "source": criterion.source,
        "as-of": criterion.as_of.isoformat(),
        "certainty": criterion.certainty.value,
        "wording-read-in-full": "yes" if criterion.verified else "no",
    }
    parts = [
        {"code": concept(name, name.replace("-", " "), codes), "valueString": value}
        for name, value in stated.items()
    ]
    reasons = [*result.not_met_because, *result.missing]
    return {
        "code": concept("therapy-criterion", f"Therapy criterion: {criterion.agent}", codes),
        "valueCodeableConcept": {"text": verdict},
        "component": parts,
    } | ({"note": [{"text": reason} for reason in reasons]} if reasons else {})


def _derived_from(result: CriterionResult, addresses: Mapping[str, str]) -> Resource:
    """Point to the observations that the criterion's biomarkers are."""
    asked = {clause.fact for clause in result.criterion.biomarker}
    kinds = {fact.split(".")[0] for fact in asked} | {fact.split(".")[1] for fact in asked}
    found = [address for name, address in addresses.items() if name.split("-")[0] in kinds]
    return {"derivedFrom": [{"reference": address} for address in found]} if found else {}
