"""Every figure of the results on the accuracy page is one of the laboratory notebook or the model's card.

The page is written by hand and rounded; the notebook's tables and the card are written by `make evaluate`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from cxpath.scores.settings import SlideErrorSettings
from scripts.studies.measure_interval_width import interval_at
from tests.docs.pages import NOTEBOOK, ROOT

PAGE = ROOT / "docs" / "accuracy.md"
CARD = ROOT / "models" / "small" / "card.toml"
_NUMBER = re.compile(r"\d*\.?\d+")
_NOTEBOOK_DECIMALS = 3

F1_OF_BRCA = ("tumour cells, F1", "lymphocyte cells, F1", "stromal cells, F1", "any cell, F1")
F1_OF_CONSEP = ("epithelial cells, F1", "inflammatory cells, F1", "stromal cells, F1", "any cell, F1")
RIGHT_SIDES = ("slides on the right side of CPS 1", "slides on the right side of CPS 10")
CONCORDANCE = "Lin's concordance of log10(CPS + 1)"
ABOVE = "slides with true CPS below 0.5 that score 1 or more"
USUAL = "BRCA-M2C.*painting usual"

SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "restained BRCA-M2C, F1 of tumour / lymphocyte / stromal / any cell": (USUAL, F1_OF_BRCA),
    "the same, painted in a way not used for training": ("BRCA-M2C.*painting reserved", F1_OF_BRCA),
    "restained CoNSeP, F1 of epithelial / inflammatory / stromal / any cell": ("CoNSeP", F1_OF_CONSEP),
    "restained BRCA-M2C, F1 of PD-L1 positive tumour cells": (USUAL, ("PD-L1 positive tumour cells, F1",)),
    "painted membrane staining, AUC": (USUAL, ("painted membrane staining of epithelial cells, AUC",)),
    "calibration error of class / staining, restained BRCA-M2C": (
        USUAL,
        ("expected calibration error of the class", "expected calibration error of the staining"),
    ),
    "restained slides: concordance of log10(CPS + 1); right side of CPS 1 / 10": (
        "slides of restained tiles",
        (CONCORDANCE, *RIGHT_SIDES),
    ),
    "OS-2, one field on two scanners: difference of counts; largest difference of a class share": (
        "OS-2",
        ("difference of cell counts between two scanners", "largest difference of a class share, points"),
    ),
    "300 synthetic slides in new colours: macro-F1; concordance; right side of CPS 1 / 10; "
    "below 0.5 scored 1 or more": (
        "synthetic slides, stain directions 10°",
        ("macro-F1 of tumour ± and immune ±", CONCORDANCE, *RIGHT_SIDES, ABOVE),
    ),
}
"""Row of the page: heading of the notebook's table, and its figures in the row's order."""

INTERVAL_ROW = (
    "interval at CPS 5 with 5,000 tumour cells on even fields, upper over lower end; coverage on 400 slides"
)


@dataclass(frozen=True)
class Measured:
    """One figure of the notebook."""

    result: float
    target: float | None
    verdict: str


@cache
def page_rows() -> dict[str, tuple[str, str]]:
    """Return result and target of each row of the results, as they are written."""
    results = PAGE.read_text(encoding="utf-8").split("## Results")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in results.splitlines() if "|" in line]
    return {name: (result, target) for name, result, target in cells[2:]}


@cache
def notebook_tables() -> dict[str, dict[str, Measured]]:
    """Return the notebook's figures by heading and name; a name that is repeated keeps its first figure."""
    found: dict[str, dict[str, Measured]] = {}
    table: dict[str, Measured] = {}
    for line in (NOTEBOOK / "accuracy.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if line.startswith("**"):
            table = found.setdefault(line, {})
        elif len(cells) == 5 and _NUMBER.fullmatch(cells[2]):
            target = _NUMBER.search(cells[1])
            verdict = cells[1].split("**")[1] if target else ""
            measured = Measured(float(cells[2]), float(target[0]) if target else None, verdict)
            table.setdefault(cells[0], measured)
    return found


def figures(row: str) -> list[Measured]:
    heading, names = SOURCES[row]
    (table,) = [one for line, one in notebook_tables().items() if re.search(heading, line) and one]
    return [table[name] for name in names]


def stated(text: str) -> list[tuple[float, float]]:
    """Return each number of a cell as a share or as it is, with half of its last digit.

    `100 / 90 %` are two shares: a unit holds for all numbers up to the semicolon or comma before it.
    """
    found = []
    for part in re.split(r"[;,] ", text.split("**", maxsplit=1)[0]):
        scale = 100.0 if "%" in part else 1.0
        for number in _NUMBER.findall(part):
            decimals = len(number.partition(".")[2])
            found.append((float(number) / scale, 0.5 * 10.0**-decimals / scale))
    return found


def test_every_row_of_the_results_has_a_source() -> None:
    assert set(page_rows()) == {*SOURCES, INTERVAL_ROW}


@pytest.mark.parametrize("row", SOURCES)
def test_every_result_is_the_notebooks_rounded(row: str) -> None:
    result, _ = page_rows()[row]
    measured = [one.result for one in figures(row)]
    assert len(stated(result)) == len(measured)
    rounding = 0.5 * 10.0**-_NOTEBOOK_DECIMALS
    for (number, half), true in zip(stated(result), measured, strict=True):
        assert number == pytest.approx(true, abs=half + rounding + 1e-9)


@pytest.mark.parametrize("row", SOURCES)
def test_every_target_and_verdict_is_the_notebooks(row: str) -> None:
    _, target = page_rows()[row]
    aimed = [one for one in figures(row) if one.target is not None]
    shown = [number for number, _ in stated(target)]
    assert list(dict.fromkeys(shown)) == list(dict.fromkeys(one.target for one in aimed))
    met = sum(one.verdict == "met" for one in aimed)
    numbers = ("none", "one", "two", "three", "four", "five")
    some = f"{numbers[met]} of {numbers[len(aimed)]} met"
    words = {0: "missed", len(aimed): "met"}.get(met, some)
    assert target.replace("*", "").endswith(words if aimed else "")


def test_the_interval_is_what_the_cards_error_term_gives() -> None:
    metrics: dict[str, Any] = tomllib.loads(CARD.read_text(encoding="utf-8"))["metrics"]
    prefix = "slide_error_"
    term = {
        name.removeprefix(prefix): one["value"] for name, one in metrics.items() if name.startswith(prefix)
    }
    (ratio, half), _ = stated(page_rows()[INTERVAL_ROW][0])
    assert ratio == pytest.approx(interval_at(5.0, SlideErrorSettings(**term)).ratio, abs=half)
    assert {one["count"] for name, one in metrics.items() if name.startswith(prefix)} == {400}


def test_the_coverage_is_the_notebooks() -> None:
    _, (coverage, half) = stated(page_rows()[INTERVAL_ROW][0])
    rows = (NOTEBOOK / "intervals.md").read_text(encoding="utf-8").splitlines()
    (shipped,) = [row for row in rows if "**shipped**" in row]
    share = re.search(r"(0\.\d+) \(400\) \|$", shipped)
    assert share
    assert coverage == pytest.approx(float(share[1]), abs=half + 1e-9)
