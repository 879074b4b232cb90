from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cxpath.network.card import Metric, ModelCard, Reliability, ReliabilityCurve
from cxpath.values.calibration import Calibration


def changed(card: ModelCard, **changes: Any) -> ModelCard:
    return ModelCard.model_validate({**card.model_dump(by_alias=True), **changes})


def test_calibration_becomes_the_frozen_value(card: ModelCard) -> None:
    assert card.calibration.as_value() == Calibration(membrane_temperature=1.5, any_bias=-0.25)


def test_a_card_says_research_use_only(card: ModelCard) -> None:
    assert card.intended_use.startswith("Research use only")
    with pytest.raises(ValidationError):
        changed(card, intended_use="Diagnosis")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"fine_classes": ("lymphocyte", "tumour")}, "classes"),
        ({"halo_px": 64}, "halo_px"),
        ({"accepted_mpp": (0.6, 0.9)}, "accepted_mpp"),
        ({"digest": "abc"}, "digest"),
        ({"calibration": {"kind_biases": (0.5,)}}, "kind_biases"),
        ({"colour": "brown"}, "colour"),
        ({"schema": "cxpath/model/9"}, "schema"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(card: ModelCard, changes: Any, complaint: str) -> None:
    narrow = {"receptive_field_px": 150} if complaint == "halo_px" else {}
    with pytest.raises(ValidationError, match=complaint):
        changed(card, **changes, **narrow)


def test_a_card_is_frozen(card: ModelCard) -> None:
    with pytest.raises(ValidationError):
        card.mpp = 0.25  # type: ignore[misc]


def test_metric_names_are_plain_keys(card: ModelCard) -> None:
    metric = card.metrics["macro_f1"]
    with pytest.raises(ValidationError, match="metrics"):
        changed(card, metrics={"f1 of tumour+": metric.model_dump()})


@pytest.mark.parametrize("cut", ["centre_threshold", "stained_threshold", "min_distance_um"])
@pytest.mark.parametrize("value", [0.0, -1.0, 11.0])
def test_cuts_out_of_range_are_refused(card: ModelCard, cut: str, value: float) -> None:
    with pytest.raises(ValidationError, match=cut):
        changed(card, thresholds={**card.thresholds.model_dump(), cut: value})


CURVE = ReliabilityCurve(
    method="trial",
    from_probability=(0.0, 0.9),
    count=(10, 5),
    mean_probability=(0.03, 0.96),
    observed_share=(0.1, 0.8),
    expected_error=Metric(value=0.1, count=2, method="trial"),
)


def test_a_card_may_lack_reliability_and_keep_it(card: ModelCard) -> None:
    assert card.reliability is None, "models packed before have none"
    measured = changed(card, reliability=Reliability(stained=CURVE).model_dump())
    assert measured.schema_name == card.schema_name
    assert measured.reliability == Reliability(stained=CURVE)


def test_a_curve_has_one_entry_a_bin(card: ModelCard) -> None:
    crooked = CURVE.model_dump() | {"count": (10,)}
    with pytest.raises(ValidationError, match="differ in length"):
        changed(card, reliability={"kind": crooked})
