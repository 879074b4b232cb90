from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy import special

from cxpath.data.cells import Kind
from cxpath.scores import AuditAnswer, AuditError, CellAnswer, audit_frame, draw_audit
from cxpath.scores.adaptation import (
    Adaptation,
    LogOddsMap,
    adapted_cells,
    fit_adaptation,
    standardised,
    tumour_log_odds,
)
from cxpath.scores.score import score_cells
from scripts.studies.measure_audit import (
    NETWORKS,
    SETTINGS,
    KnownSlide,
    Network,
    simulate_slide,
    simulated_answers,
)

BIASED = replace(NETWORKS["restained"], tumour_bias=2.5, overconfidence=2.0)
"""Calls far too much tumour, and is far too sure of it."""

DIM = replace(NETWORKS["restained"], stained_mean=-1.0, stained_spread=1.0, unstained_mean=-6.0)
"""A pale laboratory: stained cells lie below the threshold."""


def fitted(network: Network, number: int = 100, seed: int = 5) -> tuple[Adaptation, float, float, float]:
    """Return an adaptation, and the CPS of network, adapted network and truth."""
    rng = np.random.default_rng(seed)
    slide = simulate_slide(20.0, network, 8_000, rng)
    frame = audit_frame(slide.cells, SETTINGS)
    answers = simulated_answers(slide, draw_audit(frame, number, seed), 0.0, rng)
    found = fit_adaptation(frame, answers, 0.6)
    cells = adapted_cells(slide.cells, found.tumour, found.stained_threshold)
    adapted = score_cells(cells, SETTINGS.model_copy(update={"stained_threshold": found.stained_threshold}))
    network_score = score_cells(slide.cells, SETTINGS)
    assert adapted.cps is not None
    assert network_score.cps is not None
    return found, network_score.cps.value, adapted.cps.value, slide.cps


def test_a_pale_laboratory_gets_a_lower_threshold_and_comes_nearer_to_the_truth() -> None:
    found, network, adapted, true = fitted(DIM)
    assert found.stained_gain is not None
    assert found.stained_gain.offered
    assert found.stained_threshold < 0.3
    assert abs(np.log(adapted / true)) < 0.5 * abs(np.log(network / true))


def test_too_much_tumour_is_taken_back_where_held_out_answers_gain() -> None:
    found, network, adapted, true = fitted(BIASED)
    assert found.tumour_gain is not None
    assert found.tumour_gain.offered
    assert found.tumour.shift < 0
    assert found.tumour_gain.loss_adapted < found.tumour_gain.loss_network
    assert abs(np.log(adapted / true)) < abs(np.log(network / true))


def test_nothing_is_offered_to_a_network_that_is_calibrated_already() -> None:
    rng = np.random.default_rng(2)
    slide = simulate_slide(20.0, NETWORKS["restained"], 4_000, rng)
    frame = audit_frame(slide.cells, SETTINGS)
    rows = rng.choice(len(slide.cells), 100, replace=False)
    says = rng.random((100, 2)) < np.stack(
        [frame.probabilities[rows, 0], special.expit(frame.log_odds[rows])], axis=1
    )
    answers = [
        AuditAnswer(int(row), CellAnswer.TUMOUR if tumour else CellAnswer.IMMUNE, stained=bool(stained))
        for row, (tumour, stained) in zip(rows, says, strict=True)
    ]
    found = fit_adaptation(frame, answers, 0.6)
    assert not found.offered
    assert found.tumour == LogOddsMap()
    assert found.stained_threshold == 0.6


def test_few_answers_are_refused_and_one_sided_ones_change_nothing() -> None:
    rng = np.random.default_rng(1)
    slide = simulate_slide(20.0, NETWORKS["restained"], 2_000, rng)
    frame = audit_frame(slide.cells, SETTINGS)
    unsure = [AuditAnswer(row, CellAnswer.CANNOT_TELL) for row in range(30)]
    with pytest.raises(AuditError, match="19 answers are too few"):
        fit_adaptation(frame, [*unsure, *(AuditAnswer(30 + row, CellAnswer.OTHER) for row in range(19))], 0.6)
    found = fit_adaptation(frame, [AuditAnswer(row, CellAnswer.OTHER) for row in range(40)], 0.6)
    assert (found.tumour_gain, found.stained_gain) == (None, None)
    assert not found.offered


@settings(max_examples=20, deadline=None)
@given(st.floats(-4, 4), st.floats(0.1, 3))
def test_adapted_probabilities_are_shares_and_only_a_changed_call_changes_class(
    shift: float, scale: float
) -> None:
    cells = simulate_slide(20.0, NETWORKS["restained"], 300, np.random.default_rng(3)).cells
    adapted = adapted_cells(cells, LogOddsMap(shift, scale), 0.4)
    shares = np.stack([adapted.p_tumour, adapted.p_immune, adapted.p_other], axis=1)
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(cells)), abs=1e-5)
    before = np.stack([cells.p_tumour, cells.p_immune, cells.p_other], axis=1)
    same = before.argmax(axis=1) == shares.argmax(axis=1)
    assert (adapted.kind[same] == cells.kind[same]).all()
    assert adapted.facts.stained_threshold == 0.4
    assert (adapted.stained == cells.stained).all()
    order = np.argsort(tumour_log_odds(before.astype(np.float64)), kind="stable")
    assert (np.diff(adapted.p_tumour[order]) >= -1e-6).all()


