from __future__ import annotations

from cxpath.agreement.base import AgreementSettings
from cxpath.agreement.reads import level_names
from cxpath.documents.agreement import (
    AgreementDocument,
    AgreementProvenance,
    RoundEntry,
    StatisticEntry,
)
from cxpath.report.agreement_figures import short_names
from cxpath.report.agreement_page import (
    Table,
    headline,
    latex,
    latex_text,
    number,
    p_value,
    study_tables,
)


def test_numbers_as_papers_print_them() -> None:
    assert number(0.12345, "icc_a1") == "0.123"
    assert number(-1.5, "bland_altman_raw_bias") == "−1.50"
    assert number(None, "kappa") == "not defined"
    assert number(14.0, "onest_complete_enough") == "14"
    assert (p_value(0.00001), p_value(0.25), p_value(None)) == ("< 0.001", "0.250", "")


def test_latex_signs_are_escaped_and_stay_what_they_are() -> None:
    assert latex_text("50 % of A_B & C") == r"50 \% of A\_B \& C"
    assert latex_text("≥ 1, −0.2, α") == r"$\geq$ 1, $-$0.2, $\alpha$"
    assert latex_text("\\input{x}") == r"\textbackslash{}input\{x\}"


def test_a_table_in_latex() -> None:
    text = latex(Table("key", "A title", ("One", "Two"), (("a", "b"), ("c", "d"))))
    assert text.count(r"\\") == 3
    assert r"\begin{tabular}{ll}" in text
    assert r"\label{tab:key}" in text


def statistic(**context: str) -> StatisticEntry:
    return StatisticEntry(
        key="opa", label="OPA", estimate=0.9, interval=(0.8, 1.0), other_intervals=(), n=20, readers=2,
        interval_method="jackknife over 20 cases", p_value=None, note="", method="", source="",
        **{"round": "1", **context},
    )  # fmt: skip


def study(*statistics: StatisticEntry, level: float = 0.95, rounds: int = 1) -> AgreementDocument:
    one = RoundEntry(
        round=1, cases=20, patients=20, readers=("A", "B"), reads=40, not_evaluable=0, groupings={}, why="",
        compared=None, reference=None, units=(), onest=(), pairwise=(),
    )  # fmt: skip
    versions = AgreementProvenance(cxpath="1", python="3", numpy="2", scipy="1", model_digests=())
    return AgreementDocument(
        score="CPS", software=None, reference=None, consensus="", settings=AgreementSettings(level=level),
        sources=(), warnings=(), rounds=(one,) * rounds, statistics=statistics, provenance=versions,
    )  # fmt: skip


def test_a_table_says_how_in_one_word_and_starts_with_a_capital() -> None:
    compared = statistic(analysis="comparison", compared="reader 3", reference="consensus")
    (table,) = study_tables(study(compared))
    assert table.title == "Reader 3 against consensus"
    assert table.columns == ("Statistic", "Estimate", "95 % interval", "By", "Cases")
    assert table.rows == (("OPA", "0.900", "0.800 to 1.000", "jackknife", "20"),)


def test_subgroups_stand_beside_all_cases_and_all_cases_alone_are_no_table() -> None:
    everything = statistic(analysis="subgroup", grouping="all", subgroup="all cases")
    north = statistic(analysis="subgroup", grouping="site", subgroup="north")
    (table,) = study_tables(study(everything, north, level=0.9))
    assert [row[0] for row in table.rows] == ["all cases", "site north"]
    assert study_tables(study(everything)) == []


def test_tables_know_their_round() -> None:
    """A reader or a site may be called anything: rounds are distinguished by their own field."""
    first = statistic(analysis="between readers")
    over = statistic(analysis="within readers", round="1 and 2", reader="round and sand")
    tables = study_tables(study(first, over.model_copy(update={"key": "intra_opa"}), rounds=2))
    assert [(table.round, table.over_rounds) for table in tables] == [("1", False), ("1 and 2", True)]
    assert tables[1].title == "Each reader against the earlier round, rounds 1 and 2"
    assert tables[1].columns == ("Reader", "OPA, ")


def test_the_first_figures_leave_out_how_indeterminate_reads_were_counted_otherwise() -> None:
    plain = statistic(analysis="comparison", cutoff="≥ 1", compared="B", reference="A")
    shown = [
        plain.model_copy(update={"indeterminate": way})
        for way in ("indeterminate left out", "indeterminate as reaching", "indeterminate as below")
    ]
    levels = plain.model_copy(update={"cutoff": level_names((1.0, 10.0))})
    assert [row["label"] for row in headline(study(plain, *shown, levels))] == ["OPA, ≥ 1", "OPA, ≥ 1"]


def test_what_all_readers_share_goes_to_the_axis() -> None:
    assert short_names(["reader 1", "reader 12", "reader 3"]) == ("reader", ["1", "12", "3"])
    assert short_names(["R12", "R13"]) == ("R", ["12", "13"])
    assert short_names(["Ann", "Bob"]) == ("", ["Ann", "Bob"])
    assert short_names(["AI", "AI 2"]) == ("", ["AI", "AI 2"])
    assert short_names(["x" * 20, "y"])[1][0] == "x" * 15 + "…"
