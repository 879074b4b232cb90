from __future__ import annotations

from cxpath.report.agreement.tables import Table, latex, latex_text, number, p_value


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