def test_no_adaptation_is_the_network() -> None:
    cells = simulate_slide(20.0, NETWORKS["restained"], 300, np.random.default_rng(3)).cells
    cells = replace(cells, kind=np.where(np.arange(300) == 7, Kind.OTHER, cells.kind).astype(np.uint8))
    adapted = adapted_cells(cells, LogOddsMap(), 0.6)
    assert (adapted.kind == cells.kind).all()
    assert adapted.p_tumour == pytest.approx(cells.p_tumour, abs=1e-3)


def embedded(signal: float, number: int, seed: int = 6) -> tuple[Adaptation, KnownSlide, NDArray[np.uint8]]:
    """Return an adaptation to answers about cells whose third component says what the network overlooks."""
    rng = np.random.default_rng(seed)
    slide = simulate_slide(20.0, replace(NETWORKS["restained"], class_signal=1.0), 6_000, rng)
    components = rng.normal(size=(len(slide.cells), 16))
    components[:, 2] += signal * (slide.kind == Kind.TUMOUR)
    embedding = np.clip(128 + 32 * components, 0, 255).astype(np.uint8)
    frame = audit_frame(slide.cells, SETTINGS)
    answers = simulated_answers(slide, draw_audit(frame, number, seed), 0.0, rng)
    return fit_adaptation(frame, answers, 0.6, embedding=embedding), slide, embedding


def test_a_regression_on_the_embedding_is_offered_where_it_predicts_more_than_two_numbers() -> None:
    found, slide, embedding = embedded(2.5, 200)
    assert found.tumour_regression is not None
    assert found.tumour_regression.gain.offered
    assert found.offered_for_slide
    weights = np.array(found.tumour_regression.of_answers.weights)
    assert weights.argmax() == 2
    true = slide.kind == Kind.TUMOUR
    pair = adapted_cells(slide.cells, found.tumour, found.stained_threshold)
    regression = found.adapted(slide.cells, embedding)
    wrong = [np.mean((cells.kind == Kind.TUMOUR) != true) for cells in (slide.cells, pair, regression)]
    assert wrong[2] < 0.8 * min(wrong[:2])


def test_an_embedding_that_says_nothing_offers_no_regression() -> None:
    found, slide, embedding = embedded(0.0, 200)
    assert found.tumour_regression is not None
    assert not found.tumour_regression.gain.offered
    assert found.adapted(slide.cells, embedding).kind.tolist() == found.adapted(slide.cells).kind.tolist()


def test_a_regression_needs_fifty_answers() -> None:
    found, _, _ = embedded(2.5, 40)
    assert found.tumour_gain is not None
    assert found.tumour_regression is None


def test_a_staining_that_the_embedding_shows_moves_the_cells_over_the_threshold() -> None:
    rng = np.random.default_rng(7)
    slide = simulate_slide(20.0, DIM, 6_000, rng)
    components = rng.normal(size=(len(slide.cells), 16))
    components[:, 5] += 4.0 * slide.stained
    embedding = np.clip(128 + 25 * components, 0, 255).astype(np.uint8)
    frame = audit_frame(slide.cells, SETTINGS)
    answers = simulated_answers(slide, draw_audit(frame, 300, 7), 0.0, rng)
    found = fit_adaptation(frame, answers, 0.6, embedding=embedding)
    assert found.stained_regression is not None
    assert found.stained_regression.gain.offered
    adapted = found.adapted(slide.cells, embedding)
    assert adapted.facts.stained_threshold == 0.5
    relevant = slide.kind != Kind.OTHER
    pair = slide.cells.stained >= found.stained_threshold
    wrong = [(call != slide.stained)[relevant].mean() for call in (pair, adapted.stained >= 0.5)]
    assert wrong[1] < wrong[0]


def test_components_are_standardised_and_one_without_spread_says_nothing() -> None:
    embedding = np.array([[0, 7], [100, 7], [200, 7], [0, 0]], dtype=np.uint8)
    assert standardised(embedding)[:, 1].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert standardised(embedding)[:3, 0] == pytest.approx([-1.2247, 0.0, 1.2247], abs=1e-3)
    assert standardised(embedding)[3].tolist() == [0.0, 0.0]  # a cell without an embedding
    assert not standardised(np.zeros((3, 2), dtype=np.uint8)).any()


def test_weights_without_an_embedding_are_an_error() -> None:
    log_odds, components = np.zeros(2), np.array([[1.0, 0.0], [0.0, 2.0]])
    with_weights = LogOddsMap(weights=(0.5, 1.0))
    assert with_weights(log_odds, components).tolist() == [0.5, 2.0]
    assert LogOddsMap()(log_odds, components).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="needs the components"):
        with_weights(log_odds)
