"""The page for the tumour board and the sheet for the patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cxpath.data import RESEARCH_USE
from cxpath.patient import (
    WORDING,
    Approval,
    BiomarkerProfile,
    CautionResult,
    CautionState,
    Clinical,
    Criterion,
    CriterionResult,
    Expression,
    HpvClass,
    Pdl1Score,
    ScoreOrigin,
    Therapy,
    TherapyReview,
    Verdict,
)
from cxpath.patient.criteria import assay_in_words
from cxpath.report.board_summary import board_summary, printed_score
from cxpath.report.html import interval, render_page

# The sheet for the conversation with the patient: one page, plain words, no promise and no choice.


NO_AGENT = "none: a test"
"""The agent of a criterion that is for a test."""

_KINDS = {
    "immune_checkpoint": "an immune treatment: it helps the body’s own defences to see the tumour",
    "bevacizumab": "it hinders the tumour from growing blood vessels",
    "platinum": "chemotherapy: it harms cells that divide fast",
    "tisotumab": "an antibody that carries chemotherapy to the tumour",
    "trastuzumab_deruxtecan": "an antibody that carries chemotherapy to the tumour",
    "ntrk_ret_inhibitor": "a pill: it blocks one signal inside the tumour’s cells",
    "braf_mek_inhibitor": "two pills: they block one signal inside the tumour’s cells",
    "topotecan": "chemotherapy: it harms cells that divide fast",
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
    "stage": "the exact stage of the tumour",
    "histology": "the type of the tumour under the microscope",
    "setting": "where the tumour is now",
    "metastatic": "where the tumour is now",
    "advanced": "where the tumour is now",
    "unresectable": "if the tumour can be taken out",
    "lines": "which treatments you had before",
    "prior": "which treatments you had before",
    "chemotherapy": "which treatments you had before",
    "ntrk": "which treatments you had before",
    "progressed": "how the tumour changed after earlier treatments",
    "no": "which other treatments there are",
    "platinum": "which medicines you can be given",
    "age": "your age",
    "after": "where the tumour is now",
    "pdl1": "the PD-L1 test, checked by a doctor",
    "tmb": "how many changes the tumour’s genes have",
    "msi": "how the tumour repairs its genes",
    "her2": "the HER2 test",
    "alterations": "rare changes in the tumour’s genes",
    "history": "which treatments you had before",
}
"""By the fact's group, and for clinical facts by the first word of their name."""


@dataclass(frozen=True)
class PlainTest:
    """A test in plain words."""

    name: str
    meaning: str
    result: str


def patient_sheet(review: TherapyReview, reviewed_on: str) -> str:
    """Return the sheet's HTML: for one jurisdiction, and without any value that no person has confirmed.

    Parameters
    ----------
    review : TherapyReview
        Of one jurisdiction.
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
    """Return the score in words; a number that no doctor has checked is not shown."""
    known = [one for one in profile.pdl1 if one.value is not None or one.below is not None]
    checked = [one for one in known if one.confirmed]
    if not checked:
        return "not checked by a doctor yet" if known else "not known"
    number = printed_score(checked[0]).replace("<", "below ")
    if checked[0].why_near(1.0):
        return f"{number}, close to 1, the line for some treatments; it will be looked at again"
    return f"{number}, checked by a doctor"


def _options(met: Sequence[CriterionResult]) -> list[tuple[str, str]]:
    """Return each regimen once, with what kinds of treatment it contains."""
    labels = [one.criterion for one in met if one.criterion.approval is not Approval.GUIDELINE]
    return [
        (regimen, "; ".join(dict.fromkeys(_KINDS[kind] for kind in kinds)))
        for regimen, kinds in {one.regimen: one.cautions for one in labels}.items()
    ]


def _still_to_find_out(open_ones: Sequence[CriterionResult]) -> list[str]:
    facts = [
        clause.clause.fact
        for one in open_ones
        for clause in one.clauses
        if clause.verdict is Verdict.INDETERMINATE
    ]
    return list(dict.fromkeys(_plain_fact(fact) for fact in facts))


def _plain_fact(fact: str) -> str:
    group, _, name = fact.partition(".")
    return _PLAIN_FACTS.get(name.split("_")[0] if group == "clinical" else group, "other facts about you")


def _watched(results: Sequence[CriterionResult]) -> list[str]:
    raised = [flag.about for one in results for flag in one.cautions if flag.state is CautionState.RAISED]
    return list(dict.fromkeys(_PLAIN_CAUTIONS.get(about, about) for about in raised))


# A profile in rows: what is known, by which test, and what is not.


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
    return [*_pdl1_row(profile), *_others(profile), *_clinical(profile.clinical)]


def _pdl1_row(profile: BiomarkerProfile) -> Iterator[ProfileRow]:
    if not profile.pdl1:
        yield ProfileRow("PD-L1", UNKNOWN)
    for score in profile.pdl1:
        yield ProfileRow(f"PD-L1 {score.name}", _score(score), _score_source(score))


def _score(score: Pdl1Score) -> str:
    if score.not_evaluable_because:
        return "not evaluable"
    if score.value is None or score.interval is None:
        return printed_score(score)
    return f"{printed_score(score)} (95 % interval {interval(score.interval)})"


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
        yield ProfileRow("HER2 H-score", f"{her2.h_score:g}", "is not a grade")
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
    parts = [assay_in_words(tmb.assay) if tmb.assay else "assay not stated"]
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


_YES_OR_NO = {True: "yes", False: "no", None: UNKNOWN}


def _clinical(clinical: Clinical) -> Iterator[ProfileRow]:
    stage = clinical.stage
    yield ProfileRow("Histology", _words(clinical.histology))
    yield ProfileRow(
        "Stage", stage.stage or UNKNOWN, stage.edition or ("edition not stated" if stage.stage else "")
    )
    yield ProfileRow("Setting", _words(clinical.setting))
    yield ProfileRow("Extent", _words(clinical.extent))
    yield ProfileRow("Unresectable", _YES_OR_NO[clinical.unresectable])
    alternative = _YES_OR_NO[clinical.no_satisfactory_alternative]
    yield ProfileRow("No satisfactory alternative", alternative, "the board’s judgement")
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


# The page for the tumour board: everything that a review says, put in order for reading; never a ranking.


PLACES = {
    "us": "United States",
    "eu": "European Union",
    "jp": "Japan",
    "cn": "China",
    "any": "everywhere",
}

_APPROVALS = {
    Approval.REGULAR: "regular approval",
    Approval.ACCELERATED: "accelerated approval",
    Approval.APPROVED: "approved",
    Approval.GUIDELINE: "guideline, no label",
    Approval.NONE: "not approved",
    Approval.NEGATIVE: "negative",
    Approval.UNVERIFIED: "not verified",
}

_ORDER = (CautionState.RAISED, CautionState.UNKNOWN, CautionState.NOT_RAISED)


def board_page(review: TherapyReview, reviewed_on: str, provenance: Sequence[tuple[str, str]]) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    review : TherapyReview
    reviewed_on : str
        The day, in words.
    provenance : sequence of (str, str)
        What the review was made with.
    """
    able = [one for one in review.results if one.criterion.approval.can_be_met]
    unable = [one for one in review.results if not one.criterion.approval.can_be_met]
    by_verdict = {verdict: [one for one in able if one.verdict is verdict] for verdict in Verdict}
    return render_page(
        "board.html.j2",
        ("report.css", "board.css"),
        research_use=RESEARCH_USE,
        wording=WORDING,
        case=review.profile.case or "no pseudonym stated",
        specimen=review.profile.specimen or "",
        reviewed_on=reviewed_on,
        places=[PLACES[place] for place in review.jurisdictions],
        first=board_summary(review, {one.criterion.id: _approval(one.criterion) for one in review.results}),
        rows=profile_rows(review.profile),
        notices=list(dict.fromkeys(one.notice for one in review.profile.pdl1 if one.notice)),
        conflicts=review.profile.conflicts,
        met=[_card(review, one) for one in by_verdict[Verdict.MET]],
        indeterminate=[_card(review, one) for one in by_verdict[Verdict.INDETERMINATE]],
        not_met=[_card(review, one) for one in by_verdict[Verdict.NOT_MET]],
        unable=[_card(review, one) for one in unable],
        settling=[_settling(review, settle, ids) for settle, ids in review.settling.items()],
        cautions=_cautions([*by_verdict[Verdict.MET], *by_verdict[Verdict.INDETERMINATE]]),
        provenance=provenance,
    )


