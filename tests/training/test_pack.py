from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from cxpath.data.cells import Calibration
from cxpath.errors import OutputError
from cxpath.metrics.cells import Decision
from cxpath.network.architecture import PlainUNet, PlainUNetSettings
from cxpath.network.card import PAGE_NAME, ModelCard, TrainingRecord, read_card
from cxpath.network.model import load_model, model_folder
from cxpath.training.pack import describe, pack, write_card
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
