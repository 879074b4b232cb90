"""Facts about a patient that clauses ask for, with three-valued answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cxpath.patient.clinical import IMMUNE_CHECKPOINT, NTRK_INHIBITORS, PACLITAXEL, any_of
from cxpath.patient.criteria import Clause, Found, Scalar, by_words, in_words, unknown
from cxpath.patient.profile import (
    REQUIRED_TUMOUR_CELLS,
    BiomarkerProfile,
    Comorbidities,
    Finding,
    MmrStatus,
    MsiStatus,
    Pdl1Score,
    ScoreKind,
)

# Every fact that a criterion may ask for, by name: its words, and what would settle it where it is unknown.
#
# A result by another assay, scoring system or staging edition leaves the fact unknown; nothing is mapped.
# PD-L1 has rules of its own, in `pdl1_fact`.


Look = Callable[[BiomarkerProfile], Scalar | None]
Read = Callable[[BiomarkerProfile, Clause], Found]


@dataclass(frozen=True)
class Fact:
    """A fact by name.

    Parameters
    ----------
    label : str
        As shown.
    settle : str
        What would make it known.
    read : callable
        Looks it up in a profile, for a clause.
    """

    label: str
    settle: str
    read: Read


def _plain(label: str, settle: str, look: Look) -> Fact:
    def read(profile: BiomarkerProfile, clause: Clause) -> Found:
        value = look(profile)
        return unknown("unknown", settle) if value is None else Found(value, in_words(value))

    return Fact(label, settle, read)


def _finding(label: str, name: str) -> Fact:
    def look(profile: BiomarkerProfile) -> Scalar | None:
        state = getattr(profile.alterations, name)
        return None if state is None else state is Finding.PRESENT

    return _plain(label, f"{label}: a test that can find it (RNA or DNA sequencing)", look)


def _comorbidity(name: str) -> Fact:
    label = name.replace("mg_per_day", "(mg a day)").replace("_", " ").replace("lvef", "LVEF")
    label = label.replace("qtc", "QTc")
    return _plain(label, f"ask for or measure: {label}", lambda profile: getattr(profile.comorbidities, name))


def _stage(profile: BiomarkerProfile, clause: Clause) -> Found:
    stage, settle = profile.clinical.stage, f"the stage by {clause.edition}, as the trial used it"
    if stage.stage is None:
        return unknown("unknown", settle)
    words = f"{stage.stage} ({stage.edition or 'edition not stated'})"
    if clause.edition and stage.edition != clause.edition:
        return unknown(f"{words}; no edition is mapped to another", settle)
    if stage.stage == "IV":
        return unknown(f"{words}: IVA or IVB", "whether the stage is IVA or IVB")
    return Found(stage.stage, words)


def _setting(profile: BiomarkerProfile, clause: Clause) -> Found:
    """Look at the setting: disease of metastatic extent is metastatic, and persistent disease may be."""
    setting = profile.clinical.current_setting
    if setting is None:
        return unknown("unknown", FACTS["clinical.setting"].settle)
    may_be_metastatic = profile.clinical.metastatic is None and not clause.is_met_by(setting)
    if may_be_metastatic and clause.is_met_by("metastatic"):
        return unknown(f"{in_words(setting)}; whether it is metastatic is unknown", _EXTENT)
    return Found(setting, in_words(setting))


def _by_assay(value: Scalar | None, by: str | None, clause: Clause, what: str) -> Found:
    """Look at a result that counts only by the clause's assays."""
    wanted = " or ".join(map(by_words, clause.assay))
    settle = f"{what} by {wanted}" if wanted else what
    if value is None:
        return unknown("unknown", settle)
    words = f"{in_words(value)} by {by_words(by) if by else 'an assay that is not stated'}"
    if clause.assay and by not in clause.assay:
        return unknown(f"{words}; only {wanted} counts here", settle)
    return Found(value, words)


def _tmb(profile: BiomarkerProfile, clause: Clause) -> Found:
    return _by_assay(profile.tmb.value, profile.tmb.assay, clause, "tumour mutational burden")


def _her2(profile: BiomarkerProfile, clause: Clause) -> Found:
    her2 = profile.her2
    found = _by_assay(her2.ihc, her2.scoring, clause, "HER2 immunohistochemistry graded")
    if found.value is not None and her2.specimen is None:
        return unknown(
            f"{found.words}; biopsy or resection is not stated",
            "whether HER2 was graded on a biopsy or a resection: the thresholds differ",
        )
    return found if found.value is None else Found(found.value, f"{found.words}, {her2.specimen}")


