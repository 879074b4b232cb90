"""From `agreement.json` to `report.html`, `tables/` and `figures/`; knows nothing of how it was computed."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxpath.exchange.whole_file import output_error, whole_file
from cxpath.report.agreement.methods import methods_paragraphs
from cxpath.report.agreement.pair_figures import (
    Compared,
    bland_altman_figure,
    confusion_figure,
    passing_bablok_figure,
    scatter_figure,
)
from cxpath.report.agreement.reader_figures import forest_figure, heat_map_figure, onest_figure
from cxpath.report.agreement.tables import Table, number, study_tables, write_tables
from cxpath.report.page_template import render_page
from cxpath.report.run_folder import read_json

DOCUMENT = "agreement.json"
SCHEMA = "cxpath/agreement/1"
_HINT = "run cxpath agree run again, or give a folder that it wrote"
_ENOUGH_TO_DRAW = 3


@dataclass(frozen=True)
class Drawn:
    """A figure of the page: its file, its caption, and whether it takes the whole width."""

    path: Path
    caption: str
    wide: bool = False

    @property
    def uri(self) -> str:
        """The picture as a data URI: vector, inside the page."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.path.read_bytes()).decode("ascii")


def build_agreement_report(folder: Path) -> Path:
    """Write page, tables and figures beside `agreement.json`; returns the page.

    Raises
    ------
    MissingFileError, RunFolderError
        When `agreement.json` is not there, or not what its name says.
    OutputError
        When something cannot be written.
    """
    document = read_agreement(folder)
    for name in ("tables", "figures"):
        try:
            (folder / name).mkdir(exist_ok=True)
        except OSError as error:
            raise output_error(folder / name, error) from error
    tables = study_tables(document)
    write_tables(tables, folder / "tables")
    html = render_page(
        "agreement.html.j2",
        document=document,
        headline=headline(document),
        rounds=[_round_parts(document, one, folder / "figures", tables) for one in document["rounds"]],
        over_rounds=[table for table in tables if _round_of(table) == "over"],
        methods=methods_paragraphs(document),
    )
    page = folder / "report.html"
    with whole_file(page) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    return page


def read_agreement(folder: Path) -> dict[str, Any]:
    """Read `agreement.json` of a folder; raises as `build_agreement_report` does."""
    return read_json(folder / DOCUMENT, SCHEMA, _HINT)


_HEADLINE = (
    ("between readers", "icc_a1", "log10(score + 1)"),
    ("between readers", "pairwise_opa", ""),
    ("between readers", "ac1", ""),
    ("comparison", "ccc", "log10(score + 1)"),
    ("comparison", "opa", ""),
    ("software against readers", "difference_opa_consensus", ""),
    ("software against readers", "difference_ccc_consensus", ""),
)


