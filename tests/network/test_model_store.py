from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from cxpath.network import model_store
from cxpath.network.card import ModelCard
from cxpath.network.card_file import CARD_NAME, card_text
from cxpath.network.model_store import WEIGHTS_NAME, list_models, load_card, load_model, model_folder
from cxpath.values.errors import ModelError


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


def test_every_bundled_model_loads_and_is_small() -> None:
    cards = list_models()
    assert "small" in {card.name for card in cards}
    for card in cards:
        assert load_model(card.name).card == card
        assert (model_folder(card.name) / WEIGHTS_NAME).stat().st_size <= 3e6