def _msi_or_mmr(profile: BiomarkerProfile) -> Scalar | None:
    msi, mmr = profile.msi.msi, profile.msi.mmr
    high = None if msi is None else msi is MsiStatus.HIGH
    deficient = None if mmr is None else mmr is MmrStatus.DEFICIENT
    return any_of((high, deficient))


def _mmr(profile: BiomarkerProfile) -> Scalar | None:
    return None if profile.msi.mmr is None else profile.msi.mmr is MmrStatus.DEFICIENT


_HISTORY = "the complete list of earlier therapies with their agents"
_EXTENT = "whether the disease is resectable, locally advanced or metastatic now (extent)"

FACTS: dict[str, Fact] = {
    "clinical.age_years": _plain("age (years)", "the age", lambda p: p.clinical.age_years),
    "clinical.histology": _plain("histology", "the histological type", lambda p: p.clinical.histology),
    "clinical.stage": Fact("stage", "the stage with its edition", _stage),
    "clinical.setting": Fact(
        "setting", "whether the disease is persistent, recurrent or metastatic", _setting
    ),
    "clinical.metastatic": _plain("metastatic", _EXTENT, lambda p: p.clinical.metastatic),
    "clinical.metastatic_or_morbid_resection": _plain(
        "metastatic, or resection likely to result in severe morbidity",
        f"{_EXTENT}, and whether a resection is likely to result in severe morbidity",
        lambda p: any_of((p.clinical.metastatic, p.clinical.resection_severely_morbid)),
    ),
    "clinical.advanced": _plain("locally advanced or metastatic", _EXTENT, lambda p: p.clinical.advanced),
    "clinical.advanced_or_morbid_resection": _plain(
        "locally advanced or metastatic, or resection likely to result in severe morbidity",
        f"{_EXTENT}, and whether a resection is likely to result in severe morbidity",
        lambda p: any_of((p.clinical.advanced, p.clinical.resection_severely_morbid)),
    ),
    "clinical.advanced_or_recurrent": _plain(
        "advanced or recurrent",
        f"{_EXTENT}, and whether it can be resected",
        lambda p: p.clinical.advanced_or_recurrent,
    ),
    "clinical.after_first_treatment": Fact(
        "persistent, recurrent or metastatic disease",
        "whether the disease is newly diagnosed, or persistent, recurrent or metastatic",
        lambda p, c: _after_first_treatment(p),
    ),
    "clinical.lines": _plain(
        "lines for recurrent or metastatic disease (chemoradiation is none)",
        _HISTORY,
        lambda p: p.clinical.metastatic_lines,
    ),
    "clinical.prior_definitive_therapy": _plain(
        "earlier definitive therapy", _HISTORY, lambda p: p.clinical.prior_definitive_therapy
    ),
    "clinical.progressed": _plain(
        "progression on or after earlier therapy",
        "for each earlier therapy, whether the disease progressed",
        lambda p: p.clinical.progressed,
    ),
    "clinical.progressed_after_chemotherapy": _plain(
        "progression on or after chemotherapy for recurrent or metastatic disease",
        "for each earlier line, whether it contained chemotherapy and whether the disease progressed",
        lambda p: p.clinical.progressed_after_chemotherapy,
    ),
    "clinical.prior_systemic_therapy": _plain(
        "earlier systemic therapy",
        "whether systemic therapy was given for recurrent or metastatic disease, or whether the board counts"
        " chemoradiation or (neo)adjuvant therapy",
        lambda p: p.clinical.prior_systemic_therapy,
    ),
    "clinical.prior_treatment": _plain(
        "earlier treatment",
        "whether systemic therapy was given, or whether the board counts surgery or radiotherapy",
        lambda p: p.clinical.prior_treatment,
    ),
    "clinical.chemotherapy_for_advanced_disease": _plain(
        "earlier chemotherapy (chemoradiation is none)",
        "for each earlier line, whether it contained chemotherapy",
        lambda p: p.clinical.chemotherapy_for_advanced_disease,
    ),
    "clinical.progressed_after_platinum": _plain(
        "progression on or after platinum-based chemotherapy for recurrent or metastatic disease",
        "for each earlier line, whether it contained platinum and whether the disease progressed",
        lambda p: p.clinical.progressed_after_platinum,
    ),
    "clinical.progressed_after_systemic": _plain(
        "progression on or after systemic therapy for recurrent or metastatic disease",
        "for each earlier line, whether the disease progressed",
        lambda p: p.clinical.progressed_after_systemic,
    ),
    "clinical.progressed_or_no_alternative": _plain(
        "progression after treatment, or no satisfactory alternative",
        "whether the disease progressed after treatment, or the board's judgement whether a satisfactory"
        " alternative is left",
        lambda p: p.clinical.progressed_or_no_alternative,
    ),
    "clinical.progressed_after_systemic_or_no_alternative": _plain(
        "progression after systemic treatment, or no satisfactory alternative",
        "whether the disease progressed after systemic treatment, or the board's judgement whether a"
        " satisfactory alternative is left",
        lambda p: p.clinical.progressed_after_systemic_or_no_alternative,
    ),
    "clinical.ntrk_pretreated_or_no_alternative": _plain(
        "earlier NTRK inhibitor, or no satisfactory alternative",
        f"{_HISTORY}, and the board's judgement whether a satisfactory alternative is left",
        lambda p: p.clinical.ntrk_pretreated_or_no_alternative,
    ),
    "clinical.platinum_unsuitable": _plain(
        "platinum cannot be given",
        "the board's judgement whether platinum can be given",
        lambda p: p.clinical.platinum_unsuitable,
    ),
    "clinical.unresectable_or_metastatic": _plain(
        "unresectable or metastatic",
        "whether the disease is unresectable or metastatic",
        lambda p: p.clinical.unresectable_or_metastatic,
    ),
    "clinical.no_satisfactory_alternative": _plain(
        "no satisfactory alternative",
        "the board's judgement whether a satisfactory alternative is left",
        lambda p: p.clinical.no_satisfactory_alternative,
    ),
    "tmb.value": Fact("TMB (mutations per Mb)", "tumour mutational burden", _tmb),
    "msi.high_or_mmr_deficient": _plain(
        "MSI-H or mismatch repair deficient", "microsatellite and mismatch repair tests", _msi_or_mmr
    ),
    "msi.high": _plain(
        "MSI-H",
        "the microsatellite test",
        lambda p: None if p.msi.msi is None else p.msi.msi is MsiStatus.HIGH,
    ),
    "msi.mmr_deficient": _plain("mismatch repair deficient", "mismatch repair by immunohistochemistry", _mmr),
    "msi.fda_approved_test": Fact("by an FDA-approved test", "", lambda p, c: _approved_test(p)),
    "her2.ihc": Fact("HER2 immunohistochemistry", "HER2 grade", _her2),
    "alterations.ntrk_fusion": _finding("NTRK1/2/3 fusion", "ntrk_fusion"),
    "alterations.ntrk_resistance_mutation": _finding("NTRK resistance mutation", "ntrk_resistance_mutation"),
    "alterations.ret_fusion": _finding("RET fusion", "ret_fusion"),
    "alterations.braf_v600e": _finding("BRAF V600E", "braf_v600e"),
    "history.pelvic_radiotherapy": _plain(
        "earlier pelvic radiotherapy",
        "whether the pelvis was irradiated",
        lambda p: p.clinical.pelvic_radiotherapy,
    ),
    "history.immune_checkpoint": _plain(
        "earlier PD-1 or PD-L1 antibody", _HISTORY, lambda p: p.clinical.received(IMMUNE_CHECKPOINT)
    ),
    "history.ntrk_inhibitor": _plain(
        "earlier NTRK inhibitor", _HISTORY, lambda p: p.clinical.received(NTRK_INHIBITORS)
    ),
    "history.paclitaxel": _plain("earlier paclitaxel", _HISTORY, lambda p: p.clinical.received(PACLITAXEL)),
} | {f"comorbidities.{name}": _comorbidity(name) for name in Comorbidities.model_fields}


