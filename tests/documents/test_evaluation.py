"""`evaluation.json`: targets and their bounds, a document of a kind that is read back as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from cxpath.documents.evaluation import (
    EVALUATION_NAME,
    EvaluatedModel,
    EvaluatedReliability,
    Evaluation,
    Figure,
    Target,
)
from cxpath.errors import DocumentError
from cxpath.network import ReliabilityCurve

MODEL = EvaluatedModel(
    name="small", version="1", digest="0" * 64, centre_threshold=0.3, stained_threshold=0.5,
    cxpath="0.2.0", device="cpu", precision="float32",
)  # fmt: skip
numbers = st.floats(-1e6, 1e6)


def figure(value: float | None, target: Target | None) -> Figure:
    return Figure(
        set_name="synthetic", name="cps_ccc", label="CPS, concordance", value=value, low=None, high=None,
        level=0.95, n=3, n_of="slides", unit="slides", units=3, method="by hand", mpp=0.5,
        mpp_source="synthetic", target=target, met=None,
    )  # fmt: skip


@given(numbers, numbers)
def test_a_bound_belongs_to_what_meets_it(bound: float, value: float) -> None:
    assert Target(at_least=bound).met_by(value) == (value >= bound)
    assert Target(at_most=bound).met_by(value) == (value <= bound)
    assert Target(at_least=bound).met_by(bound)
    assert Target(at_most=bound).met_by(bound)


@pytest.mark.parametrize("bound", [0.0, -1.0])
def test_a_bound_of_zero_is_a_bound(bound: float) -> None:
    assert not Target(at_least=bound).met_by(bound - 0.1)
    assert not Target(at_most=bound).met_by(bound + 0.1)


def test_an_unknown_value_meets_nothing() -> None:
    assert not Target(at_least=0.0).met_by(float("nan"))
    assert not Target(at_most=1.0).met_by(float("nan"))


@pytest.mark.parametrize(
    "bounds", [{}, {"at_least": 0.1, "at_most": 0.9}, {"at_least": None, "at_most": None}]
)
def test_a_target_has_exactly_one_bound(bounds: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="either at_least or at_most"):
        Target(**bounds)


def test_a_target_in_words() -> None:
    assert (str(Target(at_least=0.9)), str(Target(at_most=0.0))) == ("≥ 0.9", "≤ 0")


def test_a_document_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    curve = ReliabilityCurve(
        method="ten equal bins", bin_width=0.1, from_probability=(0.1,), count=(4,), mean_probability=(0.15,),
        observed_share=(0.25,),
        expected_error={"value": 0.1, "low": None, "high": None, "level": 0.95, "count": 1, "method": "ten"},
    )  # fmt: skip
    written = Evaluation(
        model=MODEL,
        limit=None,
        sets=(),
        figures=(figure(0.91, Target(at_least=0.9)), figure(None, None)),
        reliability=(EvaluatedReliability(set_name="synthetic", of="kind", curve=curve),),
        hard_negative_shares={"fold": 0.06},
    )
    path = tmp_path / EVALUATION_NAME
    written.write(path)
    assert Evaluation.read(path) == written
    stated = json.loads(path.read_text(encoding="utf-8"))
    assert stated["schema"] == "cxpath/evaluation/1"
    assert stated["reliability"][0]["of"] == "kind"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema": "cxpath/evaluation/0"}, "schema"),
        ({"figures": [{}]}, "figures"),
        ({"misspelt": 1}, "misspelt"),
        ({"model": None}, "model"),
    ],
)
def test_a_damaged_document_names_file_field_and_what_to_do(
    change: dict[str, object], where: str, tmp_path: Path
) -> None:
    path = tmp_path / EVALUATION_NAME
    Evaluation(model=MODEL, limit=None, sets=(), figures=()).write(path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(DocumentError, match=where) as refused:
        Evaluation.read(path)
    assert EVALUATION_NAME in str(refused.value)
    assert "cxpath model evaluate" in str(refused.value)
