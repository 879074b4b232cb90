"""The first page for the tumour board, in values: the score, the few live options, cautions once each.

Does not know the evidence: that is in the appendix of the same page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cxpath.patient import (
    ASSUMED_TUMOUR_CELLS,
    CautionResult,
    CautionState,
    CriterionResult,
    Pdl1Score,
    ScoreOrigin,
    TherapyReview,
    Verdict,
    label_of,
)
from cxpath.report.html import interval, score_form

NOT_STATED = "unknown"
"""How a fact is worded that was never stated, in contrast to one that is in doubt."""

DENSE_LINES = 20
"""Options and flags that a page contains in ordinary print (measured on printed pages)."""


@dataclass(frozen=True)
class ScoreLine:
    """A PD-L1 score with how well it is known and who stands for it."""

    name: str
    value: str
    interval: str
    who: str
    is_confirmed: bool


@dataclass(frozen=True)
class Option:
    """A therapy whose criterion is met, or could still be; `settle` says what would decide it."""

    regimen: str
    place: str
    approval: str
    settle: tuple[str, ...] = ()


@dataclass(frozen=True)
class Untested:
    """A test that was not done, and the therapies that depend on it."""

    test: str
    regimens: tuple[str, ...]


@dataclass(frozen=True)
class CautionLine:
    """A fact of the patient with every flag that it raises, and the drugs concerned."""

    fact: str
    found: str
    flags: tuple[tuple[str, str], ...]
    """The flag and the kinds of agents."""


@dataclass(frozen=True)
class BoardSummary:
    """What the first page shows."""

    scores: tuple[ScoreLine, ...]
    met: tuple[Option, ...]
    open: tuple[Option, ...]
    untested: tuple[Untested, ...]
    cautions: tuple[CautionLine, ...]
    unknown_cautions: tuple[str, ...]
    counts: dict[str, int]

    @property
    def is_dense(self) -> bool:
        """Whether the page needs the smaller print to stay one page."""
        flags = sum(len(one.flags) for one in self.cautions)
        return len(self.met) + 2 * len(self.open) + len(self.untested) + flags > DENSE_LINES


def board_summary(review: TherapyReview, approvals: dict[str, str]) -> BoardSummary:
    """Return what the first page shows of a review.

    Parameters
    ----------
    review : TherapyReview
    approvals : dict of str to str
        By criterion: what stands behind it, in words.
    """
    able = [one for one in review.results if one.criterion.approval.can_be_met]
    met = [one for one in able if one.verdict is Verdict.MET]
    unsettled = [one for one in able if one.verdict is Verdict.INDETERMINATE]
    doubtful = [one for one in unsettled if not _missing_test(one)]
    live = [*met, *doubtful]
    return BoardSummary(
        scores=tuple(map(_score_line, review.profile.pdl1)),
        met=tuple(_option(one, approvals) for one in met),
        open=tuple(_option(one, approvals) for one in doubtful),
        untested=tuple(_untested(unsettled)),
        cautions=tuple(_raised(live)),
        unknown_cautions=_unknown(live),
        counts=counts_of(review.results),
    )


def counts_of(results: Iterable[CriterionResult]) -> dict[str, int]:
    """Return how many criteria are met, indeterminate, not met, and cannot be met by anybody."""
    counts = dict.fromkeys(("met", "indeterminate", "not_met", "unable"), 0)
    for one in results:
        counts[one.verdict.value if one.criterion.approval.can_be_met else "unable"] += 1
    return counts


def _score_line(score: Pdl1Score) -> ScoreLine:
    return ScoreLine(
        name=f"PD-L1 {score.name}",
        value="not evaluable" if score.not_evaluable_because else printed_score(score),
        interval=_interval(score),
        who=f"{_read_by(score)}; {_confirmed_by(score)}",
        is_confirmed=score.confirmed,
    )


def printed_score(score: Pdl1Score) -> str:
    """Return a score of cxpath in its printed form, and one read by eye as it was stated."""
    if score.value is None:
        return f"<{score.below:g}" if score.below is not None else NOT_STATED
    return score_form(score.value) if score.origin is ScoreOrigin.CXPATH else f"{score.value:g}"


def _interval(score: Pdl1Score) -> str:
    if score.value is not None and score.interval is not None:
        return f"95 % interval {interval(score.interval)}"
    if score.counting_interval is None:
        return ""
    cells = score.viable_tumour_cells or f"an assumed {ASSUMED_TUMOUR_CELLS}"
    low, high = score.counting_interval
    return f"counting alone, at {cells} tumour cells: {low:.2g} to {high:.2g}"


def _read_by(score: Pdl1Score) -> str:
    assay = score.assay.upper() if score.assay else "assay not stated"
    origin = {ScoreOrigin.CXPATH: "image score by cxpath", ScoreOrigin.READER: "read by eye"}
    return f"{assay}; {origin[score.origin] if score.origin else 'origin not stated'}"


def _confirmed_by(score: Pdl1Score) -> str:
    if score.confirmed:
        return f"confirmed by {score.confirmed_by}, {score.confirmed_on}"
    return "not confirmed by a person: decides nothing"


def _option(result: CriterionResult, approvals: dict[str, str]) -> Option:
    criterion = result.criterion
    return Option(criterion.regimen, criterion.jurisdiction.upper(), approvals[criterion.id], result.missing)


def _missing_test(result: CriterionResult) -> str:
    """Return the first biomarker that nobody tested for, or nothing."""
    asked = set(result.criterion.biomarker)
    for one in result.clauses:
        if one.clause in asked and one.verdict is Verdict.INDETERMINATE and one.found.words == NOT_STATED:
            return label_of(one.clause)
    return ""


def _untested(results: Sequence[CriterionResult]) -> Iterable[Untested]:
    by_test: dict[str, list[str]] = defaultdict(list)
    for one in results:
        if test := _missing_test(one):
            by_test[test].append(one.criterion.regimen)
    return (Untested(test, tuple(dict.fromkeys(regimens))) for test, regimens in by_test.items())


def _raised(results: Sequence[CriterionResult]) -> Iterable[CautionLine]:
    """Yield each fact once, with its flags; one flag for several drugs is one flag."""
    by_fact: dict[str, dict[str, list[str]]] = {}
    found: dict[str, CautionResult] = {}
    for flag in _flags(results, CautionState.RAISED):
        kinds = by_fact.setdefault(flag.about, {}).setdefault(flag.caution.flag, [])
        kinds.append(flag.caution.agents.replace("_", " "))
        found.setdefault(flag.about, flag)
    for about, flags in by_fact.items():
        lines = tuple((flag, ", ".join(dict.fromkeys(kinds))) for flag, kinds in flags.items())
        yield CautionLine(about, found[about].found.words, lines)


def _unknown(results: Sequence[CriterionResult]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(flag.about for flag in _flags(results, CautionState.UNKNOWN)))


def _flags(results: Sequence[CriterionResult], state: CautionState) -> Iterable[CautionResult]:
    seen = {flag.caution.id: flag for one in results for flag in one.cautions if flag.state is state}
    return seen.values()
