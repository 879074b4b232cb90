"""The page of a reader study: unaided against aided reading, tests, methods, checklist."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxpath.documents import ArmsTestEntry, ChecklistEntry, StatisticEntry, StudyReportDocument
from cxpath.io import atomic_write, folder_for
from cxpath.report.agreement_figures import BLUE, GREY, INK, ORANGE, drawing, save
from cxpath.report.agreement_page import Table, minus, p_value, write_tables
from cxpath.report.html import render_page

# Items of CONSORT-AI, STARD and CLAIM that a reader study answers by itself, and those left to its authors.
#
# The questions are in our words; read the guidelines themselves before submitting.
#
# References
# ----------
# CONSORT-AI: Liu et al. 2020, Nature Medicine 26:1364. STARD 2015: Bossuyt et al. 2015, BMJ 351:h5527, which
# STARD-AI extends (protocol: Sounderajah et al. 2021, BMJ Open 11:e047709). CLAIM: Mongan, Moy & Kahn 2020,
# Radiology: Artificial Intelligence 2:e200029; 2024 update: Tejani et al. 2024, same journal 6:e240300.

Facts = Mapping[str, str]
"""What a study knows of itself, by name; see `study_facts` in `app/study_report`."""


@dataclass(frozen=True)
class _Item:
    guideline: str
    number: str
    asks: str
    fill: Callable[[Facts], str] = lambda facts: ""


def _fact(*names: str) -> Callable[[Facts], str]:
    """Fill an item with facts, one sentence after the other."""
    return lambda facts: " ".join(facts[name] for name in names if facts.get(name))


CONSORT, STARD, CLAIM = "CONSORT-AI", "STARD 2015 / STARD-AI", "CLAIM"

_ITEMS = (
    _Item(CONSORT, "1a,b (i)", "Do title or abstract say that AI is used, and which type of model?"),
    _Item(CONSORT, "1a,b (ii)", "Do title or abstract say what the AI is meant for?"),
    _Item(CONSORT, "2a (i)", "What is the AI's place in the clinical pathway, and who is to use it?"),
    _Item(CONSORT, "4a (i)", "Which participants were included and excluded?"),
    _Item(CONSORT, "4a (ii)", "Which input data (slides) were included and excluded?", _fact("slides")),
    _Item(CONSORT, "4b", "How was the AI integrated into the setting of the study?", _fact("display")),
    _Item(CONSORT, "5 (i)", "Which version of the algorithm was used?"),
    _Item(CONSORT, "5 (ii)", "How were the input data acquired and selected?"),
    _Item(CONSORT, "5 (iii)", "How were poor or missing input data handled?", _fact("inadequate")),
    _Item(CONSORT, "5 (iv)", "Did people handle the input, and with which expertise?"),
    _Item(CONSORT, "5 (v)", "What is the output of the AI?", _fact("output")),
    _Item(CONSORT, "5 (vi)", "How did its output enter decisions?", _fact("arms", "display")),
    _Item(CONSORT, "19", "Which errors did the AI make, and were they analysed?", _fact("anchoring")),
    _Item(CONSORT, "25", "Can the AI or its code be accessed, and under which terms?"),
    _Item(STARD, "5", "Was the study planned before the data were collected?", _fact("protocol")),
    _Item(STARD, "6", "What were the eligibility criteria?"),
    _Item(STARD, "10a", "How is the index test done, so that others can repeat it?", _fact("questions")),
    _Item(STARD, "10b", "How is the reference standard defined?", _fact("reference")),
    _Item(STARD, "12a", "Which cut-offs were used, and were they fixed beforehand?", _fact("cutoffs")),
    _Item(STARD, "13a", "What did the readers know while reading?", _fact("blinding")),
    _Item(STARD, "13b", "What did those who set the reference know?"),
    _Item(STARD, "14", "Which methods estimate and compare accuracy?", _fact("statistics")),
    _Item(STARD, "15", "How were indeterminate results handled?", _fact("inadequate")),
    _Item(STARD, "16", "How were missing data handled?", _fact("missing")),
    _Item(STARD, "18", "How was the number of cases and readers chosen?"),
    _Item(STARD, "19", "What was the flow of cases and reads?", _fact("flow")),
    _Item(CLAIM, "12", "How were data de-identified?", _fact("blinded_names")),
    _Item(CLAIM, "13", "How were missing data handled?", _fact("missing")),
    _Item(CLAIM, "14", "How is the ground truth defined?", _fact("reference")),
    _Item(CLAIM, "16", "Who annotated, with which qualifications and preparation?", _fact("readers")),
    _Item(CLAIM, "17", "With which tool were slides read?", _fact("tool")),
    _Item(CLAIM, "18", "How large is the variability between and within readers?", _fact("variability")),
    _Item(CLAIM, "19", "How was the sample size determined?"),
    _Item(CLAIM, "33", "What was the flow of cases?", _fact("flow")),
    _Item(CLAIM, "41", "Where is the full protocol?", _fact("protocol")),
)


def checklist(facts: Facts) -> tuple[ChecklistEntry, ...]:
    """Return the items, filled in where the study knows the answer."""
    return tuple(
        ChecklistEntry(guideline=one.guideline, item=one.number, asks=one.asks, filled=one.fill(facts))
        for one in _ITEMS
    )


_PAIRS = (
    ("On the right side of the cut-off", "right_unaided", "right_aided", "right_gain"),
    ("Readers with each other (pairwise)", "readers_unaided", "readers_aided", "readers_gain"),
)
_EVENTS = ("side_changed", "side_raised", "side_lowered", "anchored", "anchored_of_all", "corrected")
_TIMES = ("seconds_unaided", "seconds_aided", "seconds_saved", "time_ratio")


def build_study_page(folder: Path, document: StudyReportDocument, *, agreement: bool) -> Path:
    """Write `report.html`, `tables/` and `figures/`.

    Parameters
    ----------
    folder : Path
    document : StudyReportDocument
    agreement : bool
        Whether the page of the agreement study is next to it, to be linked.
    """
    tables = list(study_tables(document))
    write_tables(tables, folder_for(folder / "tables"))
    html = render_page(
        "study.html.j2",
        document=document,
        tables={table.key: table for table in tables},
        figures=list(_figures(document, folder_for(folder / "figures"))),
        agreement=agreement,
        filled=sum(bool(one.filled) for one in document.checklist),
    )
    path = folder / "report.html"
    with atomic_write(path) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    return path


# Tables, each of them as CSV and LaTeX, too.


def study_tables(document: StudyReportDocument) -> Iterator[Table]:
    """Yield the tables of a study."""
    whole = [one for one in document.statistics if not one.reader]
    cutoffs = list(dict.fromkeys(one.cutoff or "" for one in whole if one.cutoff))
    if whole:
        yield _arms_table(whole, cutoffs)
        yield _events_table("changes", "Changes of side, anchoring and correction", whole, _EVENTS)
    if any(one.key in _TIMES for one in whole):
        yield _events_table("time", "Time", whole, _TIMES)
    if document.tests:
        yield _tests_table(document.tests)
    own = [one for one in document.statistics if one.reader]
    if own:
        yield _readers_table(own, cutoffs)
    yield Table(
        "checklist",
        "Reporting guidelines",
        ("Guideline", "Item", "Asks", "This study"),
        tuple((one.guideline, one.item, one.asks, one.filled) for one in document.checklist),
    )


def _arms_table(statistics: Sequence[StatisticEntry], cutoffs: Sequence[str]) -> Table:
    found = {(one.key, one.cutoff): one for one in statistics}
    rows = [
        (cutoff, label, *(_shown(found.get((key, cutoff))) for key in keys))
        for cutoff in cutoffs
        for label, *keys in _PAIRS
        if (keys[0], cutoff) in found
    ]
    return Table(
        "arms",
        "Agreement, unaided and aided",
        ("Cut-off", "Share", "Unaided", "Aided", "Difference"),
        tuple(rows),
    )


def _events_table(key: str, title: str, statistics: Sequence[StatisticEntry], keys: Sequence[str]) -> Table:
    rows = [
        (one.cutoff or "", one.label, _value(one), _interval(one), one.method)
        for one in statistics
        if one.key in keys
    ]
    columns = ("Cut-off", "Figure", "Estimate", "Interval", "Of")
    if not any(row[0] for row in rows):
        return Table(key, title, columns[1:], tuple(row[1:] for row in rows))
    return Table(key, title, columns, tuple(rows))


def _tests_table(tests: Sequence[ArmsTestEntry]) -> Table:
    rows: list[tuple[str, ...]] = []
    for one in tests:
        if one.difference is None:
            rows.append((one.cutoff, one.figure, "", "", "", "", "", f"no test: {one.why}"))
            continue
        low, high = one.interval or (None, None)
        rows.append(
            (
                one.cutoff,
                one.figure,
                *(f"{arm.mean:.3f}" for arm in one.arms),
                minus(f"{one.difference:.3f} ({low:.3f} to {high:.3f})"),
                f"F(1, {'∞' if one.degrees is None else f'{one.degrees:.1f}'}) = {one.f:.2f}",
                p_value(one.p_value),
                f"{one.cases} cases" + (f", {one.left_out} left out" if one.left_out else ""),
            )
        )
    columns = ("Cut-off", "Figure of merit", "Unaided", "Aided", "Difference", "Test", "p", "Cases")
    return Table("mrmc", "Tests for readers and cases in general (Obuchowski-Rockette)", columns, tuple(rows))


def _readers_table(own: Sequence[StatisticEntry], cutoffs: Sequence[str]) -> Table:
    found = {(one.reader, one.key, one.cutoff or ""): one for one in own}
    readers = list(dict.fromkeys(one.reader or "" for one in own))
    columns = [
        (key, cutoff, f"{label}, {cutoff}")
        for cutoff in cutoffs
        for key, label in (
            ("right_unaided", "Unaided"),
            ("right_aided", "Aided"),
            ("side_changed", "Changed"),
        )
    ]
    times = [("seconds_unaided", "", "Seconds unaided"), ("seconds_aided", "", "Seconds aided")]
    columns += [one for one in times if any(key == one[0] for _, key, _ in found)]
    rows = [
        (reader, *(_value(found.get((reader, key, cutoff))) for key, cutoff, _ in columns))
        for reader in readers
    ]
    names = ("Reader", *(name for _, _, name in columns))
    return Table("readers", "Each reader: share on the right side, share changed", names, tuple(rows))


def _value(one: StatisticEntry | None) -> str:
    if one is None:
        return ""
    if one.estimate is None:
        return "not defined"
    return minus(f"{one.estimate:.1f}" if one.key.startswith("seconds") else f"{one.estimate:.3f}")


def _interval(one: StatisticEntry) -> str:
    if one.interval is None or None in one.interval:
        return ""
    digits = 1 if one.key.startswith("seconds") else 3
    return minus(" to ".join(f"{edge:.{digits}f}" for edge in one.interval if edge is not None))


def _shown(one: StatisticEntry | None) -> str:
    if one is None:
        return ""
    interval = _interval(one)
    return f"{_value(one)} ({interval})" if interval else _value(one)


# Figures.


@dataclass(frozen=True)
class StudyFigure:
    """A figure on the page."""

    uri: str
    caption: str


def _figures(document: StudyReportDocument, folder: Path) -> Iterator[StudyFigure]:
    gains = [one for one in document.statistics if one.key == "right_gain" and one.estimate is not None]
    if gains:
        yield _embedded(
            _gain_figure(gains, folder),
            "Change of the share of reads on the right side, aided less unaided: each reader (interval over "
            "patients) and all (interval over readers and patients).",
        )
    times = [
        one for one in document.statistics if one.key in {"seconds_unaided", "seconds_aided"} and one.reader
    ]
    if times:
        yield _embedded(_time_figure(times, folder), "Mean time of a slide, each reader.")


def _embedded(path: Path, caption: str) -> StudyFigure:
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return StudyFigure(f"data:image/svg+xml;base64,{content}", caption)


def _gain_figure(gains: Sequence[StatisticEntry], folder: Path) -> Path:
    """Draw the gain of every reader and of all, one row each, cut-offs below each other."""
    cutoffs = list(dict.fromkeys(one.cutoff for one in gains))
    rows = [one for cutoff in cutoffs for one in _ordered([g for g in gains if g.cutoff == cutoff])]
    with drawing(width=5.2, height=0.7 + 0.24 * len(rows)) as (figure, axes):
        for place, one in enumerate(reversed(rows)):
            whole = not one.reader
            colour = ORANGE if whole else BLUE
            low, high = one.interval or (None, None)
            if low is not None and high is not None:
                axes.hlines(place, low, high, color=colour, linewidth=1.8 if whole else 1.1)
            shown = float("nan") if one.estimate is None else one.estimate
            axes.plot([shown], [place], "D" if whole else "s", color=colour, markersize=5 if whole else 4)
        names = [f"{one.reader or 'all readers'}  {one.cutoff}" for one in reversed(rows)]
        axes.set_yticks(range(len(rows)), names)
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle="--")
        axes.set_xlabel("share on the right side, aided less unaided")
        return save(figure, folder, "gain")


def _ordered(gains: Sequence[StatisticEntry]) -> list[StatisticEntry]:
    """Return all readers first, then each by name."""
    return sorted(gains, key=lambda one: (bool(one.reader), one.reader or ""))


def _time_figure(times: Sequence[StatisticEntry], folder: Path) -> Path:
    readers = sorted({one.reader or "" for one in times})
    with drawing(width=4.2, height=0.8 + 0.26 * len(readers)) as (figure, axes):
        for key, colour, marker, label in (
            ("seconds_unaided", INK, "o", "unaided"),
            ("seconds_aided", ORANGE, "D", "aided"),
        ):
            own = {one.reader: one.estimate for one in times if one.key == key}
            values = [own.get(reader) for reader in readers]
            shown = np.array([np.nan if value is None else value for value in values])
            axes.plot(shown, range(len(readers)), marker, color=colour, markersize=5, label=label)
        axes.set_yticks(range(len(readers)), readers)
        axes.set_xlabel("seconds a slide")
        axes.set_xlim(left=0)
        axes.legend(frameon=False, loc="best")
        return save(figure, folder, "time")
