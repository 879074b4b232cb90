from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxpath.data.cells import FINE_CLASSES, Calibration, Kind, Subkind
from cxpath.metrics.cells import (
    Decision,
    MatchingSettings,
    Observation,
    above,
    detection_f1,
    false_tumour_positive,
    stained_specificity,
    table_of,
)
from cxpath.pipeline.cells import stained_probability
from cxpath.synth.labelled_tissue import LABEL_NUMBER
from cxpath.training.targets import FIRST_OF_TISSUE
from cxpath.training.thresholds import (
    LabelledLogits,
    choose_centre_threshold,
    choose_stained_threshold,
    decide,
    evaluate,
    fine_pairs,
    fit_calibration,
    fit_kinds,
    fit_stain,
    score_error,
    stain_pairs,
    together,
)
from tests.training.blob_fields import cells_at
from tests.training.peak_examples import TUMOUR, observed, peaks_at


def fields(slope: float = 1.0) -> list[Observation]:
    rng = np.random.default_rng(2)
    often = [observed(rng, 800, 0.5, slope=slope) for _ in range(10)]
    return often + [observed(rng, 800, 0.01, slope=slope) for _ in range(40)]


def test_spread_out_logits_are_drawn_together() -> None:
    calibration = fit_calibration([observed(np.random.default_rng(1), 20_000, 0.5, slope=2.5)], 3.0)
    assert calibration.membrane_temperature == pytest.approx(2.5, rel=0.1)
    assert calibration.any_temperature == pytest.approx(2.5, rel=0.1)
    assert calibration.membrane_bias == pytest.approx(0.0, abs=0.15)


def test_where_positive_cells_are_rare_probabilities_add_up_to_their_number() -> None:
    seen = fields()
    calibration = fit_calibration(seen, low_cps=4.0)
    rare = [one for one in seen if one.truth.true_cps() < 4.0]
    assert len(rare) > 30
    expected = sum(
        float(stained_probability(one.peaks.stain_logits, one.truth.kind, calibration).sum()) for one in rare
    )
    true = sum(int(one.truth.positive.sum()) for one in rare)
    assert expected == pytest.approx(true, rel=0.02)
    unfitted = sum(float((1 / (1 + np.exp(-one.peaks.stain_logits[:, 0]))).sum()) for one in rare)
    assert unfitted > 3 * true, "without the fit the counts would be far off"


def test_each_head_learns_from_the_kind_it_decides() -> None:
    seen = observed(np.random.default_rng(3), 500, 0.3)
    membrane, either = (stain_pairs([seen], 3.0, stain) for stain in ("membrane", "any"))
    assert len(membrane.logit) == (seen.truth.kind == Kind.TUMOUR).sum()
    assert len(either.logit) == (seen.truth.kind == Kind.IMMUNE).sum()


def test_one_sided_truth_leaves_the_logits_alone() -> None:
    none = LabelledLogits(np.array([0.1, 2.0]), np.zeros(2, bool), np.ones(2, bool), np.ones(2))
    assert fit_stain(none) == (1.0, 0.0)


def named(rng: np.random.Generator, tumour_share: float, slope: float = 1.0) -> Observation:
    """A field of tumour cells and plasma cells whose logits are right for equally many of both."""
    seen = observed(rng, 20_000, 0.5)
    tumour = rng.random(20_000) < tumour_share
    evidence = np.where(tumour, 1.0, -1.0) + np.sqrt(2) * rng.standard_normal(20_000)
    logits = np.full((20_000, len(FINE_CLASSES)), -80.0, np.float32)
    logits[:, 0], logits[:, FINE_CLASSES.index("plasma")] = slope * evidence / 2, -slope * evidence / 2
    kind = np.where(tumour, Kind.TUMOUR, Kind.OTHER).astype(np.uint8)
    subkind = np.where(tumour, 0, Subkind.PLASMA).astype(np.uint8)
    truth = replace(seen.truth, kind=kind, subkind=subkind)
    return replace(seen, peaks=replace(seen.peaks, class_logits=logits), truth=truth)


@pytest.mark.parametrize("tumour_share", [0.5, 0.9])
def test_kinds_that_are_rare_are_named_as_rarely_as_they_are(tumour_share: float) -> None:
    temperature, biases = fit_kinds([named(np.random.default_rng(4), tumour_share, slope=2.0)])
    assert temperature == pytest.approx(2.0, rel=0.1)
    between = biases[0] - biases[FINE_CLASSES.index("plasma")]
    assert between == pytest.approx(np.log(tumour_share / (1 - tumour_share)), abs=0.12)
    assert biases[FINE_CLASSES.index("neutrophil")] == 0.0
    assert sum(biases) == pytest.approx(0.0, abs=1e-3)


def test_one_class_alone_leaves_the_kinds_alone() -> None:
    assert fit_kinds([named(np.random.default_rng(5), 1.0)]) == (1.0, ())


