"""Where nobody disagrees a bootstrap has no width: what the study says instead, and its coverage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.agreement.base import (
    RARE,
    AgreementSettings,
    Weighting,
    draw_cases,
    pair_up,
    paired_difference,
    wilson_interval,
)
from cxpath.agreement.categorical import (
    Chance,
    Metric,
    carried_kappa,
    category_counts,
    chance_corrected,
    cohens_kappa,
    krippendorff_alpha,
)
from cxpath.agreement.continuous import Form, Scale, bland_altman, concordance, icc
from cxpath.agreement.readers import PairwiseMeasure, mean_pairwise
from cxpath.agreement.study import AgreementStudy, study_reads
from cxpath.data.reads import Read, exactly

Floats = NDArray[np.float64]
QUICK = AgreementSettings(replicates=200, orders=20)
LEVELS = (0.0, 5.0, 12.0, 40.0)


def equal_reads(readers: Sequence[str], scores: Sequence[float]) -> list[Read]:
    return [
        Read(case=f"c{case}", reader=reader, value=exactly(score))
        for reader in readers
        for case, score in enumerate(scores)
    ]


def equal_study(cases: int, software: str = "") -> AgreementStudy:
    readers = ("A", "B", "C", software) if software else ("A", "B")
    scores = [LEVELS[case % len(LEVELS)] for case in range(cases)]
    return study_reads(equal_reads(readers, scores), QUICK, software=software)


@pytest.mark.parametrize("software", ["", "sw"])
def test_no_figure_of_equal_readers_has_an_interval_without_width(software: str) -> None:
    found = equal_study(30, software).statistics
    assert all(interval.has_width for one in found for interval in one.intervals)
    without = [
        one for one in found if np.isfinite(one.value) and not one.intervals and one.key in {"ccc", "icc_a1"}
    ]
    assert without
    assert all("nothing disagrees" in one.note for one in without)


def test_kappa_and_ac1_of_equal_readers_carry_wilsons_limit() -> None:
    """Of 30 agreements Wilson's limit is .886: where chance agreement is .5 it carries to .773."""
    x = np.tile([0.0, 1.0], 15)
    draws = draw_cases(np.arange(30), 200, 0.95, 1)
    kappa = cohens_kappa(pair_up(x, x, draws), 2, Weighting.NONE)
    counts = category_counts(np.stack([x, x], axis=1), 2)
    ac1 = chance_corrected(counts, Chance.GWET, draws=draws)
    for one in (kappa, ac1):
        assert one.value == 1
        assert (one.intervals[0].low, one.intervals[0].high) == pytest.approx((0.773, 1.0), abs=0.001)
        assert "Wilson" in one.intervals[0].method


def test_patients_and_not_slides_are_counted_where_nothing_disagrees() -> None:
    x = np.tile([0.0, 1.0], 15)
    draws = draw_cases(np.repeat(np.arange(10), 3), 200, 0.95, 1)
    kappa = cohens_kappa(pair_up(x, x, draws), 2, Weighting.NONE)
    ten = wilson_interval(10, 10)
    assert ten
    assert kappa.intervals[0].low == pytest.approx(1 - (1 - ten.low) / 0.5)


def test_formula_intervals_of_no_width_are_left_out_too() -> None:
    x = np.arange(12.0)
    assert concordance(pair_up(x, x)).intervals == ()
    assert all(
        not one.intervals and "no interval" in one.note for one in bland_altman(pair_up(x, x), Scale.RAW)
    )
    codes = np.stack([x % 2, x % 2], axis=1)
    assert krippendorff_alpha(codes, Metric.NOMINAL).intervals[0].low < 0.9


@pytest.mark.parametrize("cases", [6, 30, 71])
def test_few_equal_cases_do_not_show_non_inferiority(cases: int) -> None:
    """Six of six agreements leave up to 46 % disagreement: 1 - 0.025^(1/6)."""
    verdicts = [one.note for one in equal_study(cases, "sw").statistics if "non-inferiority" in one.note]
    assert verdicts
    assert not any(note.endswith(": shown") for note in verdicts)


def test_72_equal_cases_exclude_a_loss_of_five_points() -> None:
    one = equal_study(72, "sw").find("difference_opa_consensus")
    assert one
    assert one.note.endswith("margin 0.05: shown")
    assert one.intervals[0].low == pytest.approx(-(1 - 0.025 ** (1 / 72)))


def test_a_few_discordant_cases_widen_the_difference_beyond_the_bootstrap() -> None:
    """One loss in 30: the exact limits of it alone reach 17 %."""
    loss = np.zeros(30)
    loss[0] = -1.0
    found = paired_difference(loss, 30, 0.95)
    assert found
    assert found.low == pytest.approx(-0.1722, abs=0.0001)
    assert found.high > 0