def _after_first_treatment(profile: BiomarkerProfile) -> Found:
    value, setting = profile.clinical.after_first_treatment, profile.clinical.current_setting
    if value is None or setting is None:
        return unknown("unknown", FACTS["clinical.after_first_treatment"].settle)
    return Found(value, f"{in_words(setting)} disease")


def _approved_test(profile: BiomarkerProfile) -> Found:
    """Look whether the test was approved; another leaves the fact unknown, and a repeat would settle it."""
    settle = "MSI or mismatch repair by an FDA-approved test"
    if profile.msi.fda_approved_test:
        return Found(value=True, words="yes")
    return unknown("no" if profile.msi.fda_approved_test is False else "unknown", settle)


# PD-L1 against a cut-off: only a confirmed score by the right assay, clear of the cut-off, decides.
#
# The rules (clinical brief 0.5, 2.5, 6): a borderline score is indeterminate, and so is one that no person
# has confirmed, whose assay is not stated or not the criterion's, or that has too few tumour cells.


PDL1_FACTS = {"pdl1.cps": "CPS", "pdl1.tps": "TPS"}


def find_pdl1(profile: BiomarkerProfile, clause: Clause) -> Found:
    """Return the score to compare with the clause's cut-off, or why none counts.

    Parameters
    ----------
    profile : BiomarkerProfile
    clause : Clause
        Its fact a key of `PDL1_FACTS`, its value the cut-off, its `assay` those that count.
    """
    kind = PDL1_FACTS[clause.fact].lower()
    scores = [score for score in profile.pdl1 if score.score in {kind, ScoreKind.NOT_STATED}]
    by = " or ".join(name.upper() for name in clause.assay) or "a stated assay"
    if not scores:
        return unknown("unknown", f"{kind.upper()} by {by}, confirmed by a pathologist")
    doubted = [(score, list(_doubts(score, clause, by))) for score in scores]
    usable = [score for score, doubts in doubted if not doubts]
    if usable:
        near = [score for score, doubts in doubted if doubts and all(doubt.is_near for doubt in doubts)]
        return _agreed(usable, near, clause)
    score, doubts = min(doubted, key=lambda one: len(one[1]))
    why = "; ".join(doubt.why for doubt in doubts)
    return unknown(f"{score.words}; {why}", "; ".join(doubt.settle for doubt in doubts))


