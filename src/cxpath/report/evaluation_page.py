"""The page of a model's evaluation: figures, reliability and tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cxpath.documents.run import read_json
from cxpath.errors import MissingFileError
from cxpath.io.atomic import atomic_write, output_error
from cxpath.report.cell_pictures import field_picture
from cxpath.report.drawing import write_png
from cxpath.report.html import embedded, render_page

# Reliability diagrams of an evaluation: places to draw, and words to read beside them.


SIDE_PX = 260
"""Side of one diagram."""

_SMALLEST_RADIUS, _LARGEST_RADIUS = 2.5, 9.0
_TITLES = {
    "stained": "PD-L1 positive by the cell's rule",
    "kind": "the kind a cell is called",
}


def reliability_diagrams(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the page draws, one entry a curve; empty for an evaluation without any.

    Returns
    -------
    list of dict
        `title`, `set_name`, `error` in words, `cells`, and `points`: place and radius of each bin (its
        area grows with the cells in it), with the words that a pointer shows.
    """
    return [_diagram(one) for one in evaluation.get("reliability", ())]


def _diagram(one: Mapping[str, Any]) -> dict[str, Any]:
    curve = one["curve"]
    largest = max(curve["count"])
    columns = zip(curve["mean_probability"], curve["observed_share"], curve["count"], strict=True)
    return {
        "title": _TITLES[one["of"]],
        "set_name": one["set_name"].replace("_", " "),
        "error": error_in_words(curve["expected_error"]),
        "cells": f"{sum(curve['count'])} {curve['method']}",
        "points": [_point(stated, seen, count, largest) for stated, seen, count in columns],
    }


def error_in_words(error: Mapping[str, Any]) -> str:
    """Return "0.021 (0.018 to 0.025)", or the value alone."""
    interval = f" ({error['low']:.3f} to {error['high']:.3f})" if error.get("low") is not None else ""
    return f"{error['value']:.3f}{interval}"


def _point(stated: float, seen: float, count: int, largest: int) -> dict[str, Any]:
    radius = max(_SMALLEST_RADIUS, _LARGEST_RADIUS * (count / largest) ** 0.5)
    return {
        "x": round(stated * SIDE_PX, 1),
        "y": round((1 - seen) * SIDE_PX, 1),
        "radius": round(radius, 1),
        "words": f"{count} cells: stated {stated:.3f}, true {seen:.3f}",
    }


# From an evaluation's folder to `evaluation.html`: one file with every figure and a contact sheet.
#
# Reads `evaluation.json` and the pictures it names; knows nothing of how they were measured.


SCHEMA = "cxpath/evaluation/1"
_HINT = "run cxpath model evaluate again, or give a folder that it wrote"
_SHEET = "contact_sheet"

PLOT_PX = 420
"""Side of the plot of scores."""

_LARGEST_CPS = 100.0
_TICKS = (0, 1, 3, 10, 30, 100)


def build_evaluation_page(folder: Path) -> Path:
    """Write `evaluation.html`, and the marked pictures into `contact_sheet/`; returns the page.

    Raises
    ------
    MissingFileError, RunFolderError
        When `evaluation.json` or a picture it names is not there, or not what its name says.
    OutputError
        When the page cannot be written.
    """
    folder = Path(folder)
    evaluation = read_evaluation(folder)
    sheet = embedded({path.name: path for path in _marked_pictures(folder, evaluation)})
    html = render_page(
        "evaluation.html.j2",
        sheet=sheet,
        sections=figure_sections(evaluation),
        plot=_plot(evaluation),
        diagrams=reliability_diagrams(evaluation),
        diagram_side=SIDE_PX,
        **evaluation,
    )
    page = folder / "evaluation.html"
    with atomic_write(page) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    return page


def read_evaluation(folder: Path) -> dict[str, Any]:
    """Read `evaluation.json` of a folder; raises as `build_evaluation_page` does."""
    return read_json(folder / "evaluation.json", SCHEMA, _HINT)


