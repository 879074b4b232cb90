"""What a reader of the report is told of numbers that mislead, and what sound studies are not told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxpath.agreement.base import AgreementSettings, Statistic
from cxpath.agreement.continuous import Scale
from cxpath.agreement.readers import (
    PairwiseMeasure,
    all_pairs,
    mean_pairwise_measure,
    mivque0,
    pairwise_matrix,
    pairwise_measure,
    variance_components,
)
from cxpath.agreement.reads import ReadMatrix, read_matrix
from cxpath.agreement.study import AgreementStudy, caveats, scored, study_reads
from cxpath.data.reads import Read, ReadValue, exactly
from cxpath.errors import StudyError
from tests.agreement.simulated_reads import simulated_reads

SETTINGS = AgreementSettings()
BALANCED = np.concatenate([np.linspace(0, 0.9, 40), np.linspace(1, 9, 40), np.linspace(10, 20, 40)])
GROWING = np.where(np.arange(120) % 2 == 0, 1.4, 1 / 1.4)
STEADY = np.where(np.arange(120) % 2 == 0, 0.3, -0.3)


def matrix(**columns: np.ndarray) -> ReadMatrix:
    sites = [{"site": "north" if case % 2 else "south"} for case in range(len(BALANCED))]
    return read_matrix(
        (
            Read(case=str(case), reader=reader, value=exactly(float(score)), groups=sites[case])
            for reader, scores in columns.items()
            for case, score in enumerate(scores)
        ),
        round_number=1,
    )


def named(reads: ReadMatrix, *statistics: Statistic) -> str:
    reference, compared = (scored(reads, name, SETTINGS) for name in reads.readers[:2])
    return "\n".join(caveats(reads, reference, compared, statistics, SETTINGS))


def statistic(key: str, value: float, p_value: float | None = None, **context: str) -> Statistic:
    return Statistic(key, key, value, (), 120, "", "", p_value=p_value, context=context)


def sound() -> ReadMatrix:
    return matrix(Ann=BALANCED, Bob=BALANCED + STEADY + 0.3, Cem=BALANCED)


def test_a_sound_study_is_told_nothing() -> None:
    straight = statistic("passing_bablok_slope", 1.0, p_value=0.4)
    even = statistic("prevalence", 0.6, analysis="comparison", cutoff="≥ 1")
    assert named(sound(), straight, even) == ""


def test_differences_that_grow_with_the_score_ask_for_ratio_limits() -> None:
    assert "Quote the ratio limits" in named(matrix(Ann=BALANCED, Bob=BALANCED * GROWING, Cem=BALANCED))


@pytest.mark.parametrize(("p_value", "said"), [(0.03, "p = 0.030"), (0.0002, "p < 0.001")])
def test_a_bent_line_is_doubted(p_value: float, said: str) -> None:
    assert said in named(sound(), statistic("passing_bablok_slope", 1.0, p_value=p_value))


@pytest.mark.parametrize("prevalence", [0.05, 0.93])
def test_kappa_is_doubted_at_either_end_of_prevalence(prevalence: float) -> None:
    one = statistic("prevalence", prevalence, analysis="comparison", cutoff="≥ 10")
    assert "At ≥ 10 the prevalence is" in named(sound(), one)


def test_many_zeros_doubt_the_interval_of_the_icc() -> None:
    zeros = np.where(np.arange(120) < 60, 0, BALANCED)
    assert "Quote the bootstrap interval" in named(matrix(Ann=zeros, Bob=zeros, Cem=zeros))


def test_one_site_two_readers_and_few_low_cases_are_named() -> None:
    high = BALANCED + 5
    reads = read_matrix(
        (
            Read(case=str(case), reader=reader, value=exactly(float(score)), groups={"site": "north"})
            for reader in ("Ann", "Bob")
            for case, score in enumerate(high[:50])
        ),
        round_number=1,
    )
    text = named(reads)
    for said in ("50 cases:", "Only 0 cases lie below 1", "2 readers:", "All cases are of one site"):
        assert said in text


FEW = AgreementSettings(replicates=200, orders=20)


@pytest.fixture(scope="module")
def study() -> AgreementStudy:
    return study_reads(simulated_reads(rounds=2), FEW, software="AI")


def test_every_part_of_the_study_is_there(study: AgreementStudy) -> None:
    assert {one.context["analysis"] for one in study.statistics} == {
        "between readers", "each reader", "comparison", "software against readers", "within readers",
        "subgroup",
    }  # fmt: skip
    assert all(one.method and one.source for one in study.statistics)
    assert {one.context["round"] for one in study.statistics} == {"1", "2", "1 and 2"}


def test_every_interval_holds_its_estimate(study: AgreementStudy) -> None:
    for one in study.statistics:
        for interval in one.intervals:
            assert interval.low - 1e-9 <= one.value <= interval.high + 1e-9, (one.key, one.context, one)


def test_indeterminate_reads_are_counted_both_ways(study: AgreementStudy) -> None:
    found = {
        one.context["indeterminate"]: one.n
        for one in study.statistics
        if one.key == "opa" and one.context["analysis"] == "comparison" and "indeterminate" in one.context
    }
    assert found == {
        "indeterminate left out": 39, "indeterminate as reaching": 40, "indeterminate as below": 40
    }  # fmt: skip


def test_good_software_is_not_inferior_and_bad_software_is_not_shown_to_be_so() -> None:
    verdicts = {}
    for error in (0.05, 3.0):
        found = study_reads(simulated_reads(cases=80, software_error=error), FEW, software="AI")
        one = found.find("difference_ccc_consensus")
        assert one
        verdicts[error] = one.note
    assert verdicts[0.05].endswith(": shown")
    assert verdicts[3.0].endswith("not shown")


def test_software_that_is_a_reader_agrees_as_readers_do() -> None:
    """A copy of the consensus of all others agrees perfectly; identical readers give 1 everywhere."""
    same = [replace(read, value=exactly(float(int(read.case[4:]) % 15))) for read in simulated_reads()]
    found = study_reads(same, FEW, software="AI")
    for key in ("icc_a1", "ccc", "opa", "kappa", "ac1", "alpha_nominal", "spearman", "pairwise_opa"):
        one = found.find(key)
        assert one
        assert one.value == pytest.approx(1), key
    difference = found.find("difference_opa_consensus")
    assert difference
    assert difference.value == 0


def test_the_order_of_rows_changes_nothing(study: AgreementStudy) -> None:
    rng = np.random.default_rng(2)
    reads = simulated_reads(rounds=2)
    shuffled = [reads[place] for place in rng.permutation(len(reads))]
    other = study_reads(shuffled, FEW, software="AI")
    for one in study.statistics:
        if one.context["analysis"] in {"between readers", "comparison"} and not one.key.startswith("onest"):
            same = other.find(one.key, **dict(one.context))
            assert same
            assert same.value == pytest.approx(one.value, nan_ok=True), one.key


def test_two_readers_and_one_reader_and_a_named_reference() -> None:
    two = study_reads(simulated_reads(readers=("Ann", "Bob"), software_error=None), FEW)
    one = two.find("ccc", analysis="comparison")
    assert one
    assert (one.context["reference"], one.context["compared"]) == ("Ann", "Bob")
    named = study_reads(simulated_reads(software_error=None), FEW, reference="Cem")
    assert named.rounds[1].readers.readers == ("Ann", "Bob")
    compared = {
        one.context["compared"] for one in named.statistics if one.context["analysis"] == "comparison"
    }
    assert compared == {"Ann", "Bob"}
    with pytest.raises(StudyError, match="one reader only"):
        study_reads(simulated_reads(readers=("Ann",), software_error=None), FEW)
    with pytest.raises(StudyError, match="no reader named 'Eve'"):
        study_reads(simulated_reads(), FEW, software="Eve")
    with pytest.raises(StudyError, match="as the software and as the reference"):
        study_reads(simulated_reads(), FEW, software="AI", reference="AI")
    with pytest.raises(StudyError, match="no reads of score"):
        study_reads(simulated_reads(), FEW, score="TPS")


def test_warnings_name_skewed_prevalence_skewed_scores_and_thin_case_mixes(study: AgreementStudy) -> None:
    together = " ".join(study.warnings)
    assert "Rounds 1 and 2: 40 cases" in together
    assert together.count("a validation should contain") == 1
    assert "F-based interval" in together
    assert "40 cases" in together
    skewed = [replace(r, value=exactly(r.value.number + 1)) for r in simulated_reads(software_error=None)]
    found = study_reads(skewed, FEW)
    assert any("At ≥ 1 the prevalence is 100 %" in warning for warning in found.warnings)


def test_patients_with_several_slides_are_one_cluster_and_contradictions_are_refused() -> None:
    reads = [replace(read, patient=f"p{int(read.case[4:]) // 2}") for read in simulated_reads()]
    assert len(set(read_matrix(reads, 1).cluster.tolist())) == 20
    wrong = [*reads, replace(reads[0], reader="Dan", patient="p9")]
    with pytest.raises(StudyError, match="of patient 'p0' and of 'p9'"):
        read_matrix(wrong, 1)


def test_a_bound_across_the_cutoff_is_indeterminate() -> None:
    reads = [
        Read(case="a", reader="Ann", value=ReadValue(5, 0, 10, high_excluded=True)),
        Read(case="a", reader="Bob", value=exactly(3)),
    ]
    matrix = read_matrix(reads, 1)
    assert np.isnan(matrix.reaches(1)[0, 0])
    assert matrix.indeterminate(1).tolist() == [[True, False]]
    assert matrix.reaches(10)[0].tolist() == [0, 0]


def test_mivque0_is_the_analysis_of_variance_of_a_full_table() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(30, 1)) * 2 + rng.normal(size=(1, 5)) + rng.normal(size=(30, 5)) * 0.5
    unit, reader = np.nonzero(np.isfinite(scores))
    found = mivque0(scores.ravel(), {"case": unit, "reader": reader})
    n, k = scores.shape
    case = k * np.var(scores.mean(axis=1), ddof=1)
    by_reader = n * np.var(scores.mean(axis=0), ddof=1)
    rest = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    residual = (rest**2).sum() / ((n - 1) * (k - 1))
    assert found["residual"] == pytest.approx(residual)
    assert found["case"] == pytest.approx((case - residual) / k)
    assert found["reader"] == pytest.approx((by_reader - residual) / n)


def test_a_site_that_shifts_scores_is_found_and_shares_sum_to_one() -> None:
    rng = np.random.default_rng(4)
    site = np.repeat(np.arange(8), 10)
    scores = rng.normal(size=8)[site][:, None] * 3 + rng.normal(size=(80, 1)) + rng.normal(size=(80, 4)) * 0.3
    found = variance_components(scores, np.arange(80), {"site": [f"s{one}" for one in site]})
    shares = {one.key: one.value for one in found}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["variance_site"] > shares["variance_case"] > shares["variance_residual"]


def test_mean_likeness_leaves_out_gaps_pair_by_pair() -> None:
    reads = np.array([[1, 1, np.nan], [0, 0, 0], [1, 0, 1], [0, 0, 0.0]])
    values = pairwise_measure(all_pairs(reads), PairwiseMeasure.OPA)(np.ones((1, 4)))[0]
    assert values.tolist() == pytest.approx([3 / 4, 1, 2 / 3])
    assert mean_pairwise_measure(all_pairs(reads), PairwiseMeasure.OPA)(np.ones((1, 4)))[0] == pytest.approx(
        values.mean()
    )
    matrix = pairwise_matrix(reads, PairwiseMeasure.KAPPA)
    np.testing.assert_allclose(matrix, matrix.T)


def test_the_log_scale() -> None:
    assert Scale.LOG.of(np.array([0.0, 9, 99])).tolist() == [0, 1, 2]


def test_of_three_readers_alone_nobody_is_singled_out() -> None:
    study = study_reads(simulated_reads(software_error=None), FEW)
    roles = study.rounds[1]
    assert (roles.reference, roles.compared) == (None, None)
    assert "no software" in roles.why
    analyses = {one.context["analysis"] for one in study.statistics}
    assert analyses == {"between readers", "each reader", "subgroup"}
    each = {one.context["reader"] for one in study.statistics if one.context["analysis"] == "each reader"}
    assert each == {"Ann", "Bob", "Cem"}


def test_the_score_is_the_one_that_the_reads_name() -> None:
    reads = [replace(read, score="TPS") for read in simulated_reads()]
    assert study_reads(reads, FEW, software="AI").score == "TPS"
    with pytest.raises(StudyError, match="several scores: TPS, CPS"):
        study_reads([*reads, *simulated_reads()], FEW, software="AI")


def test_scores_that_differ_by_rounding_alone_are_not_called_skewed() -> None:
    alike = np.full(len(BALANCED), 6.5)
    alike[0] = np.nextafter(6.5, 7.0)
    assert "skewed" not in named(matrix(Ann=alike, Bob=alike, Cem=alike))
    lopsided = np.where(np.arange(len(BALANCED)) < 12, 40.0, 0.0)
    assert "skewed" in named(matrix(Ann=lopsided, Bob=lopsided, Cem=lopsided))


def test_a_reader_with_hardly_a_read_is_named() -> None:
    """A misspelt name is a reader of its own, and takes all cases from those that all readers read."""
    reads = np.arange(20.0)
    slip = np.full(20, np.nan)
    slip[3], reads_of_a = 3.0, reads.copy()
    reads_of_a[3] = np.nan
    assert "Reader AA read 1 of 20 cases" in named(matrix(A=reads_of_a, AA=slip, B=reads))
    assert "read 1 of" not in named(matrix(A=reads, B=reads))


def test_a_subgroup_counts_patients_where_they_have_several_slides() -> None:
    """Wilson's interval takes slides for independent: with four slides a patient it would be half as wide."""
    rng = np.random.default_rng(8)
    level = np.repeat(rng.uniform(0, 3, 20), 4)
    reads = [
        Read(
            case=f"c{case}",
            reader=reader,
            value=exactly(float(round(score, 2))),
            patient=f"p{case // 4}",
            groups={"site": "north" if case < 40 else "south"},
        )
        for reader, scores in (("Ann", level), ("AI", level + np.repeat(rng.normal(0, 1, 20), 4) ** 2))
        for case, score in enumerate(scores)
    ] + [Read(case=f"c{case}", reader="Bob", value=exactly(float(level[case]))) for case in range(80)]
    study = study_reads(reads, FEW, software="AI")
    compared = study.find("opa", analysis="comparison", cutoff="≥ 1")
    whole = study.find("opa", analysis="subgroup", subgroup="all cases", cutoff="≥ 1")
    assert compared is not None
    assert whole is not None
    assert whole.intervals == compared.intervals
    assert "20 patients" in whole.intervals[0].method
    north = study.find("opa", analysis="subgroup", subgroup="north", cutoff="≥ 1")
    assert north is not None
    assert "10 patients" in north.intervals[0].method


