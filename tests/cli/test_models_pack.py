from __future__ import annotations

import json
from pathlib import Path

import pytest

from cxpath.network.model import load_model
from cxpath.training.settings import read_training_settings
from tests.cli.command import cxpath
from tests.training.tiny_work import interrupt, write_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_settings(tmp_path, 60)


def test_the_command_packs_and_says_what_it_measured(config: Path, tmp_path: Path) -> None:
    interrupt(read_training_settings(config), tmp_path, 40)
    done = cxpath("model", "pack", tmp_path, "--config", config, "--out", tmp_path / "m", "--json")
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    assert card["training"]["command"] == f"cxpath model pack --config {config.name}"
    assert card["digest"] == load_model(tmp_path / "m").card.digest
    again = cxpath("model", "pack", tmp_path, "--config", config, "--out", tmp_path / "m")
    assert again.returncode == 0, "an earlier model is replaced"
    assert "(40 steps)" in again.stdout
    assert "detection_f1: " in again.stdout


def test_a_folder_without_a_checkpoint_is_one_line(config: Path, tmp_path: Path) -> None:
    done = cxpath("model", "pack", tmp_path / "none", "--config", config, "--out", tmp_path / "m")
    assert done.returncode == 1
    assert "no checkpoint" in done.only_line


def test_other_settings_are_one_line(config: Path, tmp_path: Path) -> None:
    interrupt(read_training_settings(config), tmp_path, 1)
    other = write_settings(tmp_path, 61)
    done = cxpath("model", "pack", tmp_path, "--config", other, "--out", tmp_path / "m")
    assert done.returncode == 2
    assert "other settings" in done.only_line
    assert "the file that the training was started with" in done.only_line
    assert not (tmp_path / "m").exists()


def test_a_folder_that_holds_no_model_is_one_line(config: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    done = cxpath("model", "pack", tmp_path, "--config", config, "--out", tmp_path / "notes")
    assert done.returncode == 1
    assert "contains something that is no model" in done.only_line
