from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxpath.cells.probabilities import stained_probability
from cxpath.training.calibration_fit import (
    LabelledLogits,
    fit_calibration,
    fit_kinds,
    fit_stain,
    stain_pairs,
)
from cxpath.training.observation import Observation
from cxpath.values.cell_peaks import FINE_CLASSES
from cxpath.values.cell_table import Kind, Subkind
from tests.training.peak_examples import observed


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
    none = LabelledLogits(np.array([0.1, 2.0]), np.zeros(2, bool), np.ones(2, bool))
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
    return replace(seen, peaks=replace(seen.peaks, kind_logits=logits), truth=truth)


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
