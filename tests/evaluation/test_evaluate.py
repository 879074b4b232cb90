from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cxpath.documents.evaluation import EvaluatedModel, Evaluation, Figure, Target
from cxpath.errors import ConfigurationError
from cxpath.evaluation.evaluate import record_in_card
from cxpath.network.card import CARD_NAME, card_text, read_card
from cxpath.network.model import load_model, model_folder

AIM = Target(at_least=0.8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(model_folder("small"), tmp_path / "model"))
    (copy / CARD_NAME).write_text(card_text(read_card(copy).model_copy(update={"evaluation": ()})))
    return copy


def _figure(set_name: str, value: float | None, target: Target | None = AIM) -> Figure:
    met = target.met_by(value) if target and value is not None else None
    return Figure(
        set_name=set_name, name="f1", label="labelled cells found, F1", value=value, low=0.7, high=0.9,
        level=0.95, n=100, n_of="labels", unit="images", units=13, method="one-to-one within 6 µm",
        mpp=0.25, mpp_source="assumed", target=target, met=met,
    )  # fmt: skip


def _evaluation(folder: Path, *figures: Figure, limit: int | None = None, digest: str = "") -> Evaluation:
    card = read_card(folder)
    model = EvaluatedModel(
        name=card.name, version=card.version, digest=digest or card.digest, centre_threshold=0.4,
        stained_threshold=0.7, cxpath="0", device="cpu", precision="float32",
    )  # fmt: skip
    return Evaluation(
        model=model, limit=limit, sets=(), figures=figures, composition=(), hard_negative_shares={},
        slides=(), pictures=(), skipped=(),
    )  # fmt: skip


def test_figures_with_a_target_are_kept_set_by_set(folder: Path) -> None:
    record_in_card(_evaluation(folder, _figure("bcdata", 0.81), _figure("glioma", 0.7)), folder)
    record_in_card(_evaluation(folder, _figure("glioma", 0.82), _figure("other", 0.5, None)), folder)
    found = read_card(folder).evaluation
    assert [(one.set_name, one.value, one.met, one.target) for one in found] == [
        ("bcdata", 0.81, True, "≥ 0.8"),
        ("glioma", 0.82, True, "≥ 0.8"),
    ]
    load_model(folder)  # the weights still fit the card


def test_what_would_mislead_is_refused(folder: Path) -> None:
    before = (folder / "card.toml").read_bytes()
    with pytest.raises(ConfigurationError, match="limited"):
        record_in_card(_evaluation(folder, _figure("bcdata", 0.8), limit=3), folder)
    with pytest.raises(ConfigurationError, match="not the model"):
        record_in_card(_evaluation(folder, _figure("bcdata", 0.8), digest="0" * 64), folder)
    with pytest.raises(ConfigurationError, match="no data to measure"):
        record_in_card(_evaluation(folder, _figure("bcdata", None)), folder)
    assert (folder / "card.toml").read_bytes() == before
