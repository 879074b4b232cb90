"""What `cxpath score` prints: the score and its doubts, in a few aligned lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_NO_CPS = "no CPS, decides no cut-off"


def summary_lines(document: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Yield the lines for one slide.

    Parameters
    ----------
    document : mapping
        The content of `score.json`.
    folder : Path
        Where the results are.
    """
    yield f"slide    {document['slide']['name']}"
    if not document["evaluable"]:
        yield "CPS      not evaluable"
        yield from (f"         because {reason}" for reason in document["not_evaluable_because"])
    else:
        yield from _scores(document)
    yield from (f"warning  {warning}" for warning in document["warnings"])
    yield f"report   {folder / 'report.html'}"
    yield str(document["research_use"])


def _scores(document: Mapping[str, Any]) -> Iterator[str]:
    counts = document["counts"]
    for name in ("cps", "tps"):
        if document[name]:
            yield f"{name.upper()}      {_estimate(document[name])}"
    if own := document.get("laboratory_map"):
        yield f"         laboratory's scale {own['value']:.2f}, by its map of {own['cases']} cases: {_NO_CPS}"
    if document["h_score"] is not None:
        yield f"H-score  {document['h_score']:.0f}"
        if shares := document.get("h_score_grades"):
            yield f"         {', '.join(f'{grade}: {share:.0f} %' for grade, share in shares.items())}"
    for value, cutoff in (document["cps"] or {}).get("cutoffs", {}).items():
        yield f"         CPS >= {value} ({cutoff['basis']}): {_verdict(cutoff)}"
    yield (
        f"cells    tumour {counts['tumour_positive']} positive, {counts['tumour_negative']} negative; "
        f"immune {counts['immune_positive']} positive counted"
    )


def _estimate(score: Mapping[str, Any]) -> str:
    from cxpath.scores.printed_form import two_decimals

    low, high = score["interval_tissue"]
    interval = f"{score['level']:.0%} interval {low:.2f} to {high:.2f}"
    return f"{score['reported']}  ({two_decimals(score['value'])}; {interval})"


def _verdict(cutoff: Mapping[str, Any]) -> str:
    words = "met" if cutoff["met"] else "not met"
    doubt = "; near the cut-off: pathologist review" if cutoff["borderline"] else ""
    return f"{words}, probability {cutoff['probability']:.3f}{doubt}"
