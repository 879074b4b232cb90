from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cxpath.app.train_model import make_model, pack_work
from cxpath.errors import ConfigurationError, MissingFileError, ModelError, OutputError
from cxpath.network.model import load_model
from cxpath.training.loop import CHECKPOINT_NAME, load_trained
from cxpath.training.settings import read_training_settings
from tests.training.blob_fields import blob_field
from tests.training.tiny_work import interrupt, write_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_settings(tmp_path, 60)


def test_reliability_is_never_measured_on_what_calibrated(config: Path, tmp_path: Path) -> None:
    settings = read_training_settings(config)
    one_field = settings.model_copy(
        update={"synthesis": settings.synthesis.model_copy(update={"validation_fields": 1})}
    )
    interrupt(one_field, tmp_path, 10)
    card = pack_work(one_field, tmp_path, tmp_path / "model", command="pack", source=blob_field)
    assert card.reliability is None, "the only field chose the calibration"


def test_a_folder_without_a_checkpoint_is_refused(config: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no checkpoint"):
        load_trained(read_training_settings(config), tmp_path)


def test_other_settings_are_refused(config: Path, tmp_path: Path) -> None:
    interrupt(read_training_settings(config), tmp_path, 1)
    with pytest.raises(ConfigurationError, match="other settings"):
        load_trained(read_training_settings(write_settings(tmp_path, 61)), tmp_path)


def test_a_finished_training_packs_to_the_same_model(config: Path, tmp_path: Path) -> None:
    settings = read_training_settings(config)
    card = make_model(settings, tmp_path / "w", tmp_path / "a", command="one", source=blob_field)
    again = pack_work(settings, tmp_path / "w", tmp_path / "b", command="one", source=blob_field)
    assert again == card == load_model(tmp_path / "b").card


def test_an_interrupted_training_packs_as_it_stands(config: Path, tmp_path: Path) -> None:
    settings = read_training_settings(config)
    interrupt(settings, tmp_path, 40)
    card = pack_work(settings, tmp_path, tmp_path / "model", command="pack", source=blob_field)
    assert card.training.steps == 40
    assert card.metrics["detection_f1"].value > 0.5, "it is the trained network, not a fresh one"
    checkpoint = torch.load(tmp_path / CHECKPOINT_NAME, weights_only=True)
    packed = load_model(tmp_path / "model").network.state_dict()
    name = "fine.1.convolution.weight"
    assert torch.allclose(packed[name], checkpoint["average"]["module." + name], atol=1e-3)


def test_a_checkpoint_before_the_first_step_is_refused(config: Path, tmp_path: Path) -> None:
    settings = read_training_settings(config)
    interrupt(settings, tmp_path, 1)
    content = torch.load(tmp_path / CHECKPOINT_NAME, weights_only=True)
    torch.save(content | {"step": 0}, tmp_path / CHECKPOINT_NAME)
    with pytest.raises(ModelError, match="not one step"):
        load_trained(settings, tmp_path)


def test_a_folder_that_holds_no_model_is_refused_before_anything_is_measured(
    config: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(OutputError, match="contains something that is no model"):
        pack_work(
            read_training_settings(config), tmp_path, tmp_path / "notes", command="x", source=blob_field
        )
    assert not (tmp_path / "fields").exists()
    with pytest.raises(OutputError, match="contains something that is no model"):
        pack_work(read_training_settings(config), tmp_path, config, command="x", source=blob_field)
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"