@dataclass(frozen=True)
class _Doubt:
    """Why a score does not count, and what would settle it; a near one speaks against other scores, too."""

    why: str
    settle: str
    is_near: bool = False


def _doubts(score: Pdl1Score, clause: Clause, by: str) -> Iterator[_Doubt]:
    name = PDL1_FACTS[clause.fact]
    if score.score is ScoreKind.NOT_STATED:
        yield _Doubt("CPS or TPS is not stated", "which score the number is")
    if score.assay is None:
        yield _Doubt("its assay is not stated", "which assay stained the slide")
    elif clause.assay and score.assay not in clause.assay:
        yield _Doubt(f"only {by} counts here", f"{name} by {by}, confirmed by a pathologist")
    if score.not_evaluable_because:
        yield _Doubt(f"not evaluable: {score.not_evaluable_because[0]}", f"{name} by {by} on another block")
    if score.value is None and score.below is None:
        yield _Doubt("no value is stated", f"the {name} as read")
    if score.below is not None and score.below > _cutoff(clause):
        yield _Doubt(f"<{score.below:g} does not say on which side it lies", f"the {name} as a number")
    if not score.adequate:
        cells = f"{score.viable_tumour_cells} viable tumour cells, {REQUIRED_TUMOUR_CELLS} are required"
        yield _Doubt(f"only {cells}", f"{name} by {by} on another block")
    if not score.confirmed:
        yield _Doubt("no person has confirmed it", f"a pathologist's confirmation of this {name}, with date")
    if near := score.why_near(_cutoff(clause)):
        yield _Doubt(
            f"near the cut-off: {near}", "a second read near the cut-off (set near_cutoff)", is_near=True
        )


def _agreed(usable: list[Pdl1Score], near: list[Pdl1Score], clause: Clause) -> Found:
    """Return a score that all usable ones agree with; a near one among them speaks against deciding."""
    sides = {clause.is_met_by(_compared(score)) for score in usable}
    words = "; ".join(score.words for score in [*usable, *near])
    if len(sides) > 1 or near:
        return unknown(f"{words}: these disagree", "which of the scores applies to the case")
    value = usable[0].value
    shown = value if value is not None else f"<{usable[0].below:g}"
    return Found(shown, words, compared=_compared(usable[0]))


def _compared(score: Pdl1Score) -> float:
    """Return the value; of a score known only as below a number, the largest number below it."""
    return score.value if score.value is not None else math.nextafter(score.below or 0.0, 0.0)


def _cutoff(clause: Clause) -> float:
    return float(clause.value) if isinstance(clause.value, int | float) else 0.0
