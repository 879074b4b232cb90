"""A profile in rows: what is known, by which test, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cxpath.biomarkers.clinical import Clinical, Therapy
from cxpath.biomarkers.molecular import Expression
from cxpath.biomarkers.pdl1 import Pdl1Score, ScoreOrigin
from cxpath.biomarkers.profile import BiomarkerProfile

UNKNOWN = "unknown"
_METHODS = {"dna_pcr": "DNA by PCR", "rna": "RNA", "ish": "in-situ hybridisation"}


@dataclass(frozen=True)
class ProfileRow:
    """One line of the profile.

    Parameters
    ----------
    name, value : str
    source : str
        The test, the assay, who confirmed it.
    """

    name: str
    value: str
    source: str = ""

    @property
    def known(self) -> bool:
        """Whether anything is known."""
        return self.value != UNKNOWN


def profile_rows(profile: BiomarkerProfile) -> list[ProfileRow]:
    """Return the rows, biomarkers first."""
    return [*_pdl1(profile), *_others(profile), *_clinical(profile.clinical)]


def _pdl1(profile: BiomarkerProfile) -> Iterator[ProfileRow]:
    if not profile.pdl1:
        yield ProfileRow("PD-L1", UNKNOWN)
    for score in profile.pdl1:
        yield ProfileRow(f"PD-L1 {score.score.upper()}", _score(score), _score_source(score))


def _score(score: Pdl1Score) -> str:
    if score.not_evaluable_because:
        return "not evaluable"
    if score.value is None:
        return f"<{score.below:g}" if score.below is not None else UNKNOWN
    interval = (
        f" (95 % interval {score.interval[0]:.2f} to {score.interval[1]:.2f})" if score.interval else ""
    )
    return f"{score.value:.4g}{interval}"


def _score_source(score: Pdl1Score) -> str:
    by = score.assay.upper() if score.assay else "assay not stated"
    origin = {ScoreOrigin.CXPATH: "image score by cxpath", ScoreOrigin.READER: "read by eye"}
    made = origin[score.origin] if score.origin else "origin not stated"
    who = f"confirmed by {score.confirmed_by}, {score.confirmed_on}" if score.confirmed else "not confirmed"
    return f"{by}; {made}; {who}"


def _others(profile: BiomarkerProfile) -> Iterator[ProfileRow]:
    hpv, tmb, msi, her2 = profile.hpv, profile.tmb, profile.msi, profile.her2
    types = ", ".join(f"HPV{kind}" for kind in hpv.types)
    found = types or (hpv.result.value if hpv.result else UNKNOWN)
    yield ProfileRow("HPV, direct test", found, _METHODS.get(hpv.method or "", ""))
    yield ProfileRow("p16", profile.p16.result or UNKNOWN, "a surrogate of HPV" if profile.p16.result else "")
    yield ProfileRow("HPV class", profile.hpv_class.derived.value, profile.hpv_class.rule)
    yield ProfileRow("TMB (mutations per Mb)", _number(tmb.value), _tmb_source(profile))
    yield ProfileRow(
        "Microsatellites", (msi.msi or UNKNOWN).upper() if msi.msi else UNKNOWN, _approved(profile)
    )
    yield ProfileRow("Mismatch repair", msi.mmr or UNKNOWN, _approved(profile) if msi.mmr else "")
    graded = f"graded by {her2.scoring or 'unstated'} criteria, {her2.specimen or 'specimen not stated'}"
    yield ProfileRow("HER2 immunohistochemistry", her2.ihc or UNKNOWN, graded if her2.ihc else "")
    if her2.h_score is not None:
        yield ProfileRow("HER2 H-score", f"{her2.h_score:g}", "is no grade")
    for name, expression in (("EGFR", profile.egfr), ("VEGF", profile.vegf)):
        yield ProfileRow(f"{name} expression", _expression(expression), expression.method or "")
    method = profile.alterations.method or ""
    for label, state in (
        ("NTRK fusion", profile.alterations.ntrk_fusion),
        ("NTRK resistance mutation", profile.alterations.ntrk_resistance_mutation),
        ("RET fusion", profile.alterations.ret_fusion),
        ("BRAF V600E", profile.alterations.braf_v600e),
    ):
        yield ProfileRow(label, state or UNKNOWN, method if state else "")


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:g}"


def _tmb_source(profile: BiomarkerProfile) -> str:
    tmb = profile.tmb
    if tmb.value is None:
        return ""
    parts = [tmb.assay.upper().replace("_LIKE", "-like") if tmb.assay else "assay not stated"]
    if tmb.interval:
        parts.append(f"95 % interval {tmb.interval[0]:g} to {tmb.interval[1]:g}")
    if tmb.megabases:
        parts.append(f"{tmb.megabases:g} Mb")
    return "; ".join(parts)


def _approved(profile: BiomarkerProfile) -> str:
    words = {True: "FDA-approved test", False: "test not FDA-approved", None: ""}
    return words[profile.msi.fda_approved_test]


def _expression(expression: Expression) -> str:
    parts = []
    if expression.h_score is not None:
        parts.append(f"H-score {expression.h_score:g}")
    if expression.percent is not None:
        parts.append(f"{expression.percent:g} %")
    return ", ".join(parts) or UNKNOWN


def _clinical(clinical: Clinical) -> Iterator[ProfileRow]:
    stage = clinical.stage
    yield ProfileRow("Histology", _words(clinical.histology))
    yield ProfileRow(
        "Stage", stage.stage or UNKNOWN, stage.edition or ("edition not stated" if stage.stage else "")
    )
    yield ProfileRow("Setting", _words(clinical.setting))
    yield ProfileRow("Age (years)", _number(clinical.age_years))
    if clinical.therapies is None:
        yield ProfileRow("Earlier therapies", UNKNOWN)
    elif not clinical.therapies:
        yield ProfileRow("Earlier therapies", "none")
    for number, therapy in enumerate(clinical.therapies or (), start=1):
        yield ProfileRow(f"Earlier therapy {number}", _words(therapy.purpose), _therapy(therapy))
    if clinical.metastatic_lines is not None:
        yield ProfileRow("Lines for recurrent or metastatic disease", str(clinical.metastatic_lines))


def _therapy(therapy: Therapy) -> str:
    outcome = {True: "progressed", False: "no progression", None: "progression unknown"}
    return "; ".join([", ".join(therapy.agents) or "agents not stated", outcome[therapy.progressed]])


def _words(value: str | None) -> str:
    return value.replace("_", " ") if value else UNKNOWN
