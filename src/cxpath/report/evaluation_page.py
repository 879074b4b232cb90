"""The page of a model's evaluation: figures, reliability and tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cxpath.documents import (
    EVALUATION_NAME,
    ContactPicture,
    EvaluatedReliability,
    Evaluation,
    Figure,
    PicturedCells,
    ResolutionCurve,
    SetSummary,
)
from cxpath.errors import MissingFileError
from cxpath.io import atomic_write, output_error
from cxpath.network import Metric
from cxpath.report.cell_pictures import field_picture
from cxpath.report.html import embedded, render_page, write_png

# Curves over µm/px of sets whose resolution nobody stated.


CURVE_WIDTH_PX, CURVE_HEIGHT_PX = 260, 170
_MOST_MPP = 0.65
_CURVES = (
    ("f1", "cells found, F1", "#0072b2"),
    ("tumour_classified_tumour", "tumour nuclei called tumour", "#a34400"),
    ("brown_classified_positive", "brown nuclei called PD-L1 positive tumour", "#5b6670"),
)


def resolution_plots(evaluation: Evaluation) -> list[dict[str, object]]:
    """Return what the page draws of each set of assumed resolution.

    Returns
    -------
    list of dict
        `title`, `assumed` (place across of the assumed µm/px), and `lines`: label, colour, points.
    """
    titles = {one.name: one.title for one in evaluation.sets}
    return [
        {
            "title": titles.get(curve.set_name, curve.set_name),
            "assumed_mpp": curve.assumed_mpp,
            "assumed": _across(curve.assumed_mpp),
            "lines": list(_curve_lines(curve)),
        }
        for curve in evaluation.curves
    ]


def _curve_lines(curve: ResolutionCurve) -> Iterator[dict[str, object]]:
    for name, label, colour in _CURVES:
        known = [(one.mpp, getattr(one, name)) for one in curve.points if getattr(one, name) is not None]
        if known:
            points = [_curve_place(mpp, value) for mpp, value in known]
            yield {"label": label, "colour": colour, "points": points}


def _curve_place(mpp: float, value: float) -> dict[str, object]:
    y = round((1 - value) * CURVE_HEIGHT_PX, 1)
    return {"x": _across(mpp), "y": y, "words": f"{mpp:g} µm/px: {value:.3f}"}


def _across(mpp: float) -> float:
    return round(mpp / _MOST_MPP * CURVE_WIDTH_PX, 1)


# Reliability diagrams of an evaluation: places to draw, and words to read next to them.


SIDE_PX = 260
"""Side of one diagram."""

_SMALLEST_RADIUS, _LARGEST_RADIUS = 2.5, 9.0
_TITLES = {
    "stained": "PD-L1 positive by the cell's rule",
    "kind": "the kind a cell is called",
}


def reliability_diagrams(evaluation: Evaluation) -> list[dict[str, object]]:
    """Return what the page draws, one entry a curve; empty for an evaluation without any.

    Returns
    -------
    list of dict
        `title`, `set_name`, `error` in words, `cells`, and `points`: place and radius of each bin (its
        area grows with the cells in it), with the words that a pointer shows.
    """
    return [_diagram(one) for one in evaluation.reliability]


def _diagram(one: EvaluatedReliability) -> dict[str, object]:
    curve = one.curve
    largest = max(curve.count)
    columns = zip(curve.mean_probability, curve.observed_share, curve.count, strict=True)
    return {
        "title": _TITLES[one.of_what],
        "set_name": one.set_name.replace("_", " "),
        "error": error_in_words(curve.expected_error),
        "cells": f"{sum(curve.count)} {curve.method}",
        "points": [_point(stated, seen, count, largest) for stated, seen, count in columns],
    }


def error_in_words(error: Metric) -> str:
    """Return "0.021 (0.018 to 0.025)", or the value alone."""
    known = error.low is not None and error.high is not None
    return f"{error.value:.3f} ({error.low:.3f} to {error.high:.3f})" if known else f"{error.value:.3f}"


def _point(stated: float, seen: float, count: int, largest: int) -> dict[str, object]:
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


_SHEET = "contact_sheet"

PLOT_PX = 420
"""Side of the plot of scores."""

_LARGEST_CPS = 100.0
_TICKS = (0, 1, 3, 10, 30, 100)


def build_evaluation_page(folder: Path) -> Path:
    """Write `evaluation.html`, and the marked pictures into `contact_sheet/`; returns the page.

    Raises
    ------
    MissingFileError, DocumentError
        When `evaluation.json` or a picture it names is not there, or not what its name says.
    OutputError
        When the page cannot be written.
    """
    folder = Path(folder)
    evaluation = read_evaluation(folder)
    sheet = embedded({path.name: path for path in _marked_pictures(folder, evaluation)})
    html = render_page(
        "evaluation.html.j2",
        evaluation=evaluation,
        sheet=sheet,
        sections=figure_sections(evaluation),
        plot=_plot(evaluation),
        diagrams=reliability_diagrams(evaluation),
        diagram_side=SIDE_PX,
        curves=resolution_plots(evaluation),
        curve_width=CURVE_WIDTH_PX,
        curve_height=CURVE_HEIGHT_PX,
        curve_ticks=[(mpp, _across(mpp)) for mpp in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)],
    )
    page = folder / "evaluation.html"
    with atomic_write(page) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    return page


def read_evaluation(folder: Path) -> Evaluation:
    """Read `evaluation.json` of a folder; raises as `build_evaluation_page` does."""
    return Evaluation.read(folder / EVALUATION_NAME)


@dataclass(frozen=True)
class FigureSection:
    """The figures of one body of images; `facts` is None for figures of several together."""

    title: str
    facts: SetSummary | None
    figures: tuple[FigureRow, ...]


@dataclass(frozen=True)
class FigureRow:
    """A figure in words."""

    label: str
    value: str
    interval: str
    target: str
    verdict: str
    n: str
    method: str


def figure_sections(evaluation: Evaluation) -> list[FigureSection]:
    """Return a title and the figures of each set; figures of several sets together come last."""
    known = {one.name: one for one in evaluation.sets}
    names = dict.fromkeys([*known, *(figure.set_name for figure in evaluation.figures)])
    return [
        FigureSection(
            title=known[name].title if name in known else name.replace("_", " "),
            facts=known.get(name),
            figures=tuple(_row(figure) for figure in evaluation.figures if figure.set_name == name),
        )
        for name in names
    ]


def _row(figure: Figure) -> FigureRow:
    known = figure.low is not None and figure.high is not None
    return FigureRow(
        label=figure.label,
        value="none" if figure.value is None else f"{figure.value:.3f}",
        interval=f"{figure.low:.3f} to {figure.high:.3f}" if known else "",
        target=str(figure.target) if figure.target else "",
        verdict={True: "met", False: "missed", None: ""}[figure.met],
        n=f"{figure.n} {figure.n_of}",
        method=figure.method,
    )


def _marked_pictures(folder: Path, evaluation: Evaluation) -> Iterator[Path]:
    """Draw the called cells on every picture, into `contact_sheet/`."""
    if not evaluation.pictures:
        return
    sheet = folder / _SHEET
    try:
        sheet.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(sheet, error) from error
    for entry in evaluation.pictures:
        path = sheet / f"{entry.set_name}-{entry.title}.png"
        write_png(_marked(folder, entry), path)
        yield path


def _marked(folder: Path, entry: ContactPicture) -> Image.Image:
    try:
        cells = PicturedCells.model_validate_json((folder / entry.cells).read_bytes())
        with Image.open(folder / entry.picture) as opened:
            rgb = np.asarray(opened.convert("RGB"))
    except (OSError, ValueError) as error:
        path = folder / entry.picture
        raise MissingFileError(f"{path}: not readable with its cells", Evaluation.HINT) from error
    return field_picture(
        rgb,
        np.array(cells.x_px, dtype=np.float64),
        np.array(cells.y_px, dtype=np.float64),
        np.array(cells.kind, dtype=np.uint8),
        np.array(cells.positive, dtype=bool),
        entry.mpp,
    )


def _plot(evaluation: Evaluation) -> dict[str, object] | None:
    """Return places of a plot of called against true CPS, both on a scale of log10(CPS + 1)."""
    if not evaluation.slides:
        return None
    first = evaluation.slides[0].arm
    return {
        "side": PLOT_PX,
        "points": [
            {
                "x": _place(one.true_cps),
                "y": PLOT_PX - _place(one.predicted_cps),
                "first": one.arm == first,
            }
            for one in evaluation.slides
        ],
        "ticks": [{"cps": cps, "at": _place(cps)} for cps in _TICKS],
        "arms": list(dict.fromkeys(one.arm.replace("_", " ") for one in evaluation.slides)),
    }


def _place(cps: float) -> float:
    return round(float(np.log10(cps + 1) / np.log10(_LARGEST_CPS + 1)) * PLOT_PX, 1)


# From an evaluation's folder to `evaluation.md`: tables of figures to paste into a document.


_HEAD = ("| figure | target | result | 95 % interval | of |", "|---|---:|---:|---:|---|")


def write_evaluation_table(folder: Path) -> Path:
    """Write `evaluation.md` next to `evaluation.json`; returns its path.

    Raises
    ------
    MissingFileError, DocumentError
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


