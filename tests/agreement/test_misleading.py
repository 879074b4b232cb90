"""What a reader of the report is told of numbers that mislead, and what sound studies are not told."""

import numpy as np
import pytest

from cxpath.agreement.misleading import misleading
from cxpath.agreement.read_matrix import ReadMatrix, read_matrix
from cxpath.agreement.roles import scored
from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.statistic import Statistic
from cxpath.values.reads import Read, exactly

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


def told(reads: ReadMatrix, *statistics: Statistic) -> str:
    reference, compared = (scored(reads, name, SETTINGS) for name in reads.readers[:2])
    return "\n".join(misleading(reads, reference, compared, statistics, SETTINGS))


def statistic(key: str, value: float, p_value: float | None = None, **context: str) -> Statistic:
    return Statistic(key, key, value, (), 120, "", "", p_value=p_value, context=context)


def sound() -> ReadMatrix:
    return matrix(Ann=BALANCED, Bob=BALANCED + STEADY + 0.3, Cem=BALANCED)


def test_a_sound_study_is_told_nothing() -> None:
    straight = statistic("passing_bablok_slope", 1.0, p_value=0.4)
    even = statistic("prevalence", 0.6, analysis="comparison", cutoff="≥ 1")
    assert told(sound(), straight, even) == ""


def test_differences_that_grow_with_the_score_ask_for_ratio_limits() -> None:
    assert "Quote the ratio limits" in told(matrix(Ann=BALANCED, Bob=BALANCED * GROWING, Cem=BALANCED))


@pytest.mark.parametrize(("p_value", "said"), [(0.03, "p = 0.030"), (0.0002, "p < 0.001")])
def test_a_bent_line_is_doubted(p_value: float, said: str) -> None:
    assert said in told(sound(), statistic("passing_bablok_slope", 1.0, p_value=p_value))


@pytest.mark.parametrize("prevalence", [0.05, 0.93])
def test_kappa_is_doubted_at_either_end_of_prevalence(prevalence: float) -> None:
    one = statistic("prevalence", prevalence, analysis="comparison", cutoff="≥ 10")
    assert "At ≥ 10 the prevalence is" in told(sound(), one)


def test_many_zeros_doubt_the_interval_of_the_icc() -> None:
    zeros = np.where(np.arange(120) < 60, 0, BALANCED)
    assert "Quote the bootstrap interval" in told(matrix(Ann=zeros, Bob=zeros, Cem=zeros))


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
    text = told(reads)
    for said in ("50 cases:", "Only 0 cases lie below 1", "2 readers:", "Cases of one site"):
        assert said in text
