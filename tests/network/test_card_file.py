from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxpath.network.card import DataSource, Metric, ModelCard, Reliability, ReliabilityCurve
from cxpath.network.card_file import CARD_NAME, card_text, read_card
from cxpath.values.errors import ModelError

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
    assert "cxpath models pack" in str(caught.value.hint)


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
    with pytest.raises(ModelError, match="models list"):
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