def _card(review: TherapyReview, result: CriterionResult) -> dict[str, object]:
    criterion = result.criterion
    flags = result.cautions
    return {
        "regimen": criterion.regimen,
        "population": criterion.population,
        "place": PLACES[criterion.jurisdiction],
        "short_place": criterion.jurisdiction.upper(),
        "approval": _approval(criterion),
        "verified": criterion.verified or not criterion.approval.can_be_met,
        "trial": criterion.trial,
        "clauses": [
            {"condition": one.condition, "found": one.found.words, "verdict": one.verdict}
            for one in result.clauses
        ],
        "because": result.not_met_because or result.missing,
        "missing": result.missing,
        "raised": [flag for flag in flags if flag.state is CautionState.RAISED],
        "unknown": list(dict.fromkeys(flag.about for flag in flags if flag.state is CautionState.UNKNOWN)),
        "remarks": [*(one.text for one in review.advice_for(result)), *criterion.notes],
        "source": criterion.source,
        "as_of": criterion.as_of.isoformat(),
        "certainty": criterion.certainty.value,
        "certainty_note": criterion.certainty_note,
    }


def _approval(criterion: Criterion) -> str:
    on = criterion.approved_on
    dated = f", {on}" if on and on != "unknown" else ", date not in the source" if on else ""
    return f"{_APPROVALS[criterion.approval]}{dated}"


def _settling(review: TherapyReview, settle: str, ids: Sequence[str]) -> dict[str, object]:
    criteria = [review.by_id(name).criterion for name in ids]
    named = [f"{one.regimen} ({one.jurisdiction.upper()})" for one in criteria]
    return {"settle": settle, "criteria": named}


def _cautions(results: Sequence[CriterionResult]) -> list[dict[str, object]]:
    """Return every caution once, those that are raised first, with the agents that it concerns."""
    agents: dict[str, list[str]] = {}
    found: dict[str, CautionResult] = {}
    for result in results:
        for flag in result.cautions:
            found.setdefault(flag.caution.id, flag)
            agents.setdefault(flag.caution.id, []).append(flag.caution.agents.replace("_", " "))
    ordered = sorted(found.values(), key=lambda flag: _ORDER.index(flag.state))
    return [
        {
            "state": flag.state,
            "about": flag.about,
            "found": flag.found.words,
            "flag": flag.caution.flag,
            "agents": ", ".join(dict.fromkeys(agents[flag.caution.id])),
            "source": flag.caution.source,
            "as_of": flag.caution.as_of.isoformat(),
            "certainty": flag.caution.certainty.value,
        }
        for flag in ordered
    ]