def table_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield one table a set, and what the synthetic test set contained."""
    model = evaluation.model
    yield (
        f"Model `{model.name}` {model.version}, weights `{model.digest[:12]}`, "
        f"centre threshold {model.centre_threshold:g}, stained threshold {model.stained_threshold:g}; "
        f"cxpath {model.cxpath}, {model.device}, {model.precision}. {evaluation.research_use}"
    )
    curves = {curve.set_name: curve for curve in evaluation.curves}
    for section in figure_sections(evaluation):
        if section.facts is not None and section.facts.name in curves:
            yield from _curve_table(section, curves[section.facts.name])
            continue
        yield from ("", f"**{section.title}**{_facts(section.facts)}", "", *_HEAD)
        yield from (_figure_row(row) for row in section.figures)
    if evaluation.composition:
        yield from ("", "**What the synthetic test set contains**", "", "| ingredient | required | found |")
        yield "|---|---:|---:|"
        for one in evaluation.composition:
            yield f"| {one.label} | ≥ {one.required:g} | {one.value:g} |"


def _curve_table(section: FigureSection, curve: ResolutionCurve) -> Iterator[str]:
    """Yield a set of assumed resolution as a table over µm/px, and what was gated at the assumed one."""
    yield from ("", f"**{section.title}** ({curve.images} images, {curve.labels} labels)", "")
    columns = ["µm/px", *(f"{one.mpp:g}" for one in curve.points)]
    yield "| " + " | ".join(columns) + " |"
    yield "|---|" + "---:|" * len(curve.points)
    for name, label, _ in _CURVES:
        values = [getattr(one, name) for one in curve.points]
        if any(value is not None for value in values):
            yield "| " + " | ".join([label, *("" if one is None else f"{one:.3f}" for one in values)]) + " |"
    gated = [
        f"{row.label} {row.value} ({row.interval}), {row.target} **{row.verdict}**"
        for row in section.figures
        if row.verdict
    ]
    if gated:
        yield from ("", f"Target, at {curve.assumed_mpp:g} µm/px assumed beforehand: {'; '.join(gated)}.")


def _facts(facts: SetSummary | None) -> str:
    if facts is None:
        return ""
    mpp = f"{facts.mpp:g} µm/px {facts.mpp_source}" if facts.mpp else f"µm/px {facts.mpp_source}"
    return f" ({facts.items} measured, {mpp})"


def _figure_row(row: FigureRow) -> str:
    target = f"{row.target} **{row.verdict}**" if row.verdict else row.target
    return f"| {row.label} | {target} | {row.value} | {row.interval} | {row.n} |"