def test_a_reader_of_two_rounds_is_compared_with_that_reader_alone() -> None:
    """Ann repeats herself exactly, Bob never: each has figures of their own, and the mean lies between."""
    steady, other = np.linspace(0, 20, 24), np.linspace(20, 0, 24)
    reads = [
        Read(case=f"c{case}", reader=reader, value=exactly(float(score)), round=number)
        for reader, rounds in (("Ann", (steady, steady)), ("Bob", (steady, other)), ("Cem", (steady,)))
        for number, scores in enumerate(rounds, start=1)
        for case, score in enumerate(scores)
    ]
    study = study_reads(reads, FEW)
    own = {
        one.context.get("reader", "mean"): one.value
        for one in study.statistics
        if one.key == "intra_opa" and one.context["cutoff"] == "≥ 10"
    }
    assert own["Ann"] == 1.0
    assert own["Bob"] == 0.0
    assert own["mean"] == pytest.approx(0.5)
    assert "Cem" not in own, "one round only"


def test_rounds_without_a_common_reader_have_no_figures_within_readers() -> None:
    reads = [
        Read(case=f"c{case}", reader=reader, value=exactly(float(case)), round=number)
        for number, names in ((1, ("Ann", "Bob")), (2, ("Cem", "Dot")))
        for reader in names
        for case in range(12)
    ]
    study = study_reads(reads, FEW)
    assert not [one for one in study.statistics if one.context["analysis"] == "within readers"]
    assert {one.context["round"] for one in study.statistics} == {"1", "2"}


