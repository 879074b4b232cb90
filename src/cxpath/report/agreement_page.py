"""The page of an agreement study: methods, tables, figures."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxpath.agreement import Indeterminate, PairwiseMeasure, level_names
from cxpath.documents import AgreementDocument, Ends, RoundEntry, StatisticEntry
from cxpath.io import atomic_write, output_error, write_rows
from cxpath.report.agreement_figures import (
    Compared,
    bland_altman_figure,
    confusion_figure,
    forest_figure,
    group_of,
    heat_map_figure,
    numbers_of,
    onest_figure,
    passing_bablok_figure,
    scatter_figure,
)
from cxpath.report.html import render_page

# The methods paragraph of a study: what was computed, by which formulas, with which versions.


def methods_paragraphs(document: AgreementDocument) -> list[str]:
    """Return sentences that a methods section may quote, by paragraph."""
    return [
        " ".join(_design(document)),
        " ".join(_scores(document)),
        " ".join(_categories(document)),
        " ".join(_intervals(document)),
    ]


def _design(document: AgreementDocument) -> Iterator[str]:
    for one in document.rounds:
        arm = f" ({one.arm})" if one.arm else ""
        number = f"In round {one.round}{arm}, " if len(document.rounds) > 1 else ""
        patients = f" of {one.patients} patients" if one.patients != one.cases else ""
        text = f"{number}{len(one.readers)} readers scored {one.cases} cases{patients} for {document.score}"
        yield f"{text[0].upper()}{text[1:]} ({one.reads} reads, {one.not_evaluable} not evaluable)."
    if document.software:
        yield f"The software ({document.software}) was compared with the readers."
    yield f"Consensus rule: {document.consensus}."
    first = document.rounds[0]
    if first.compared and first.reference:
        yield f"Method comparisons are of {first.compared.name} with {first.reference.name}: {first.why}."
    elif first.reference:
        yield f"Each reader was compared with {first.reference.name}: {first.why}."


def _scores(document: AgreementDocument) -> Iterator[str]:
    settings = document.settings
    yield (
        "Intraclass correlations follow Shrout and Fleiss (1979), named after McGraw and Wong "
        "(1996), on raw scores "
        "and on log10(score + 1), from cases that all readers scored. Lin's concordance (1989) uses "
        "variances over "
        "n. Limits of agreement (Bland and Altman 1986) are mean ± 1.96 standard deviations, with "
        "exact intervals "
        "by the noncentral t distribution (Carkeet 2015), of differences and of ratios of (score + 1)."
    )
    yield (
        "Deming regression (Linnet 1990) took an error variance ratio of "
        f"{settings.error_ratio:g}, with jackknife "
        "intervals; Passing-Bablok regression (1983) was tested for linearity by CUSUM. The total "
        "deviation index "
        f"(Lin 2000) contains {100 * settings.deviation_share:g} % of differences. Variance components are "
        "MIVQUE(0) "
        "estimates of random effects (Rao 1971; Hartley, Rao and LaMotte 1978)."
    )


def _categories(document: AgreementDocument) -> Iterator[str]:
    cutoffs = ", ".join(f"{cutoff:g}" for cutoff in document.settings.cutoffs)
    yield (
        f"At the cut-offs {cutoffs} (unrounded scores, at least) we report overall, positive and "
        "negative percent "
        "agreement (OPA, PPA, NPA; FDA 2007), average positive and negative agreement (APA, ANA; "
        "Cicchetti and "
        "Feinstein 1990), Cohen's kappa (1960; weighted 1968), Fleiss' kappa (1971), Krippendorff's "
        "alpha (2011), "
        "Gwet's AC1 and AC2 (2008) and the exact McNemar test, with the prevalence. Indeterminate "
        "reads were left "
        "out, counted as reaching the cut-off, and counted as below it. The ONEST curve "
        "(Reisenbichler 2020) is the "
        "exact mean over all sets of readers."
    )
    if document.software:
        yield (
            "Software and readers were evaluated alike: each reader, and the software, against the "
            "consensus of all "
            "other readers. Non-inferiority is shown when the interval of the difference lies above "
            f"−{document.settings.margin:g}."
        )


def _intervals(document: AgreementDocument) -> Iterator[str]:
    settings, versions = document.settings, document.provenance
    yield (
        f"{100 * settings.level:g} % intervals are expanded percentile bootstrap intervals (Hesterberg "
        f"2015) of {settings.replicates:,} draws of patients, with all cases of a patient together (seed "
        f"{settings.seed}), unless a formula is named; proportions have Wilson intervals (1927). "
        "Readers were "
        "not drawn: intervals are for these readers."
    )
    yield (
        f"Computed with cxpath {versions.cxpath} (Python {versions.python}, NumPy {versions.numpy}, "
        f"SciPy {versions.scipy})."
    )


# Tables of a study, ready for a paper: one form for the page, for CSV and for LaTeX.


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Parameters
    ----------
    key, title : str
    columns : tuple of str
    rows : tuple of tuple of str
    round : str
        Of the study: "1"; "1 and 2" of a table over rounds.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    round: str = "1"

    @property
    def over_rounds(self) -> bool:
        """Whether the table compares two rounds."""
        return not self.round.isdecimal()


_MEASURES = {
    "opa": PairwiseMeasure.OPA,
    "kappa": PairwiseMeasure.KAPPA,
    "ac1": PairwiseMeasure.AC1,
    "ccc": PairwiseMeasure.CCC,
}
"""By the last part of a statistic's key."""