@pytest.mark.parametrize(("error", "said"), [(0.01, True), (0.3, False)])
def test_coefficients_near_one_say_that_rare_disagreements_are_not_in_their_interval(
    error: float, said: bool
) -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 1, (30, 1)) + rng.normal(0, error, (30, 3))
    draws = draw_cases(np.arange(30), 200, 0.95, 1)
    found = [
        icc(scores, Form.AGREEMENT, draws),
        concordance(pair_up(scores[:, 0], scores[:, 1], draws)),
        krippendorff_alpha(scores, Metric.INTERVAL, draws),
        mean_pairwise(scores, PairwiseMeasure.CCC, draws),
    ]
    assert [RARE in one.note for one in found] == [said] * 4


@pytest.mark.parametrize("zeros", [0.0, 0.3])
def test_icc_and_ccc_of_thirty_cases_hold_the_truth_where_readers_err_as_usual(zeros: float) -> None:
    """300 studies of three readers; the notebook has 1,000 of each kind."""
    rng = np.random.default_rng(11)

    def draw(cases: int) -> Floats:
        true = np.where(rng.random((cases, 1)) < zeros, 0, np.exp(rng.normal(1.5, 1.5, (cases, 1))))
        return Scale.LOG.of(np.round(true * np.exp(rng.normal(0, 0.3, (cases, 3)))))

    many = draw(300_000)
    draws = draw_cases(np.arange(30), 300, 0.95, 1)
    truths = icc(many, Form.AGREEMENT).value, concordance(pair_up(many[:, 0], many[:, 1])).value
    held = np.zeros(2)
    for _ in range(300):
        scores = draw(30)
        found = icc(scores, Form.AGREEMENT, draws), concordance(pair_up(scores[:, 0], scores[:, 1], draws))
        held += [
            one.intervals[0].low <= truth <= one.intervals[0].high
            for one, truth in zip(found, truths, strict=True)
        ]
    assert (held >= 0.91 * 300).all(), held


def simulated_sides(
    cases: int, readers: int, positive: float, error: float, rng: np.random.Generator
) -> Floats:
    """Return whether each reader's log score reaches the cut-off, (cases, readers)."""
    true = rng.normal(0, 1.5, cases) + 1.5 * positive
    return (true[:, None] + rng.normal(0, error, (cases, readers)) >= 0).astype(np.float64)


@pytest.mark.parametrize(("positive", "readers"), [(0.2533, 2), (1.2265, 2), (0.2533, 4)])
def test_kappa_and_ac1_of_thirty_cases_hold_the_truth(positive: float, readers: int) -> None:
    """Prevalence 0.60 and 0.89, small reader errors: 300 studies of 30 cases; .61 to .77 before."""
    rng = np.random.default_rng(7)
    many = simulated_sides(400_000, readers, positive, 0.2, rng)
    draws = draw_cases(np.arange(30), 100, 0.95, 1)
    measures = (PairwiseMeasure.KAPPA, PairwiseMeasure.AC1)
    truth = {one: mean_pairwise(many, one, None).value for one in measures}
    held: dict[PairwiseMeasure, list[bool]] = {one: [] for one in measures}
    for _ in range(300):
        sides = simulated_sides(30, readers, positive, 0.2, rng)
        for one in measures:
            found = mean_pairwise(sides, one, draws)
            if found.intervals:
                held[one].append(found.intervals[0].low <= truth[one] <= found.intervals[0].high)
    for one in measures:
        assert len(held[one]) > 280
        assert np.mean(held[one]) >= 0.93


@pytest.mark.parametrize("kappa", [0.6, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("prevalence", [0.5, 0.6, 0.89])
def test_intervals_of_thirty_cases_hold_the_truth_however_few_disagree(
    kappa: float, prevalence: float
) -> None:
    """Wilson's limits alone held a kappa of .99 in 85 % of studies: one disagreement in 30 excludes it."""
    both = prevalence**2 + kappa * prevalence * (1 - prevalence)
    cells = [1 - 2 * prevalence + both, prevalence - both, prevalence - both, both]
    tables = np.random.default_rng(5).multinomial(30, cells, size=600)
    kinds, number = np.unique(tables, axis=0, return_counts=True)
    found = [carried_kappa(kind.reshape(2, 2).astype(float), np.eye(2), 30, 0.95) for kind in kinds]
    held = [one is not None and one.low <= kappa + 1e-9 <= one.high + 2e-9 for one in found]
    known = np.array([one is not None for one in found])
    assert np.average(held, weights=number * known) >= 0.93