def test_a_round_of_two_arms_is_refused_by_number() -> None:
    reads = [
        Read(case=f"c{case}", reader=reader, value=exactly(1.0), round=3, arm=arm)
        for reader, arm in (("Ann", "unaided"), ("Bob", "aided"))
        for case in range(4)
    ]
    with pytest.raises(StudyError, match="round 3 has reads of two arms: unaided and aided") as caught:
        study_reads(reads, FEW)
    assert "a round of its own" in caught.value.hint


def test_what_is_not_in_the_study_is_not_found(study: AgreementStudy) -> None:
    assert study.find("opa", analysis="comparison", cutoff="≥ 7") is None
    assert study.find("no such key") is None


def test_a_lone_case_below_the_cutoff_is_one_case() -> None:
    scores = np.concatenate([[0.2], np.linspace(1, 9, 119)])
    text = named(matrix(Ann=scores, Bob=scores, Cem=scores))
    assert "Only 1 case lies below 1: NPA is based on few" in text


def test_cases_far_from_every_cutoff_are_said_to_be_easy() -> None:
    easy = np.where(np.arange(120) < 100, 60.0, 5.0)
    text = named(matrix(Ann=easy, Bob=easy, Cem=easy))
    assert "17 % of cases lie between 0.5 and 10: agreement looks better" in text
    assert "aim for 25 % or more" in text


def test_readers_who_never_differ_fan_out_nowhere() -> None:
    """A rank correlation of equal differences is not defined: nothing is said of it."""
    assert "Differences grow" not in named(matrix(Ann=BALANCED, Bob=BALANCED, Cem=BALANCED))
    few = np.where(np.arange(120) < 9, BALANCED, np.nan)
    assert "Differences grow" not in named(matrix(Ann=few, Bob=few * GROWING, Cem=few))
