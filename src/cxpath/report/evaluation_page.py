"""From an evaluation's folder to `evaluation.html`: one file with every figure and a contact sheet.

Reads `evaluation.json` and the pictures it names; knows nothing of how they were measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cxpath.exchange.whole_file import output_error, whole_file
from cxpath.report.embedding import embedded
from cxpath.report.evaluation_reliability import SIDE_PX, reliability_diagrams
from cxpath.report.field_picture import field_picture
from cxpath.report.page_template import render_page
from cxpath.report.png_file import write_png
from cxpath.report.run_folder import read_json
from cxpath.values.errors import MissingFileError

SCHEMA = "cxpath/evaluation/1"
_HINT = "run cxpath evaluate again, or give a folder that it wrote"
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
    with whole_file(page) as partial:
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
        {"x": _place(one["true_cps"]), "y": PLOT_PX - _place(one["called_cps"]), "arm": one["arm"]}
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
