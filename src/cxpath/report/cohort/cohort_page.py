"""From a cohort's table to `cohort.html`: one file that opens offline, links to each slide's report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from cxpath.exchange.whole_file import whole_file
from cxpath.report.cohort.control_chart import HEIGHT, WIDTH, ControlChart, draw_chart, printed
from cxpath.report.cohort.cps_distribution import BAR_HEIGHT, cps_distribution
from cxpath.report.embedding import data_uri
from cxpath.report.number_line import WIDTH as LINE_WIDTH
from cxpath.report.page_template import render_page
from cxpath.report.wording import MISSING, RESEARCH_USE, area, interval, seconds, whole

NAME = "cohort.html"
MOST_THUMBNAILS = 1500
"""Of larger cohorts, the first slides have a thumbnail: the page must stay one that a browser opens."""

_THUMBNAIL_PX, _THUMBNAIL_QUALITY = 120, 62
_SYMBOLS = {"scored": "full", "not evaluable": "hollow", "failed": "cross"}


def build_cohort_page(
    folder: Path, rows: Sequence[Mapping[str, Any]], charts: Sequence[ControlChart] = ()
) -> Path:
    """Write `cohort.html` into a batch's folder; returns the page.

    Parameters
    ----------
    folder : Path
        Holds the slides' folders under their ids.
    rows : sequence of mapping
        The cohort table.
    charts : sequence of ControlChart

    Raises
    ------
    OutputError
        When the page cannot be written.
    """
    scored = [row for row in rows if row["status"] == "scored"]
    html = render_page(
        "cohort.html.j2",
        styles=("report.css", "cohort.css"),
        script=_script(),
        printed=printed,
        research_use=RESEARCH_USE,
        title=folder.absolute().name,
        counts=Counter(row["status"] for row in rows),
        facts=_facts(rows),
        slides=[_slide(folder, row, number) for number, row in enumerate(rows)],
        distribution=cps_distribution([row["cps"] for row in scored if row["cps"] is not None]),
        bar_height=BAR_HEIGHT,
        line_width=LINE_WIDTH,
        borderline=sum(bool(row["borderline"]) for row in scored),
        failures=[row for row in rows if row["status"] == "failed"],
        not_evaluable=[row for row in rows if row["status"] == "not evaluable"],
        times=_times(rows),
        charts=[draw_chart(chart) for chart in charts],
        chart_width=WIDTH,
        chart_height=HEIGHT,
    )
    page = folder / NAME
    with whole_file(page) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    return page


def _script() -> Markup:
    return Markup((files("cxpath.report") / "templates" / "cohort.js").read_text(encoding="utf-8"))


def _facts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the slides have in common, or that they differ."""
    found = []
    for name, word in (("assay", "Assay"), ("model", "Model"), ("cxpath", "cxpath")):
        values = sorted({str(row[name]) for row in rows if row[name]})
        if values:
            found.append(f"{word}: {', '.join(values[:3])}{' …' if len(values) > 3 else ''}")
    return found


def _slide(folder: Path, row: Mapping[str, Any], number: int) -> dict[str, Any]:
    ended_well = row["status"] != "failed"
    thumbnail = folder / str(row["id"]) / "tissue.png"
    shown = ended_well and number < MOST_THUMBNAILS and thumbnail.is_file()
    return {
        "id": row["id"],
        "slide": row["slide"],
        "link": f"{quote(str(row['id']))}/report.html" if ended_well else None,
        "thumbnail": data_uri(thumbnail, _THUMBNAIL_PX, _THUMBNAIL_QUALITY) if shown else None,
        "case": row["case"] or "",
        "block": row["block"] or "",
        "batch": row["batch"] or row["scanner"] or "",
        "status": row["status"],
        "symbol": _SYMBOLS[str(row["status"])],
        "borderline": bool(row["borderline"]),
        "cps": row["cps"],
        "cps_reported": row["cps_reported"] or MISSING,
        "interval": interval([row["cps_low"], row["cps_high"]]),
        "tps": MISSING if row["tps"] is None else f"{row['tps']:.1f}",
        "tps_value": row["tps"],
        "tumour_cells": whole(row["viable_tumour_cells"]),
        "tumour_cells_value": row["viable_tumour_cells"],
        "area": area(row["scored_mm2"]),
        "area_value": row["scored_mm2"],
        "seconds": seconds(row["seconds"] or 0.0),
        "seconds_value": row["seconds"] or 0.0,
    }


def _times(rows: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    found = [row["seconds"] for row in rows if row["seconds"] and row["status"] != "failed"]
    if not found:
        return None
    slowest = max(rows, key=lambda row: row["seconds"] or 0.0)
    return {
        "median": seconds(median(found)),
        "longest": seconds(slowest["seconds"]),
        "slowest": str(slowest["id"]),
        "total": seconds(sum(found)),
    }