def with_ghosts(strength: float) -> Observation:
    """Twenty true cells of score 0.6 and twenty ghosts of score `strength`."""
    place = np.linspace(10, 790, 40)
    kind = np.full(40, TUMOUR)
    score = np.r_[np.full(20, 0.6), np.full(20, strength)]
    true = slice(0, 20)
    return Observation(
        peaks=peaks_at(place, place, kind, np.zeros(40), score),
        truth=cells_at(place[true], place[true], kind[true], np.zeros(20, bool)),
        scored_peaks=np.ones(40, bool),
        scored_truth=np.ones(20, bool),
        pairs=np.column_stack([np.arange(20)] * 2),
    )


@pytest.mark.parametrize("strength", [0.22, 0.41])
def test_the_centre_cut_lies_between_ghosts_and_cells(strength: float) -> None:
    assert strength < choose_centre_threshold([with_ghosts(strength)], 12.0) <= 0.6


def test_of_centre_cuts_that_find_alike_the_lowest_is_taken() -> None:
    assert choose_centre_threshold([with_ghosts(0.11)], 12.0) == pytest.approx(0.15)


def test_the_stain_cut_does_not_overcall_where_positive_cells_are_rare() -> None:
    rng = np.random.default_rng(6)
    seen = [observed(rng, 600, 0.01) for _ in range(30)]
    cut = choose_stained_threshold(seen, Calibration(), low_cps=5.0)
    at_half, at_threshold = (
        score_error(np.stack([table_of(one, Calibration(), t) for one in seen]), 5.0) for t in (0.5, cut)
    )
    assert cut > 0.5
    assert at_threshold < 0.5 * at_half


def test_perfect_calls_have_no_error_and_overcalls_do() -> None:
    tables = np.zeros((2, 6, 6), int)
    tables[:, 1, 1], tables[:, 0, 0] = 99, 1
    assert score_error(tables, 3.0) == pytest.approx(0.0)
    over = tables.copy()
    over[:, 1, 0], over[:, 1, 1] = 5, 94
    assert score_error(over, 3.0) > 0.5


def test_one_field_beyond_repair_does_not_move_the_cut() -> None:
    rng = np.random.default_rng(8)
    seen = [observed(rng, 400, 0.01) for _ in range(20)] + [observed(rng, 400, 0.4) for _ in range(20)]
    lost = observed(rng, 400, 0.9)
    lost = replace(
        lost, truth=replace(lost.truth, membrane=np.zeros(400, bool), any_stain=np.zeros(400, bool))
    )
    without, with_it = (
        choose_stained_threshold(fields, Calibration(), low_cps=5.0) for fields in (seen, [*seen, lost])
    )
    assert abs(without - with_it) <= 0.1


def test_fields_below_the_limit_count_twice() -> None:
    tables = np.zeros((2, 6, 6), int)
    tables[:, 0, 0], tables[:, 1, 0], tables[:, 1, 1] = 1, 4, 95
    over = tables
    assert score_error(over, 0.5) < score_error(over, 3.0), "only low fields count twice"


def test_fields_without_tumour_do_not_matter() -> None:
    seen = observed(np.random.default_rng(0), 50, 0.0)
    nothing = replace(seen, scored_truth=np.zeros(50, bool), scored_peaks=np.zeros(50, bool))
    assert score_error(np.stack([table_of(nothing, Calibration(), 0.5)]), 3.0) == 0.0


def test_fields_of_like_cps_are_taken_together_and_none_is_lost() -> None:
    tables = np.zeros((5, 6, 6), int)
    tables[:, 1, 1] = 10
    tables[:, 0, 0] = [9, 0, 5, 0, 7]
    pooled = together(tables, size=2)
    assert pooled[:, 0, 0].tolist() == [0, 12, 9]
    assert pooled[:, 1, 1].tolist() == [20, 20, 10]


MATCHING = MatchingSettings(low_cps=8.0)
MPP = 0.5


def fields_of_evaluation(seed: int) -> list[Observation]:
    """Ten fields with many positive cells, thirty with few; logits twice too sure of themselves."""
    rng = np.random.default_rng(seed)
    often = [observed(rng, 300, 0.4, gap=6.0, slope=2.0) for _ in range(10)]
    return often + [observed(rng, 300, 0.01, gap=6.0, slope=2.0) for _ in range(30)]


def test_a_decision_made_on_some_fields_holds_on_others() -> None:
    decision = decide(fields_of_evaluation(1), MATCHING, MPP)
    plain = Decision(Calibration(), 0.3, 0.5)
    judged, naive = (evaluate(fields_of_evaluation(2), one, MATCHING, MPP) for one in (decision, plain))
    pooled, pooled_naive = (
        one.metrics(MATCHING, "trial")["low_cps_called"].value
        - one.metrics(MATCHING, "trial")["low_cps_true"].value
        for one in (judged, naive)
    )
    assert abs(pooled) < 0.5 * abs(pooled_naive)
    assert stained_specificity(judged.tables.sum(axis=0)) > 0.99