_ANALYSES = (
    ("between readers", "between-readers", "Agreement between readers"),
    ("comparison", "comparison", "{compared} against {reference}"),
    ("software against readers", "software-readers", "Software compared with readers"),
    ("within readers", "within-readers", "Agreement within readers, over rounds"),
    ("subgroup", "subgroups", "Main figures by subgroup"),
)
_PIVOTED = ("each reader", "within readers")


def study_tables(document: AgreementDocument) -> list[Table]:
    """Return the tables of a study, of each round in turn."""
    return [table for number in _rounds_of(document) for table in _tables(document, number)]


def _rounds_of(document: AgreementDocument) -> list[str]:
    return list(dict.fromkeys(one.round or "" for one in document.statistics))


def _tables(document: AgreementDocument, number: str) -> Iterator[Table]:
    """Yield the tables of one round, or of two rounds compared."""
    over, many = not number.isdecimal(), len(document.rounds) > 1
    where = f", rounds {number}" if over else f", round {number}" if many else ""
    ending = f"-round-{number.replace(' ', '-')}" if where else ""
    own = [one for one in document.statistics if one.round == number]
    for analysis, key, title in _ANALYSES:
        rows = [one for one in own if one.analysis == analysis and not one.reader]
        for place, part in enumerate(_by_compared(rows) if analysis == "comparison" else [rows]):
            if not part or _only_all(part):
                continue
            names = {"compared": part[0].compared, "reference": part[0].reference}
            heading = title.format(**names) if analysis == "comparison" else title
            heading = heading[:1].upper() + heading[1:]
            apart = f"-{place + 1}" if place else ""
            yield _listing(f"{key}{apart}{ending}", heading + where, part, document.settings.level)
    for analysis in _PIVOTED:
        rows = [one for one in own if one.analysis == analysis and one.reader]
        if rows:
            against = "the others' consensus" if analysis == "each reader" else "the earlier round"
            yield _by_reader(f"{analysis.replace(' ', '-')}-by-reader{ending}", against, where, rows)


def _by_compared(rows: Sequence[StatisticEntry]) -> list[list[StatisticEntry]]:
    """Return the rows of each comparison: with a reference and no software every reader has one."""
    return [
        [one for one in rows if one.compared == compared]
        for compared in dict.fromkeys(one.compared for one in rows)
    ]


def _only_all(rows: Sequence[StatisticEntry]) -> bool:
    """Say whether subgroups are asked for and there is none: all cases stand elsewhere already."""
    return all(one.grouping == "all" for one in rows)


def _group(one: StatisticEntry) -> str:
    parts = (one.subgroup,) if one.grouping == "all" else (one.grouping, one.subgroup)
    return " ".join(part for part in parts if part)


def _listing(key: str, title: str, rows: Sequence[StatisticEntry], level: float) -> Table:
    """Return one statistic a row; columns that nobody fills are left out."""
    columns: dict[str, list[str]] = {
        "Group": [_group(one) for one in rows],
        "Scale or cut-off": [_where(one) for one in rows],
        "Statistic": [one.label for one in rows],
        "Estimate": [number(one.estimate, one.key) for one in rows],
        f"{100 * level:g} % interval": [_interval(one.interval, one.key) for one in rows],
        "By": [_short(one.interval_method) for one in rows],
        "Other interval": [_others(one) for one in rows],
        "p": [p_value(one.p_value) for one in rows],
        "Cases": [str(one.n) for one in rows],
        "Note": [one.note for one in rows],
    }
    kept = {name: entries for name, entries in columns.items() if any(entries)}
    return Table(key, title, tuple(kept), tuple(zip(*kept.values(), strict=True)), rows[0].round or "")


