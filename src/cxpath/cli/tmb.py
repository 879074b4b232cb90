"""`cxpath tmb`: tumour mutational burden from a file of variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cxpath.cli.printing import JsonNotSummary, print_document


class Normal(StrEnum):
    """Choices of `--normal`."""

    MATCHED = "matched"
    NONE = "none"


def tmb(
    variants: Annotated[Path, typer.Argument(help="VCF, BCF or MAF, plain or gzipped.")],
    preset: Annotated[str, typer.Option(help="f1cdx_like, msk_like, wes_nonsyn or tso500_like.")],
    bed: Annotated[Path | None, typer.Option(help="The panel's coding targets (BED).")] = None,
    callable_bed: Annotated[
        Path | None, typer.Option("--callable", help="Where the depth was enough (BED).")
    ] = None,
    megabases: Annotated[float | None, typer.Option(help="Megabases, where there is no BED.")] = None,
    sample: Annotated[str | None, typer.Option(help="The tumour's sample; of a MAF all by default.")] = None,
    normal: Annotated[
        Normal | None, typer.Option(help="Whether a matched normal was called against.")
    ] = None,
    purity: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of tumour cells, 0 to 1.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tmb.json.")] = None,
    as_json: JsonNotSummary = False,
) -> None:
    """Count what a preset counts, over the megabases, with an exact interval and every filter's part.

    A preset follows the example of a published method and is never interchangeable with it.
    """
    from cxpath.biomarkers.tmb.burden import Circumstances
    from cxpath.runs.tmb import TmbRequest, tmb_document, write_tmb

    matched = None if normal is None else normal is Normal.MATCHED
    document = tmb_document(
        TmbRequest(
            variants=variants,
            preset=preset,
            bed=bed,
            callable_bed=callable_bed,
            megabases=megabases,
            sample=sample,
            circumstances=Circumstances(matched, purity),
        )
    )
    if out is not None:
        write_tmb(out, document)
    print_document(document, _lines(document), as_json=as_json)


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    if "samples" in document:
        yield from _table(document["samples"])
    else:
        yield from _one(document)
    yield str(document["research_use"])


def _one(result: Mapping[str, Any]) -> Iterator[str]:
    low, high = result["interval"]
    yield f"sample   {result['sample']}"
    yield (
        f"TMB      {result['value']:.2f} per Mb, {result['method']} "
        f"({result['level']:.0%} interval {low:.1f} to {high:.1f})"
    )
    yield f"         {result['variants']} variants, {result['megabases']:.4g} Mb"
    for step in result["funnel"]:
        unknown = f", {step['unknown']} not stated and kept" if step["unknown"] else ""
        part = f"-{step['removed']}{unknown}" if step["applied"] else f"not applied: {step['why_not']}"
        yield f"         {step['left']:8}  {step['step']}  ({part})"
    yield from (f"not made {what}" for what in result["not_reproduced"])
    yield from (f"warning  {warning}" for warning in result["warnings"])


def _table(results: list[Mapping[str, Any]]) -> Iterator[str]:
    from statistics import median

    yield f"{'sample':24} {'TMB':>8}  {'95 % interval':>16}  variants"
    for one in results:
        low, high = one["interval"]
        yield f"{one['sample']:24} {one['value']:8.2f}  {low:7.2f} to {high:5.2f}  {one['variants']:8}"
    middle = median(one["value"] for one in results)
    yield f"{len(results)} samples, median {middle:.2f} per Mb, {results[0]['method']}"
    idle = [f"{step['step']} ({step['why_not']})" for step in results[0]["funnel"] if not step["applied"]]
    yield from (f"not applied: {step}" for step in idle)
    yield from (f"warning  {warning}" for warning in results[0]["warnings"])