def test_a_stated_centre_threshold_is_kept_and_calibration_follows_it() -> None:
    fields = fields_of_evaluation(1)
    chosen, stated = (decide(fields, MATCHING, MPP, (), threshold) for threshold in (None, 0.75))
    assert stated.centre_threshold == 0.75 != chosen.centre_threshold
    seen = [above(one, 0.75, MATCHING.match_radius_um / MPP) for one in fields]
    assert stated.calibration == fit_calibration(seen, MATCHING.low_cps)


def test_metrics_are_named_counted_and_bounded() -> None:
    metrics = evaluate(fields_of_evaluation(3), Decision(Calibration(), 0.3, 0.5), MATCHING, MPP).metrics(
        MATCHING, "trial"
    )
    assert {"detection_f1", "macro_f1", "f1_tumour_positive", "low_cps_true"} <= metrics.keys()
    assert "f1_other" not in metrics, "a figure about cells that do not occur is left out"
    for metric in metrics.values():
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low <= metric.value <= metric.high
        assert "bootstrap over fields" in metric.method
    assert metrics["macro_f1"].count == 40
    assert metrics["low_cps_true"].count == 30
    assert metrics["low_cps_true"].value == pytest.approx(2.0, abs=1.0)


def test_the_low_fields_are_chosen_by_the_truth() -> None:
    result = evaluate(fields_of_evaluation(4), Decision(Calibration(), 0.3, 0.0001), MATCHING, MPP)
    assert len(result.low_fields(8.0)) == 30, "calling everything positive does not hide a low field"
    assert len(result.low_fields(0.0)) == 0


def test_every_cell_found_and_kinds_right_leave_only_stain_errors() -> None:
    pooled = evaluate(fields_of_evaluation(5), Decision(Calibration(), 0.3, 0.5), MATCHING, MPP).tables.sum(
        axis=0
    )
    # Cells drawn at random may lie so near each other that matching exchanges them.
    assert detection_f1(pooled) == 1.0
    assert false_tumour_positive(pooled) < 0.05


def of_sets(rng: np.random.Generator, number: int, slope: float) -> Observation:
    """Cells of which only a set of classes is known; the logits are `slope` times too sure."""
    seen = observed(rng, number, 0.3)
    tissue = rng.integers(0, 3, number)
    log_odds = rng.normal(0, 1, (number, 10))
    log_odds[np.arange(number), np.array([0, FINE_CLASSES.index("plasma"), 6])[tissue]] += 2.0
    share = np.exp(log_odds) / np.exp(log_odds).sum(axis=1, keepdims=True)
    drawn = np.array([rng.choice(10, p=one) for one in share])
    label = np.array([LABEL_NUMBER["tumour"], LABEL_NUMBER["lymphocyte"], LABEL_NUMBER["stromal"]])
    of_class = {0: 0, 1: 1, 3: 1, 6: 2, 7: 2}
    fine = np.array([FIRST_OF_TISSUE + label[of_class[one]] if one in of_class else -1 for one in drawn])
    peaks = replace(seen.peaks, class_logits=(slope * log_odds).astype(np.float32))
    return replace(seen, peaks=peaks, fine=fine)


def test_restained_tissue_tempers_logits_that_are_too_sure_there() -> None:
    rng = np.random.default_rng(6)
    synthetic = [observed(rng, 2000, 0.3)]
    alone, _ = fit_kinds(synthetic)
    sure, _ = fit_kinds(synthetic, [of_sets(rng, 4000, 3.0)])
    surer, _ = fit_kinds(synthetic, [of_sets(rng, 4000, 5.0)])
    assert alone < sure < surer
    assert fit_kinds([], [of_sets(rng, 400, 3.0)]) == (1.0, ()), "sets alone tell no bias of a class"


def test_both_tissues_weigh_alike_however_many_cells_they_have() -> None:
    rng = np.random.default_rng(7)
    few, many = [observed(rng, 100, 0.5)], [of_sets(rng, 3000, 1.0)]
    pairs = fine_pairs(few, many)
    first = len(fine_pairs(few, []).fine)
    assert pairs.weight[:first].sum() == pytest.approx(pairs.weight[first:].sum())
    assert pairs.weight.mean() == pytest.approx(1)
    assert (fine_pairs(few, []).weight == 1).all()


def test_restained_staining_moves_temperature_and_bias() -> None:
    synthetic = [observed(np.random.default_rng(8), 4000, 0.5)]
    sure = [observed(np.random.default_rng(9), 4000, 0.5, slope=4.0)]
    plain, _ = fit_stain(stain_pairs(synthetic, 3.0, "membrane"))
    both, _ = fit_stain(stain_pairs(synthetic, 3.0, "membrane", sure))
    assert plain == pytest.approx(1, rel=0.15)
    assert both > 1.5 * plain
