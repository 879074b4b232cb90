"""Tables of a study, ready for a paper: one form for the page, for CSV and for LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxpath.exchange.safe_rows import write_rows
from cxpath.exchange.whole_file import whole_file

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Parameters
    ----------
    key, title : str
    columns : tuple of str
    rows : tuple of tuple of str
    note : str
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


_ANALYSES = (
    ("between readers", "between-readers", "Agreement between readers"),
    ("comparison", "comparison", "{compared} against {reference}"),
    ("software against readers", "software-readers", "Software and readers on the same footing"),
    ("within readers", "within-readers", "Agreement within readers, over rounds"),
    ("subgroup", "subgroups", "Main figures by subgroup"),
)
_PIVOTED = ("each reader", "within readers")


def study_tables(document: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a study, of each round in turn."""
    return list(_tables(document["statistics"], len(document["rounds"]) > 1, document["settings"]["level"]))


def _tables(statistics: Sequence[Entry], many_rounds: bool, level: float) -> Iterator[Table]:  # noqa: FBT001
    for number in dict.fromkeys(one["round"] for one in statistics):
        where = f", round {number}" if many_rounds and "and" not in number else ""
        where = f", rounds {number}" if "and" in number else where
        ending = f"-round-{number.replace(' ', '-')}" if where else ""
        own = [one for one in statistics if one["round"] == number]
        for analysis, key, title in _ANALYSES:
            rows = [one for one in own if one["analysis"] == analysis and not one.get("reader")]
            if rows and not _only_all(rows):
                heading = title.format(**rows[0]) if analysis == "comparison" else title
                heading = heading[:1].upper() + heading[1:]
                yield _listing(f"{key}{ending}", heading + where, rows, level)
        for analysis in _PIVOTED:
            rows = [one for one in own if one["analysis"] == analysis and one.get("reader")]
            if rows:
                against = "the others' consensus" if analysis == "each reader" else "the earlier round"
                yield _by_reader(f"{analysis.replace(' ', '-')}-by-reader{ending}", against, where, rows)


def _only_all(rows: Sequence[Entry]) -> bool:
    """Say whether subgroups are asked for and there is none: all cases stand elsewhere already."""
    return all(one.get("grouping") == "all" for one in rows)


def _group(one: Entry) -> str:
    parts = ("subgroup",) if one.get("grouping") == "all" else ("grouping", "subgroup")
    return " ".join(one[part] for part in parts if one.get(part))


def _listing(key: str, title: str, rows: Sequence[Entry], level: float) -> Table:
    """Return one statistic a row; columns that nobody fills are left out."""
    columns: dict[str, list[str]] = {
        "Group": [_group(one) for one in rows],
        "Scale or cut-off": [_where(one) for one in rows],
        "Statistic": [one["label"] for one in rows],
        "Estimate": [number(one["estimate"], one["key"]) for one in rows],
        f"{100 * level:g} % interval": [_interval(one["interval"], one["key"]) for one in rows],
        "By": [_short(one["interval_method"]) for one in rows],
        "Other interval": [_others(one) for one in rows],
        "p": [p_value(one["p_value"]) for one in rows],
        "Cases": [str(one["n"]) for one in rows],
        "Note": [one["note"] for one in rows],
    }
    kept = {name: entries for name, entries in columns.items() if any(entries)}
    return Table(key, title, tuple(kept), tuple(zip(*kept.values(), strict=True)))


def _by_reader(key: str, against: str, where: str, rows: Sequence[Entry]) -> Table:
    """Return one reader a row, one measure a column."""
    names = list(
        dict.fromkeys((one["label"].split(" with ")[0].split(" over ")[0], _where(one)) for one in rows)
    )
    readers = list(dict.fromkeys(one["reader"] for one in rows))
    value = {
        (one["reader"], one["label"].split(" with ")[0].split(" over ")[0], _where(one)): number(
            one["estimate"], one["key"]
        )
        for one in rows
    }
    return Table(
        key,
        f"Each reader against {against}{where}",
        ("Reader", *(f"{label}, {place}" for label, place in names)),
        tuple((reader, *(value.get((reader, *name), "") for name in names)) for reader in readers),
    )


def _where(one: Entry) -> str:
    parts = [one.get("cutoff"), one.get("scale"), one.get("footing"), one.get("indeterminate")]
    return ", ".join(part for part in parts if part)


def number(value: float | None, key: str) -> str:
    """Return a number as papers print it: three decimals for coefficients, fewer for scores."""
    if value is None:
        return "not defined"
    if key.startswith("onest") and key.endswith("enough"):
        return f"{value:.0f}"
    of_scores = ("bland_altman_raw", "tdi", "deviation_quantile", "deming_bias", "passing_bablok_bias")
    return minus(f"{value:.2f}" if key.startswith(of_scores) else f"{value:.3f}")


def minus(text: str) -> str:
    """Return a number with a minus sign instead of a hyphen."""
    return text.replace("-", "−")


def _interval(edges: Sequence[float | None] | None, key: str) -> str:
    if edges is None:
        return ""
    low, high = ("∞" if edge is None else number(edge, key) for edge in edges)
    return f"{low} to {high}"


def _short(method: str | None) -> str:
    if not method:
        return ""
    return "bootstrap" if "bootstrap" in method else re.split(r",| over | of ", method)[0]


def _others(one: Entry) -> str:
    return "; ".join(
        f"{_interval(other['interval'], one['key'])} ({_short(other['method'])})"
        for other in one["other_intervals"]
    )


def p_value(value: float | None) -> str:
    """Return a probability, never as 0."""
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def write_tables(tables: Sequence[Table], folder: Path) -> None:
    """Write each table as CSV and as LaTeX (booktabs)."""
    for table in tables:
        write_rows(folder / f"{table.key}.csv", table.columns, table.rows)
        with whole_file(folder / f"{table.key}.tex") as partial:
            partial.write_text(latex(table), encoding="utf-8", newline="\n")


_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "≥": r"$\geq$",
    "<": r"$<$",
    ">": r"$>$",
    "−": "$-$",
    "ρ": r"$\rho$",
    "α": r"$\alpha$",
    "∞": r"$\infty$",
    "±": r"$\pm$",
}
_SPECIAL = re.compile("|".join(re.escape(sign) for sign in _LATEX))


def latex(table: Table) -> str:
    """Return a table for LaTeX; needs the package booktabs."""
    head = " & ".join(latex_text(column) for column in table.columns)
    body = "\n".join(" & ".join(latex_text(entry) for entry in row) + r" \\" for row in table.rows)
    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{latex_text(table.title)}}}\n\\label{{tab:{table.key}}}\n"
        f"\\begin{{tabular}}{{{'l' * len(table.columns)}}}\n\\toprule\n{head} \\\\\n\\midrule\n"
        f"{body}\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )


def latex_text(text: str) -> str:
    """Return a text with LaTeX's signs escaped."""
    return _SPECIAL.sub(lambda found: _LATEX[found[0]], text)