def _by_reader(key: str, against: str, where: str, rows: Sequence[StatisticEntry]) -> Table:
    """Return one reader a row, one measure a column."""
    names = list(dict.fromkeys((_measure_of(one), _where(one)) for one in rows))
    readers = list(dict.fromkeys(one.reader or "" for one in rows))
    value = {(one.reader, _measure_of(one), _where(one)): number(one.estimate, one.key) for one in rows}
    return Table(
        key,
        f"Each reader against {against}{where}",
        ("Reader", *(f"{label}, {place}" for label, place in names)),
        tuple((reader, *(value.get((reader, *name), "") for name in names)) for reader in readers),
        rows[0].round or "",
    )


def _measure_of(one: StatisticEntry) -> str:
    """Return the measure in words; the statistic's key names it."""
    return _MEASURES[one.key.rpartition("_")[2]].value


def _where(one: StatisticEntry) -> str:
    return ", ".join(part for part in (one.cutoff, one.scale, one.indeterminate) if part)


def number(value: float | None, key: str) -> str:
    """Return a number as papers print it: three decimals for coefficients, fewer for scores."""
    if value is None:
        return "not defined"
    if key.startswith("onest") and key.endswith("enough"):
        return f"{value:.0f}"
    of_scores = ("bland_altman_raw", "tdi", "deviation_quantile", "deming_bias", "passing_bablok_bias")
    return minus(f"{value:.2f}" if key.startswith(of_scores) else f"{value:.3f}")


_SIGN_OF_NOTHING = re.compile(r"-(?=0(?:\.0+)?(?![\d.]))")


def minus(text: str) -> str:
    """Return numbers with a minus sign instead of a hyphen, and without any where all digits are 0."""
    return _SIGN_OF_NOTHING.sub("", text).replace("-", "−")


def _interval(edges: Ends | None, key: str) -> str:
    if edges is None:
        return ""
    low, high = (
        beyond if edge is None else number(edge, key) for beyond, edge in zip(("−∞", "∞"), edges, strict=True)
    )
    return f"{low} to {high}"


def _short(method: str | None) -> str:
    if not method:
        return ""
    return "bootstrap" if "bootstrap" in method else re.split(r",| over | of ", method)[0]


def _others(one: StatisticEntry) -> str:
    return "; ".join(
        f"{_interval(other.interval, one.key)} ({_short(other.method)})" for other in one.other_intervals
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
        with atomic_write(folder / f"{table.key}.tex") as partial:
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


# From `agreement.json` to `report.html`, `tables/` and `figures/`; knows nothing of how it was computed.


DOCUMENT = "agreement.json"
_ENOUGH_TO_DRAW = 3


@dataclass(frozen=True)
class FigureMarkup:
    """A figure of the page: its file, its caption, and whether it takes the whole width."""

    path: Path
    caption: str
    wide: bool = False

    @property
    def uri(self) -> str:
        """The picture as a data URI: vector, inside the page."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.path.read_bytes()).decode("ascii")


def build_agreement_report(folder: Path) -> Path:
    """Write page, tables and figures next to `agreement.json`; returns the page.

    Raises
    ------
    MissingFileError, DocumentError
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
        rounds=[_round_parts(document, one, folder / "figures", tables) for one in document.rounds],
        intra_reader=[table for table in tables if table.over_rounds],
        methods=methods_paragraphs(document),
    )
    page = folder / "report.html"
    with atomic_write(page) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    return page


def read_agreement(folder: Path) -> AgreementDocument:
    """Read `agreement.json` of a folder; raises as `build_agreement_report` does."""
    return AgreementDocument.read(folder / DOCUMENT)


_HEADLINE = (
    ("between readers", "icc_a1", "log10(score + 1)"),
    ("between readers", "pairwise_opa", ""),
    ("between readers", "ac1", ""),
    ("comparison", "ccc", "log10(score + 1)"),
    ("comparison", "opa", ""),
    ("software against readers", "difference_opa_consensus", ""),
    ("software against readers", "difference_ccc_consensus", ""),
)


