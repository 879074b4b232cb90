from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cxpath.agreement.base import AgreementSettings
from cxpath.agreement.reads import level_names
from cxpath.documents.agreement import (
    AgreementDocument,
    AgreementProvenance,
    OtherInterval,
    RoundEntry,
    ScoresEntry,
    StatisticEntry,
)
from cxpath.errors import MissingFileError, OutputError
from cxpath.report.agreement_figures import short_names
from cxpath.report.agreement_page import (
    DOCUMENT,
    Table,
    build_agreement_report,
    headline,
    latex,
    latex_text,
    methods_paragraphs,
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


# The methods paragraph and the tables in words.


def round_of(number: int = 1, **stated: Any) -> RoundEntry:
    facts: dict[str, Any] = {
        "round": number, "cases": 20, "patients": 20, "readers": ("A", "B"), "reads": 40, "not_evaluable": 0,
        "groupings": {}, "why": "it was named", "compared": None, "reference": None, "units": (), "onest": (),
        "pairwise": (),
    }  # fmt: skip
    return RoundEntry(**(facts | stated))


def scores(name: str, *values: float | None) -> ScoresEntry:
    return ScoresEntry(name=name, values=values)


def test_the_design_says_who_read_what_and_slides_of_one_patient_are_named() -> None:
    document = study().model_copy(
        update={
            "rounds": (round_of(1, arm="unaided", patients=18, not_evaluable=1), round_of(2, arm="aided")),
            "consensus": "median",
        }
    )
    design = methods_paragraphs(document)[0]
    assert design.startswith(
        "In round 1 (unaided), 2 readers scored 20 cases of 18 patients for CPS (40 reads, 1 not evaluable). "
        "In round 2 (aided), 2 readers scored 20 cases for CPS (40 reads, 0 not evaluable)."
    )
    assert design.endswith("Consensus rule: median.")
    assert methods_paragraphs(study())[0].startswith("2 readers scored 20 cases for CPS")


def test_the_design_says_what_was_compared_with_what_and_why() -> None:
    both = round_of(reference=scores("Ann", 1.0), compared=scores("AI", 1.0))
    alone = round_of(reference=scores("Ann", 1.0))
    of_both, of_alone = (
        methods_paragraphs(study().model_copy(update={"rounds": (one,), "software": "AI"}))[0]
        for one in (both, alone)
    )
    assert of_both.endswith("Method comparisons are of AI with Ann: it was named.")
    assert of_alone.endswith("Each reader was compared with Ann: it was named.")
    assert "The software (AI) was compared with the readers." in of_both


def test_methods_state_the_settings_of_this_study_and_no_others() -> None:
    settings = AgreementSettings(
        level=0.9, cutoffs=(1.0, 20.0), replicates=5000, seed=3, margin=0.1, error_ratio=2.0,
        deviation_share=0.8,
    )  # fmt: skip
    document = study().model_copy(update={"settings": settings, "software": "AI"})
    text = " ".join(methods_paragraphs(document))
    for stated in (
        "90 % intervals are expanded percentile bootstrap intervals (Hesterberg 2015) of 5,000 draws",
        "(seed 3)",
        "At the cut-offs 1, 20 (unrounded scores, at least)",
        "error variance ratio of 2, with jackknife",
        "contains 80 % of differences",
        "lies above −0.1.",
        "cxpath 1 (Python 3, NumPy 2, SciPy 1)",
    ):
        assert stated in text
    assert "Non-inferiority" not in " ".join(methods_paragraphs(study())), "without software nobody is tested"


def test_an_interval_without_end_has_a_sign_for_it() -> None:
    endless = statistic(analysis="between readers").model_copy(update={"interval": (None, 2.0)})
    (table,) = study_tables(study(endless))
    assert dict(zip(table.columns, table.rows[0], strict=True))["95 % interval"] == "−∞ to 2.000"
    above = endless.model_copy(update={"interval": (-0.5, None)})
    assert study_tables(study(above))[0].rows[0][2] == "−0.500 to ∞"


def test_further_intervals_and_what_nobody_fills_are_columns_only_where_they_are() -> None:
    other = OtherInterval(interval=(0.7, 0.99), method="F-based over 20 cases")
    boot = statistic(analysis="between readers").model_copy(
        update={
            "other_intervals": (other,),
            "interval_method": "expanded percentile bootstrap, 2000 draws",
            "p_value": 0.0004,
            "note": "one case lacks a read",
        }
    )
    (table,) = study_tables(study(boot))
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row == {
        "Statistic": "OPA",
        "Estimate": "0.900",
        "95 % interval": "0.800 to 1.000",
        "By": "bootstrap",
        "Other interval": "0.700 to 0.990 (F-based)",
        "p": "< 0.001",
        "Cases": "20",
        "Note": "one case lacks a read",
    }


def test_every_comparison_has_a_table_of_its_own() -> None:
    """With a named reference and no software each reader is compared."""
    ann, bob = (statistic(analysis="comparison", compared=name, reference="panel") for name in ("ann", "bob"))
    tables = study_tables(study(ann, bob, ann))
    assert [(one.key, one.title, len(one.rows)) for one in tables] == [
        ("comparison", "Ann against panel", 2),
        ("comparison-2", "Bob against panel", 1),
    ]


def test_tables_of_several_rounds_say_which() -> None:
    rows = [statistic(analysis="between readers", round=number) for number in ("1", "2")]
    tables = study_tables(study(*rows, rounds=2))
    assert [(one.key, one.title) for one in tables] == [
        ("between-readers-round-1", "Agreement between readers, round 1"),
        ("between-readers-round-2", "Agreement between readers, round 2"),
    ]


def test_a_reader_without_a_measure_has_a_gap_there() -> None:
    own = [
        statistic(analysis="each reader", reader=reader, cutoff=cutoff).model_copy(
            update={"key": "reader_kappa"}
        )
        for reader, cutoff in (("A", "≥ 1"), ("A", "≥ 10"), ("B", "≥ 10"))
    ]
    (table,) = study_tables(study(*own))
    assert table.title == "Each reader against the others' consensus"
    assert table.columns == ("Reader", "Cohen's kappa, ≥ 1", "Cohen's kappa, ≥ 10")
    assert table.rows == (("A", "0.900", "0.900"), ("B", "", "0.900"))


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("tdi_90", "12.35"),
        ("deviation_quantile_90", "12.35"),
        ("deming_bias_10", "12.35"),
        ("passing_bablok_bias_1", "12.35"),
        ("passing_bablok_slope", "12.346"),
        ("bland_altman_ratio_bias", "12.346"),
        ("onest_ignored_all", "12.346"),
        ("onest_ignored_enough", "12"),
    ],
)
def test_scores_have_two_decimals_coefficients_three_and_numbers_of_readers_none(
    key: str, shown: str
) -> None:
    assert number(12.3456, key) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.0, "< 0.001"), (0.001, "0.001"), (0.0009999, "< 0.001")])
