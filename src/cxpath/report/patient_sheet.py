"""The sheet for the conversation with the patient: one page, plain words, no promise and no choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cxpath.biomarkers.hpv import HpvClass
from cxpath.biomarkers.profile import BiomarkerProfile
from cxpath.report.page_template import render_page
from cxpath.report.wording import RESEARCH_USE
from cxpath.therapy.caution import CautionState
from cxpath.therapy.criterion import Approval
from cxpath.therapy.judge import CriterionResult
from cxpath.therapy.review import TherapyReview
from cxpath.therapy.verdict import Verdict

NO_AGENT = "none: a test"
"""The agent of a criterion that is for a test."""

_KINDS = {
    "immune_checkpoint": "an immune treatment: it helps the body’s own defences to see the tumour",
    "bevacizumab": "it hinders the tumour from growing blood vessels",
    "platinum": "chemotherapy: it harms cells that divide fast",
    "tisotumab": "an antibody that carries chemotherapy to the tumour",
    "trastuzumab_deruxtecan": "an antibody that carries chemotherapy to the tumour",
    "ntrk_ret_inhibitor": "it blocks one signal inside the tumour’s cells",
}

_PLAIN_CAUTIONS = {
    "autoimmune disease": "an illness in which the body’s defences attack the body",
    "earlier pelvic radiotherapy": "your earlier radiotherapy",
    "earlier PD-1 or PD-L1 antibody": "your earlier immune treatment",
    "earlier paclitaxel": "your earlier chemotherapy",
    "neuropathy grade": "numb or tingling hands and feet",
    "hypertension": "high blood pressure",
    "proteinuria": "protein in the urine",
    "venous thromboembolism": "blood clots",
    "lung disease": "lung disease",
    "eye examination done": "your eyes",
    "ocular surface disease": "your eyes",
}
"""By the caution's own words; the others are plain enough."""

_PLAIN_FACTS = {
    "clinical.stage": "the exact stage of the tumour",
    "clinical.histology": "the type of the tumour under the microscope",
    "clinical.setting": "where the disease stands now",
    "clinical.lines": "which treatments you had before",
    "clinical.prior_definitive_therapy": "which treatments you had before",
    "clinical.progressed": "how the tumour answered to earlier treatments",
    "clinical.progressed_after_chemotherapy": "how the tumour answered to earlier chemotherapy",
    "clinical.unresectable_or_metastatic": "whether the tumour can be taken out",
    "clinical.no_satisfactory_alternative": "which other treatments could be considered",
    "clinical.age_years": "your age",
    "pdl1.cps": "the PD-L1 test, checked by a pathologist",
    "tmb.value": "the number of changes in the tumour’s genes, by the test that counts for this",
    "msi.high_or_mmr_deficient": "the test of how the tumour repairs its genes",
    "msi.mmr_deficient": "the test of how the tumour repairs its genes",
    "msi.fda_approved_test": "the test of how the tumour repairs its genes",
    "her2.ihc": "the HER2 test",
    "alterations.ntrk_fusion": "a search for rare changes in the tumour’s genes",
    "alterations.ntrk_resistance_mutation": "a search for rare changes in the tumour’s genes",
    "alterations.ret_fusion": "a search for rare changes in the tumour’s genes",
    "alterations.braf_v600e": "a search for rare changes in the tumour’s genes",
}


@dataclass(frozen=True)
class PlainTest:
    """A test in plain words."""

    name: str
    meaning: str
    result: str


def patient_sheet(review: TherapyReview, reviewed_on: str) -> str:
    """Return the sheet's HTML.

    Parameters
    ----------
    review : TherapyReview
    reviewed_on : str
        The day, in words.
    """
    able = [one for one in review.results if one.criterion.approval.can_be_met]
    therapies = [one for one in able if one.criterion.agent != NO_AGENT]
    met = [one for one in therapies if one.verdict is Verdict.MET]
    open_ones = [one for one in therapies if one.verdict is Verdict.INDETERMINATE]
    return render_page(
        "patient.html.j2",
        ("report.css", "board.css", "patient.css"),
        research_use=RESEARCH_USE,
        case=review.profile.case or "",
        reviewed_on=reviewed_on,
        tests=list(_tests(review.profile)),
        options=_options(met),
        open_agents=_agents(open_ones, met),
        still_to_find_out=_still_to_find_out(open_ones),
        watched=_watched([*met, *open_ones]),
    )


def _tests(profile: BiomarkerProfile) -> Iterator[PlainTest]:
    yield PlainTest(
        "PD-L1", "a protein that can help a tumour to hide from the body’s defences", _pdl1(profile)
    )
    derived = profile.hpv_class.derived
    types = " and ".join(f"HPV{kind}" for kind in profile.hpv.types)
    hpv = f"{types} was found" if types else f"the tumour is {derived}"
    yield PlainTest(
        "HPV",
        "a virus behind most cervical cancers; no medicine is chosen by it today",
        "not known" if derived is HpvClass.UNKNOWN and not types else hpv,
    )
    burden = profile.tmb.value
    yield PlainTest(
        "TMB",
        "how many changes there are in the tumour’s genes",
        "not known" if burden is None else f"{burden:g} in every million letters",
    )
    yield PlainTest("HER2", "a protein on some tumour cells", profile.her2.ihc or "not known")


def _pdl1(profile: BiomarkerProfile) -> str:
    known = [one for one in profile.pdl1 if one.value is not None or one.below is not None]
    if not known:
        return "not known"
    score = known[0]
    number = f"{score.value:.3g}" if score.value is not None else f"below {score.below:g}"
    if not score.confirmed:
        return f"{number}, still to be checked by a pathologist"
    if score.why_near(1.0):
        return f"{number}, close to the line of 1 that matters for some treatments: a second look is needed"
    return f"{number}, checked by a pathologist"


def _options(met: Sequence[CriterionResult]) -> list[tuple[str, str]]:
    """Return each regimen once, with what kinds of treatment it holds."""
    labels = [one.criterion for one in met if one.criterion.approval is not Approval.GUIDELINE]
    return [
        (regimen, "; ".join(_KINDS[kind] for kind in kinds))
        for regimen, kinds in {one.regimen: one.cautions for one in labels}.items()
    ]


def _agents(open_ones: Sequence[CriterionResult], met: Sequence[CriterionResult]) -> list[str]:
    named = {one.criterion.agent for one in met}
    return list(dict.fromkeys(one.criterion.agent for one in open_ones if one.criterion.agent not in named))


def _still_to_find_out(open_ones: Sequence[CriterionResult]) -> list[str]:
    facts = [
        clause.clause.fact
        for one in open_ones
        for clause in one.clauses
        if clause.verdict is Verdict.INDETERMINATE
    ]
    return list(dict.fromkeys(_PLAIN_FACTS[fact] for fact in facts))


def _watched(results: Sequence[CriterionResult]) -> list[str]:
    raised = [flag.about for one in results for flag in one.cautions if flag.state is CautionState.RAISED]
    return list(dict.fromkeys(_PLAIN_CAUTIONS.get(about, about) for about in raised))