def headline(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the few figures that stand first: label, estimate, interval, of which part."""
    found = []
    for one in document["statistics"]:
        place = (one["analysis"], one["key"])
        wanted = [scale for analysis, key, scale in _HEADLINE if (analysis, key) == place]
        if (
            not wanted
            or (wanted[0] and one.get("scale") != wanted[0])
            or one.get("indeterminate", "").startswith("indeterminate as")
        ):
            continue
        if "/" in one.get("cutoff", ""):
            continue
        edges = one["interval"]
        found.append(
            {
                "part": _part(one),
                "round": one["round"],
                "label": f"{one['label']}, {one.get('cutoff') or one.get('scale', '')}",
                "estimate": number(one["estimate"], one["key"]),
                "interval": f"{number(edges[0], '')} to {number(edges[1], '')}" if edges else "",
                "note": one["note"],
            }
        )
    return found


def _part(one: Mapping[str, Any]) -> str:
    if one["analysis"] != "comparison":
        return str(one["analysis"])
    return f"{one['compared']} against {one['reference']}"


def _round_parts(
    document: Mapping[str, Any], one: Mapping[str, Any], folder: Path, tables: list[Table]
) -> dict[str, Any]:
    many = len(document["rounds"]) > 1
    ending = f"round-{one['round']}"
    own = [table for table in tables if (_round_of(table) == ending if many else _round_of(table) == "")]
    return {
        "number": one["round"],
        "facts": one,
        "figures": list(_figures(document, one, folder, f"-{ending}" if many else "")),
        "tables": own,
    }


def _round_of(table: Table) -> str:
    _, found, number_ = table.key.rpartition("-round-")
    if not found:
        return ""
    return "over" if "and" in number_ else f"round-{number_}"


def _figures(
    document: Mapping[str, Any], one: Mapping[str, Any], folder: Path, ending: str
) -> Iterator[Drawn]:
    own = [s for s in document["statistics"] if s["round"] == str(one["round"])]
    pair = _compared(document, one, own)
    if pair is not None:
        what = f"{pair.compared} against {pair.reference}"
        start = f"{what[:1].upper()}{what[1:]}"
        yield Drawn(
            scatter_figure(pair, folder, f"scatter{ending}"),
            f"{start}. Dashed: cut-offs; triangles: on different sides of one. Axes: log10(score + 1).",
        )
        yield Drawn(
            confusion_figure(pair, folder, f"confusion{ending}"),
            f"{start}: cases, and their share of the reference's level.",
        )
        yield Drawn(
            bland_altman_figure(pair, folder, f"bland-altman{ending}", ratio=False),
            f"Bland-Altman, {what}: bias and 95 % limits of agreement with exact intervals.",
        )
        yield Drawn(
            bland_altman_figure(pair, folder, f"bland-altman-ratio{ending}", ratio=True),
            "The same as ratio of (score + 1): to quote when differences grow with the score.",
        )
        yield Drawn(
            passing_bablok_figure(pair, folder, f"passing-bablok{ending}"),
            f"Passing-Bablok regression, {what}; band: intervals of slope and intercept.",
        )
    if one["onest"] and len(one["readers"]) >= _ENOUGH_TO_DRAW:
        yield Drawn(
            onest_figure(one["onest"], folder, f"onest{ending}"),
            "ONEST: cases on which all readers agree. Line: mean over all sets of readers. Band: 95 % of "
            "random orders. Bar: bootstrap interval over cases.",
        )
    for pairwise in one["pairwise"] if len(one["readers"]) >= _ENOUGH_TO_DRAW else ():
        if pairwise["measure"] == "OPA":
            continue
        where = pairwise.get("cutoff") or "scores"
        name = f"readers-{pairwise['measure'].split()[-1].lower()}-{where.replace('≥ ', 'at-')}{ending}"
        yield Drawn(
            heat_map_figure(pairwise, folder, name),
            f"{pairwise['measure']} of every two readers ({pairwise.get('cutoff') or pairwise['scale']}); "
            "readers in order of their mean.",
        )
    subgroups = [s for s in own if s["analysis"] == "subgroup"]
    if len({(s["grouping"], s["subgroup"]) for s in subgroups}) > 1:
        yield Drawn(
            forest_figure(subgroups, folder, f"forest{ending}"),
            "Main figures of all cases (diamond, band) and subgroups (squares), with intervals.",
            wide=True,
        )


def _compared(
    document: Mapping[str, Any], one: Mapping[str, Any], statistics: list[Mapping[str, Any]]
) -> Compared | None:
    """Return what the figures of the comparison need; None with fewer cases than can be drawn."""
    if not one["compared"]:
        return None
    x, y = (
        np.array([np.nan if v is None else v for v in one[side]["values"]], dtype=np.float64)
        for side in ("reference", "compared")
    )
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < _ENOUGH_TO_DRAW:
        return None
    return Compared(
        x=x[both],
        y=y[both],
        reference=one["reference"]["name"],
        compared=one["compared"]["name"],
        score=document["score"],
        cutoffs=tuple(document["settings"]["cutoffs"]),
        statistics={(s["key"], s.get("scale", "")): s for s in statistics if s["analysis"] == "comparison"},
    )