def headline(document: AgreementDocument) -> list[dict[str, str]]:
    """Return the few figures that stand first: label, estimate, interval, of which part."""
    found = []
    levels = level_names(document.settings.cutoffs) if len(document.settings.cutoffs) > 1 else None
    for one in document.statistics:
        wanted = [scale for analysis, key, scale in _HEADLINE if (analysis, key) == (one.analysis, one.key)]
        if not wanted or (wanted[0] and one.scale != wanted[0]):
            continue
        if one.indeterminate in (Indeterminate.AS_YES, Indeterminate.AS_NO):
            continue
        if levels and one.cutoff == levels:  # of all levels together
            continue
        found.append(
            {
                "part": _part(one),
                "round": one.round or "",
                "label": f"{one.label}, {one.place}",
                "estimate": number(one.estimate, one.key),
                "interval": _interval(one.interval, ""),
                "note": one.note,
            }
        )
    return found


def _part(one: StatisticEntry) -> str:
    if one.analysis != "comparison":
        return one.analysis or ""
    return f"{one.compared} against {one.reference}"


def _round_parts(
    document: AgreementDocument, one: RoundEntry, folder: Path, tables: list[Table]
) -> dict[str, object]:
    ending = f"-round-{one.round}" if len(document.rounds) > 1 else ""
    return {
        "number": one.round,
        "facts": one,
        "figures": list(_figures(document, one, folder, ending)),
        "tables": [table for table in tables if table.round == str(one.round)],
    }


def _figures(
    document: AgreementDocument, one: RoundEntry, folder: Path, ending: str
) -> Iterator[FigureMarkup]:
    own = [s for s in document.statistics if s.round == str(one.round)]
    pair = _compared(document, one, own)
    if pair is not None:
        what = f"{pair.compared} against {pair.reference}"
        start = f"{what[:1].upper()}{what[1:]}"
        yield FigureMarkup(
            scatter_figure(pair, folder, f"scatter{ending}"),
            f"{start}. Dashed: cut-offs; triangles: on different sides of one. Axes: log10(score + 1).",
        )
        yield FigureMarkup(
            confusion_figure(pair, folder, f"confusion{ending}"),
            f"{start}: cases, and their share of the reference's level.",
        )
        yield FigureMarkup(
            bland_altman_figure(pair, folder, f"bland-altman{ending}", ratio=False),
            f"Bland-Altman, {what}: bias and 95 % limits of agreement with exact intervals.",
        )
        yield FigureMarkup(
            bland_altman_figure(pair, folder, f"bland-altman-ratio{ending}", ratio=True),
            "The same as ratio of (score + 1): to quote when differences grow with the score.",
        )
        yield FigureMarkup(
            passing_bablok_figure(pair, folder, f"passing-bablok{ending}"),
            f"Passing-Bablok regression, {what}; band: intervals of slope and intercept.",
        )
    if one.onest and len(one.readers) >= _ENOUGH_TO_DRAW:
        yield FigureMarkup(
            onest_figure(one.onest, folder, f"onest{ending}"),
            "ONEST: cases on which all readers agree. Line: mean over all sets of readers. Band: 95 % of "
            "random orders. Bar: bootstrap interval over cases.",
        )
    for pairwise in one.pairwise if len(one.readers) >= _ENOUGH_TO_DRAW else ():
        if pairwise.measure == PairwiseMeasure.OPA:
            continue
        where = pairwise.cutoff or "scores"
        name = f"readers-{pairwise.measure.split()[-1].lower()}-{where.replace('≥ ', 'at-')}{ending}"
        yield FigureMarkup(
            heat_map_figure(pairwise, folder, name),
            f"{pairwise.measure} of every two readers ({pairwise.place}); readers in order of their mean.",
        )
    subgroups = [s for s in own if s.analysis == "subgroup"]
    if len({group_of(s) for s in subgroups}) > 1:
        yield FigureMarkup(
            forest_figure(subgroups, folder, f"forest{ending}"),
            "Main figures of all cases (diamond, band) and subgroups (squares), with intervals.",
            wide=True,
        )


def _compared(
    document: AgreementDocument, one: RoundEntry, statistics: list[StatisticEntry]
) -> Compared | None:
    """Return what the figures of the comparison need; None with fewer cases than can be drawn."""
    if one.compared is None or one.reference is None:
        return None
    x, y = numbers_of(one.reference.values), numbers_of(one.compared.values)
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < _ENOUGH_TO_DRAW:
        return None
    return Compared(
        x=x[both],
        y=y[both],
        reference=one.reference.name,
        compared=one.compared.name,
        score=document.score,
        cutoffs=document.settings.cutoffs,
        statistics={(s.key, s.scale or ""): s for s in statistics if s.analysis == "comparison"},
    )
