"""`cxpath cases`: several slides of one patient to one score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cxpath.cli.exits import NOT_EVALUABLE
from cxpath.cli.printing import JsonNotSummary, print_document


class Rule(StrEnum):
    """Choices of `--rule`."""

    POOLED = "pooled"
    HIGHEST = "highest"


def cases(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of cxpath score, one a slide.")],
    rule: Annotated[Rule, typer.Option(help="Add all counts up, or take the highest block.")] = Rule.POOLED,
    out: Annotated[Path | None, typer.Option(help="Write the case's JSON to this file.")] = None,
    as_json: JsonNotSummary = False,
) -> None:
    """Combine the slides or blocks of one patient; the rule is stated and each slide's part is shown.

    Ends with 4 when no slide of the case is evaluable.
    """
    from cxpath.runs.cases import case_document
    from cxpath.runs.documents import write_json
    from cxpath.scores.case_score import CaseRule

    document = case_document(folders, CaseRule(rule.value))
    if out:
        write_json(out, document)
    print_document(document, _lines(document), as_json=as_json)
    if not document["evaluable"]:
        raise typer.Exit(NOT_EVALUABLE)


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    from cxpath.scores.printed_form import two_decimals

    yield f"rule     {document['rule']}: {document['rule_in_words']}"
    if document["evaluable"]:
        for name in ("cps", "tps"):
            score = document[name]
            low, high = score["interval_tissue"]
            interval = f"{score['level']:.0%} interval {low:.2f} to {high:.2f}"
            yield f"{name.upper()}      {score['reported']}  ({two_decimals(score['value'])}; {interval})"
        for value, cutoff in document["cps"].get("cutoffs", {}).items():
            words = "met" if cutoff["met"] else "not met"
            doubt = f"; {cutoff['review']}" if cutoff["borderline"] else ""
            yield f"         CPS >= {value} ({cutoff['basis']}): {words}{doubt}"
    for part in document["slides"]:
        counts = part["counts"]
        cells = counts["tumour_positive"] + counts["tumour_negative"]
        stands = "" if part["stands_for_case"] else "; does not stand for the case"
        yield (
            f"slide    {part['name']}: CPS {two_decimals(part['cps'])}, {cells} tumour cells "
            f"({part['share_of_tumour_cells']:.0%} of the case){stands}"
        )
    for left in document["left_out"]:
        yield f"left out {left['slide']}: {'; '.join(left['because'])}"
    yield from (f"because  {reason}" for reason in document["not_evaluable_because"])
    yield str(document["research_use"])
