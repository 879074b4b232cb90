"""From an evaluation's folder to `evaluation.md`: tables of figures to paste into a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cxpath.exchange.whole_file import whole_file
from cxpath.report.evaluation_page import figure_sections, read_evaluation

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
    with whole_file(path) as partial:
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
        yield from (_row(row) for row in section["figures"])
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


def _row(row: Mapping[str, str]) -> str:
    target = f"{row['target']} **{row['verdict']}**" if row["verdict"] else row["target"]
    return f"| {row['label']} | {target} | {row['value']} | {row['interval']} | {row['n']} |"
