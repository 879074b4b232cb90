"""The page for the tumour board: everything that a review says, put in order for reading; never a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cxpath.report.page_template import render_page
from cxpath.report.profile_rows import profile_rows
from cxpath.report.wording import RESEARCH_USE
from cxpath.therapy.caution import CautionState
from cxpath.therapy.criterion import Approval
from cxpath.therapy.judge import CautionResult, CriterionResult
from cxpath.therapy.review import WORDING, TherapyReview
from cxpath.therapy.verdict import Verdict

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
        reviewed_on=reviewed_on,
        places=[PLACES[place] for place in review.jurisdictions],
        rows=profile_rows(review.profile),
        conflicts=review.profile.conflicts,
        met=[_card(review, one) for one in by_verdict[Verdict.MET]],
        indeterminate=[_card(review, one) for one in by_verdict[Verdict.INDETERMINATE]],
        not_met=[_card(review, one) for one in by_verdict[Verdict.NOT_MET]],
        unable=[_card(review, one) for one in unable],
        settling=[_settling(review, settle, ids) for settle, ids in review.settling.items()],
        cautions=_cautions([*by_verdict[Verdict.MET], *by_verdict[Verdict.INDETERMINATE]]),
        provenance=provenance,
    )


def _card(review: TherapyReview, result: CriterionResult) -> dict[str, Any]:
    criterion = result.criterion
    on = criterion.approved_on
    dated = f", {on}" if on and on != "unknown" else ", date not in the source" if on else ""
    flags = result.cautions
    return {
        "regimen": criterion.regimen,
        "population": criterion.population,
        "place": PLACES[criterion.jurisdiction],
        "short_place": criterion.jurisdiction.upper(),
        "approval": f"{_APPROVALS[criterion.approval]}{dated}",
        "trial": criterion.trial,
        "clauses": [
            {"condition": one.condition, "found": one.found.words, "verdict": one.verdict}
            for one in result.clauses
        ],
        "because": result.not_met_because or result.missing,
        "missing": result.missing,
        "raised": [flag for flag in flags if flag.state is CautionState.RAISED],
        "unknown": [flag.about for flag in flags if flag.state is CautionState.UNKNOWN],
        "remarks": [*(one.text for one in review.advice_for(result)), *criterion.notes],
        "source": criterion.source,
        "as_of": criterion.as_of.isoformat(),
        "certainty": criterion.certainty.value,
        "certainty_note": criterion.certainty_note,
    }


def _settling(review: TherapyReview, settle: str, ids: Sequence[str]) -> dict[str, Any]:
    criteria = [review.by_id(name).criterion for name in ids]
    named = [f"{one.regimen} ({one.jurisdiction.upper()})" for one in criteria]
    return {"settle": settle, "criteria": named}


def _cautions(results: Sequence[CriterionResult]) -> list[dict[str, Any]]:
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
