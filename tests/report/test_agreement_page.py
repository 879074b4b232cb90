from __future__ import annotations

from cxpath.report.agreement_figures import short_names
from cxpath.report.agreement_page import Table, latex, latex_text, number, p_value, study_tables


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


def entry(**context: str) -> dict[str, object]:
    return {
        "key": "opa", "label": "OPA", "estimate": 0.9, "interval": [0.8, 1.0], "other_intervals": [], "n": 20,
        "interval_method": "jackknife over 20 cases", "p_value": None, "note": "", "round": "1", **context,
    }  # fmt: skip


def test_a_table_says_how_in_one_word_and_starts_with_a_capital() -> None:
    document = {
        "statistics": [entry(analysis="comparison", compared="reader 3", reference="consensus")],
        "rounds": [1],
        "settings": {"level": 0.95},
    }
    (table,) = study_tables(document)
    assert table.title == "Reader 3 against consensus"
    assert table.columns == ("Statistic", "Estimate", "95 % interval", "By", "Cases")
    assert table.rows == (("OPA", "0.900", "0.800 to 1.000", "jackknife", "20"),)


def test_subgroups_stand_beside_all_cases_and_all_cases_alone_are_no_table() -> None:
    everything = entry(analysis="subgroup", grouping="all", subgroup="all cases")
    north = entry(analysis="subgroup", grouping="site", subgroup="north")
    document = {"statistics": [everything, north], "rounds": [1], "settings": {"level": 0.9}}
    (table,) = study_tables(document)
    assert [row[0] for row in table.rows] == ["all cases", "site north"]
    assert study_tables({**document, "statistics": [everything]}) == []


def test_what_all_readers_share_goes_to_the_axis() -> None:
    assert short_names(["reader 1", "reader 12", "reader 3"]) == ("reader", ["1", "12", "3"])
    assert short_names(["R12", "R13"]) == ("R", ["12", "13"])
    assert short_names(["Ann", "Bob"]) == ("", ["Ann", "Bob"])
    assert short_names(["AI", "AI 2"]) == ("", ["AI", "AI 2"])
    assert short_names(["x" * 20, "y"])[1][0] == "x" * 15 + "…"
