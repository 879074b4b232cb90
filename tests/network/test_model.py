from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import ValidationError
from safetensors.torch import save

from cxpath.data.cells import Calibration
from cxpath.errors import ModelError
from cxpath.network import model as model_store
from cxpath.network.card import (
    CARD_NAME,
    DataSource,
    Metric,
    ModelCard,
    Reliability,
    ReliabilityCurve,
    card_text,
    read_card,
)
from cxpath.network.model import WEIGHTS_NAME, list_models, load_card, load_model, model_folder


def changed(card: ModelCard, **changes: Any) -> ModelCard:
    return ModelCard.model_validate({**card.model_dump(by_alias=True), **changes})


def test_calibration_becomes_the_frozen_value(card: ModelCard) -> None:
    assert card.calibration.as_value() == Calibration(membrane_temperature=1.5, any_bias=-0.25)


def test_a_card_says_research_use_only(card: ModelCard) -> None:
    assert card.intended_use.startswith("Research use only")
    with pytest.raises(ValidationError):
        changed(card, intended_use="Diagnosis")


def test_a_card_without_a_notice_says_that_it_has_none_and_never_nothing(card: ModelCard) -> None:
    bare = {key: value for key, value in card.model_dump(by_alias=True).items() if key != "notice"}
    assert "not validated on real PD-L1 slides" in ModelCard.model_validate(bare).notice
    for wrong in ("", "two\nlines"):
        with pytest.raises(ValidationError):
            changed(card, notice=wrong)


def test_every_bundled_model_states_what_it_was_trained_on() -> None:
    for bundled in list_models():
        assert bundled.notice.startswith("the model was trained on")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"fine_classes": ("lymphocyte", "tumour")}, "classes"),
        ({"halo_px": 64}, "halo_px"),
        ({"halo_px": 10**9}, "halo_px"),
        ({"stride_px": 8}, "stride_px"),
        ({"output_stride_px": 1}, "stride_px"),
        ({"architecture": {"deep_channels": 2**63 - 1}}, "deep_channels"),
        ({"architecture": {"stem_channels": 0}}, "stem_channels"),
        ({"accepted_mpp": (0.6, 0.9)}, "accepted_mpp"),
        ({"digest": "abc"}, "digest"),
        ({"calibration": {"class_biases": (0.5,)}}, "class_biases"),
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


LINE = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=30)
NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=32)


def test_a_card_comes_back_as_it_was_written(card: ModelCard, tmp_path: Path) -> None:
    (tmp_path / CARD_NAME).write_text(card_text(card), encoding="utf-8")
    assert read_card(tmp_path) == card


def test_a_card_whose_threshold_meant_another_probability_is_refused(card: ModelCard, tmp_path: Path) -> None:
    earlier = card_text(card).replace("cxpath/model/2", "cxpath/model/1")
    (tmp_path / CARD_NAME).write_text(earlier, encoding="utf-8")
    with pytest.raises(ModelError, match="packed by an earlier cxpath") as caught:
        read_card(tmp_path)
    assert "cxpath model pack" in str(caught.value.hint)


def test_a_measured_reliability_comes_back(card: ModelCard, tmp_path: Path) -> None:
    curve = ReliabilityCurve(
        method="trial", from_probability=(0.9,), count=(7,), mean_probability=(0.97,), observed_share=(1.0,),
        expected_error=Metric(value=0.03, low=0.01, high=0.05, count=3, method="ten equal bins"),
    )  # fmt: skip
    card = card.model_copy(update={"reliability": Reliability(kind=curve, stained=curve)})
    (tmp_path / CARD_NAME).write_text(card_text(card), encoding="utf-8")
    assert read_card(tmp_path) == card
    assert "[reliability.stained.expected_error]" in card_text(card)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(name=LINE, method=LINE, value=NUMBER, low=st.none() | NUMBER)
def test_any_words_and_numbers_survive(
    card: ModelCard, tmp_path: Path, name: str, method: str, value: float, low: float | None
) -> None:
    card = card.model_copy(
        update={
            "data": (DataSource(name=name, licence="MIT", use="train", amount=method),),
            "metrics": {"f1": Metric(value=value, low=low, count=1, method=method)},
        }
    )
    (tmp_path / CARD_NAME).write_bytes(card_text(card).encode())
    assert read_card(tmp_path) == card


def test_a_missing_card_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="model list"):
        read_card(tmp_path)


def test_broken_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / CARD_NAME).write_text("name = ")
    with pytest.raises(ModelError, match=r"card\.toml: not readable as TOML"):
        read_card(tmp_path)


def test_an_unknown_key_is_named(card: ModelCard, tmp_path: Path) -> None:
    text = card_text(card).replace("seed = 1", "seed = 1\nseeds = 2")
    (tmp_path / CARD_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"training\.seeds"):
        read_card(tmp_path)


@dataclass(frozen=True)
class Stored:
    folder: Path
    card: ModelCard


def write(folder: Path, content: bytes, card: ModelCard) -> ModelCard:
    folder.mkdir(parents=True)
    card = card.model_copy(update={"digest": hashlib.sha256(content).hexdigest()})
    (folder / WEIGHTS_NAME).write_bytes(content)
    (folder / CARD_NAME).write_text(card_text(card), encoding="utf-8")
    return card


@pytest.fixture
def stored(model: model_store.Model, tmp_path: Path) -> Stored:
    state = {name: t.half() if t.ndim > 1 else t for name, t in model.network.state_dict().items()}
    folder = tmp_path / "models" / "trial"
    return Stored(folder, write(folder, save(state), model.card))


def test_a_model_loads_from_its_folder_in_float32(stored: Stored, model: model_store.Model) -> None:
    loaded = load_model(stored.folder)
    assert loaded.card == stored.card
    assert not loaded.network.training
    assert {weight.dtype for weight in loaded.network.parameters()} == {torch.float32}
    light = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(
            loaded.network(light).kind, model.network(light).kind, rtol=0.05, atol=0.05
        )


def test_a_bundled_model_is_found_by_name(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_store, "bundled", lambda folder: stored.folder.parent)
    assert model_folder("trial") == stored.folder
    assert load_card("trial") == stored.card
    assert list_models() == [stored.card]


def test_an_unknown_model_names_the_known_ones(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_store, "bundled", lambda folder: stored.folder.parent)
    with pytest.raises(ModelError, match=r"'triall' is unknown.*bundled models: trial"):
        model_folder("triall")


def test_changed_weights_are_refused(stored: Stored) -> None:
    path = stored.folder / WEIGHTS_NAME
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256"):
        load_model(stored.folder)


def test_missing_weights_are_named(stored: Stored) -> None:
    (stored.folder / WEIGHTS_NAME).unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors: the weights are missing"):
        load_model(stored.folder)


def test_weights_of_another_architecture_are_refused(model: model_store.Model, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    write(folder, save({"stem.weight": torch.zeros(3)}), model.card)
    with pytest.raises(ModelError, match="state_dict"):
        load_model(folder)


@pytest.mark.parametrize(("name", "most_bytes"), [("small", 3e6), ("base", 8e6)])
def test_every_bundled_model_loads_and_is_small(name: str, most_bytes: float) -> None:
    assert {card.name for card in list_models()} == {"small", "base"}
    assert load_model(name).card == load_card(name)
    assert (model_folder(name) / WEIGHTS_NAME).stat().st_size <= most_bytes