def test_no_p_value_is_printed_as_nothing(value: float, shown: str) -> None:
    assert p_value(value) == shown


def test_the_page_and_its_tables_are_written_without_a_figure_where_too_few_cases_were_read(
    tmp_path: Path,
) -> None:
    """Two cases are no scatter plot, two readers no curve of readers."""
    few = round_of(reference=scores("A", 1.0, 2.0, None), compared=scores("B<i>", 1.0, None, 3.0))
    compared = statistic(analysis="comparison", compared="B<i>", reference="A", cutoff="≥ 1")
    document = study(compared).model_copy(update={"rounds": (few,)})
    document.write(tmp_path / DOCUMENT)
    page = build_agreement_report(tmp_path).read_text(encoding="utf-8")
    assert "B&lt;i&gt; against A" in page
    assert "B<i>" not in page
    assert "data:image/svg+xml" not in page
    assert list((tmp_path / "figures").iterdir()) == []
    names = sorted(path.name for path in (tmp_path / "tables").iterdir())
    assert names == ["comparison.csv", "comparison.tex"]


def test_a_folder_without_a_study_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"agreement\.json: no such file") as caught:
        build_agreement_report(tmp_path)
    assert "cxpath agree run" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    study().write(tmp_path / DOCUMENT)
    (tmp_path / "tables").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="tables"):
        build_agreement_report(tmp_path)