def figure_sections(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a title and the figures of each set; figures of several sets together come last."""
    titles = {one["name"]: one for one in evaluation["sets"]}
    names = [*titles, *dict.fromkeys(figure["set_name"] for figure in evaluation["figures"])]
    return [
        {
            "title": titles[name]["title"] if name in titles else name.replace("_", " "),
            "facts": titles.get(name),
            "figures": [_row(figure) for figure in evaluation["figures"] if figure["set_name"] == name],
        }
        for name in dict.fromkeys(names)
    ]


def _row(figure: Mapping[str, Any]) -> dict[str, str]:
    target = figure["target"] or {}
    least, most = target.get("at_least"), target.get("at_most")
    bound = f"≥ {least:g}" if least is not None else f"≤ {most:g}" if most is not None else ""
    return {
        "label": figure["label"],
        "value": "none" if figure["value"] is None else f"{figure['value']:.3f}",
        "interval": f"{figure['low']:.3f} to {figure['high']:.3f}" if figure["low"] is not None else "",
        "target": bound,
        "verdict": {True: "met", False: "missed", None: ""}[figure["met"]],
        "n": f"{figure['n']} {figure['n_of']}",
        "method": figure["method"],
    }


def _marked_pictures(folder: Path, evaluation: Mapping[str, Any]) -> Iterator[Path]:
    """Draw the called cells on every picture, into `contact_sheet/`."""
    if not evaluation["pictures"]:
        return
    sheet = folder / _SHEET
    try:
        sheet.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(sheet, error) from error
    for entry in evaluation["pictures"]:
        path = sheet / f"{entry['set_name']}-{entry['title']}.png"
        write_png(_marked(folder, entry), path)
        yield path


def _marked(folder: Path, entry: Mapping[str, Any]) -> Image.Image:
    try:
        cells = json.loads((folder / entry["cells"]).read_text(encoding="utf-8"))
        with Image.open(folder / entry["picture"]) as opened:
            rgb = np.asarray(opened.convert("RGB"))
    except (OSError, ValueError) as error:
        raise MissingFileError(f"{folder / entry['picture']}: not readable with its cells", _HINT) from error
    return field_picture(
        rgb,
        np.array(cells["x_px"], dtype=np.float64),
        np.array(cells["y_px"], dtype=np.float64),
        np.array(cells["kind"], dtype=np.uint8),
        np.array(cells["positive"], dtype=bool),
        entry["mpp"],
    )


def _plot(evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return places of a plot of called against true CPS, both on a scale of log10(CPS + 1)."""
    if not evaluation["slides"]:
        return None
    points = [
        {"x": _place(one["true_cps"]), "y": PLOT_PX - _place(one["predicted_cps"]), "arm": one["arm"]}
        for one in evaluation["slides"]
    ]
    first = evaluation["slides"][0]["arm"]
    return {
        "side": PLOT_PX,
        "points": [point | {"first": point["arm"] == first} for point in points],
        "ticks": [{"cps": cps, "at": _place(cps)} for cps in _TICKS],
        "arms": list(dict.fromkeys(one["arm"].replace("_", " ") for one in evaluation["slides"])),
    }


def _place(cps: float) -> float:
    return round(float(np.log10(cps + 1) / np.log10(_LARGEST_CPS + 1)) * PLOT_PX, 1)


# From an evaluation's folder to `evaluation.md`: tables of figures to paste into a document.


_HEAD = ("| figure | target | result | 95 % interval | of |", "|---|---:|---:|---:|---|")


def write_evaluation_table(folder: Path) -> Path:
    """Write `evaluation.md` beside `evaluation.json`; returns its path.

    Raises
    ------
    MissingFileError, RunFolderError
        When `evaluation.json` is not there, or not what its name says.
    OutputError
        When the table cannot be written.
    """
    folder = Path(folder)
    path = folder / "evaluation.md"
    text = "\n".join(table_lines(read_evaluation(folder)))
    with atomic_write(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8", newline="\n")
    return path


def table_lines(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """Yield one table a set, and what the drawn test set held."""
    model = evaluation["model"]
    yield (
        f"Model `{model['name']}` {model['version']}, weights `{model['digest'][:12]}`, "
        f"centre threshold {model['centre_threshold']:g}, stained threshold {model['stained_threshold']:g}; "
        f"cxpath {model['cxpath']}, {model['device']}, {model['precision']}."
    )
    for section in figure_sections(evaluation):
        yield from ("", f"**{section['title']}**{_facts(section['facts'])}", "", *_HEAD)
        yield from (_figure_row(row) for row in section["figures"])
    if evaluation["composition"]:
        yield from ("", "**What the drawn test set holds**", "", "| ingredient | required | found |")
        yield "|---|---:|---:|"
        for one in evaluation["composition"]:
            yield f"| {one['label']} | ≥ {one['required']:g} | {one['value']:g} |"


def _facts(facts: Mapping[str, Any] | None) -> str:
    if facts is None:
        return ""
    mpp = f"{facts['mpp']:g} µm/px {facts['mpp_source']}" if facts["mpp"] else f"µm/px {facts['mpp_source']}"
    return f" ({facts['items']} measured, {mpp})"


def _figure_row(row: Mapping[str, str]) -> str:
    target = f"{row['target']} **{row['verdict']}**" if row["verdict"] else row["target"]
    return f"| {row['label']} | {target} | {row['value']} | {row['interval']} | {row['n']} |"
