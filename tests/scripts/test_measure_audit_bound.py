"""The bound on an audit's error: exact probabilities and the cheapest draw."""

from __future__ import annotations

import numpy as np
import pytest

from cxpath.data.cells import Kind
from cxpath.scores.audit_sample import linear_effect, variances
from scripts.studies.measure_audit import NETWORKS, simulate_slide
from scripts.studies.measure_audit_bound import describe_bound, exact_ways, lowest_variance, measure_bound


@pytest.mark.parametrize("name", NETWORKS)
def test_exact_probabilities_add_up_to_the_true_counts(name: str) -> None:
    slide = simulate_slide(20.0, NETWORKS[name], 60_000, np.random.default_rng(3))
    ways = exact_ways(slide, NETWORKS[name])
    tumour, immune = slide.kind == Kind.TUMOUR, slide.kind == Kind.IMMUNE
    truth = [tumour & slide.stained, tumour & ~slide.stained, immune & slide.stained]
    assert np.allclose(ways.sum(axis=1), 1.0)
    chance = np.sqrt((ways * (1.0 - ways)).sum(axis=0))
    assert (np.abs(ways.sum(axis=0)[:3] - [one.sum() for one in truth]) < 4.0 * chance[:3]).all()


def test_probabilities_rank_stained_cells_above_others() -> None:
    slide = simulate_slide(20.0, NETWORKS["restained"], 20_000, np.random.default_rng(4))
    ways = exact_ways(slide, NETWORKS["restained"])
    counted = slide.stained & (slide.kind != Kind.OTHER)
    positive = ways[:, 0] + ways[:, 2]
    assert positive[counted].mean() > 10 * positive[~counted].mean()


def test_no_equal_draw_is_better_and_asking_everybody_leaves_nothing() -> None:
    rng = np.random.default_rng(5)
    ways = rng.dirichlet([0.1, 3.0, 0.1, 3.0], size=400)
    spread = variances(ways, linear_effect(ways.sum(axis=0)))
    bounds = [lowest_variance(ways, number) for number in (20, 100, 400)]
    equal = [float(spread.sum() * (400 / number - 1.0)) for number in (20, 100, 400)]
    assert bounds == sorted(bounds, reverse=True)
    assert all(bound <= one + 1e-12 for bound, one in zip(bounds, equal, strict=True))
    assert bounds[-1] == pytest.approx(0.0, abs=1e-12)


def test_the_table_has_a_row_for_each_network_and_for_all() -> None:
    names, truth, bounds = measure_bound(6, seed=1, cells=2_000)
    table = describe_bound(names, truth, bounds)
    assert [line.split(" | ")[0] for line in table.splitlines() if " | 0–100 | " in line] == [
        f"| {name}" for name in (*NETWORKS, "all")
    ]
    assert (bounds > 0).all()
