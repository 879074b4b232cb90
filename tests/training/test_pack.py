from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from cxpath.data.cells import Calibration
from cxpath.errors import OutputError
from cxpath.metrics.cells import Decision
from cxpath.network.architecture import PlainUNet, PlainUNetSettings
from cxpath.network.card import PAGE_NAME, ModelCard, TrainingRecord, read_card
from cxpath.network.model import load_model, model_folder
from cxpath.training.pack import as_stored, describe, pack, refuse_other_things, stored_weights, write_card
from cxpath.training.settings import TrainingSettings
from cxpath.training.thresholds import card_decision

DECISION = Decision(Calibration(1.1, (0.1,) * 10, 1.2, -0.3, 1.4, 0.5), 0.35, 0.65)
RECORD = TrainingRecord(
    command="trial", seed=1, steps=2, minutes=0.1, software="none", settings_digest="2" * 64
)


def narrow_network(seed: int) -> PlainUNet:
    torch.manual_seed(seed)
    return PlainUNet(PlainUNetSettings(deep_channels=8)).eval()


def card_of(network: PlainUNet) -> ModelCard:
    return describe(network, TrainingSettings(), DECISION, RECORD, (), {})


def test_a_packed_model_loads_with_its_decision(tmp_path: Path) -> None:
    network = narrow_network(1)
    pack(network, card_of(network), tmp_path / "models" / "small")
    loaded = load_model(tmp_path / "models" / "small")
    assert card_decision(loaded) == DECISION
    for name, tensor in loaded.network.state_dict().items():
        torch.testing.assert_close(tensor, network.state_dict()[name], rtol=1e-3, atol=1e-6)


def test_the_card_measures_the_network(tmp_path: Path) -> None:
    card = card_of(narrow_network(1))
    assert card.halo_px == 64
    assert card.receptive_field_px == 134
    assert card.architecture == PlainUNetSettings(deep_channels=8)


def test_packing_again_replaces_the_model_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    for seed in (1, 2):
        network = narrow_network(seed)
        pack(network, card_of(network), folder)
    assert load_model(folder).card.digest == card_of(narrow_network(2)).digest
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_a_card_of_other_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other weights"):
        pack(narrow_network(1), card_of(narrow_network(2)), tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_a_folder_that_is_no_model_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    network = narrow_network(1)
    with pytest.raises(OutputError, match="no model"):
        pack(network, card_of(network), tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "precious"


def test_a_changed_card_changes_its_page_too(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_folder("small"), tmp_path / "model"))
    changed = read_card(folder).model_copy(update={"description": "Another description."})
    write_card(changed, folder)
    assert read_card(folder) == changed
    assert "Another description." in (folder / PAGE_NAME).read_text(encoding="utf-8")


@pytest.mark.parametrize("stopped_by", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_exchange_that_fails_between_its_two_steps_brings_the_earlier_model_back(
    stopped_by: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier model is out of the way already when the new one cannot take its place."""
    folder = tmp_path / "small"
    pack(narrow_network(1), card_of(narrow_network(1)), folder)
    rename = Path.rename

    def stopped(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise stopped_by
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stopped)
    expected = OutputError if isinstance(stopped_by, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        pack(narrow_network(2), card_of(narrow_network(2)), folder)
    monkeypatch.undo()
    assert load_model(folder).card.digest == card_of(narrow_network(1)).digest
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_a_write_that_fails_leaves_the_earlier_model_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "small"
    pack(narrow_network(1), card_of(narrow_network(1)), folder)

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        pack(narrow_network(2), card_of(narrow_network(2)), folder)
    assert read_card(folder).digest == card_of(narrow_network(1)).digest
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_matrices_are_stored_in_half_and_norms_and_biases_in_full() -> None:
    network = narrow_network(1)
    for name, tensor in load(stored_weights(network)).items():
        expected = torch.float16 if tensor.ndim > 1 else network.state_dict()[name].dtype
        assert tensor.dtype == expected, name
    again = as_stored(network)
    assert stored_weights(again) == stored_weights(network)  # storing loses nothing twice
    assert {tensor.dtype for tensor in again.parameters()} == {torch.float32}
    assert not again.training


def test_what_is_packed_over_is_nothing_a_model_or_an_empty_folder(tmp_path: Path) -> None:
    refuse_other_things(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    refuse_other_things(tmp_path / "empty")
    (tmp_path / "file").write_text("a thesis")
    with pytest.raises(OutputError, match=r"file: contains something that is no model .*another folder"):
        refuse_other_things(tmp_path / "file")
