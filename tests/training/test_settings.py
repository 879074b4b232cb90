from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cxpath.data.settings import bundled
from cxpath.errors import ConfigurationError, MissingFileError
from cxpath.training.settings import TrainingSettings, read_training_settings


def test_the_shipped_configuration_reads() -> None:
    settings = read_training_settings(bundled("configs") / "training" / "small.toml")
    assert settings.name == "small"
    assert settings.synthesis.train_seed != settings.synthesis.validation_seed


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("[schedule]\nstep = 3\n")
    with pytest.raises(ConfigurationError, match=r"schedule\.step"):
        read_training_settings(path)


def test_broken_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("[schedule\n")
    with pytest.raises(ConfigurationError, match="not readable as TOML"):
        read_training_settings(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        read_training_settings(tmp_path / "nowhere.toml")


def test_the_digest_follows_every_setting() -> None:
    settings = TrainingSettings()
    changed = settings.model_copy(update={"schedule": settings.schedule.model_copy(update={"seed": 2})})
    assert settings.digest() == TrainingSettings().digest() != changed.digest()


def scheduled(**changes: object) -> TrainingSettings:
    settings = TrainingSettings()
    return settings.model_copy(update={"schedule": settings.schedule.model_copy(update=changes)})


LATER_KEYS = (
    ("schedule", "precision"),
    ("schedule", "start_share"),
    ("schedule", "tensorboard"),
    ("slide_threshold", "hard_negative_slides"),
    ("crops", "scanner_share"),
    ("crops", "scale_spread"),
    ("loss", "stained_class_weight"),
)


def test_a_digest_made_before_a_key_was_known_still_holds() -> None:
    content = TrainingSettings().model_dump(mode="json")
    for section, key in LATER_KEYS:
        del content[section][key]
    del content["restained"]
    before = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    assert TrainingSettings().digest() == before


def test_what_changes_no_weight_changes_no_digest() -> None:
    assert scheduled(tensorboard=True).digest() == TrainingSettings().digest()
    assert scheduled(precision="bfloat16").digest() != TrainingSettings().digest()


def test_an_unknown_precision_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text('[schedule]\nprecision = "float8"\n')
    with pytest.raises(ConfigurationError, match=r"schedule\.precision"):
        read_training_settings(path)
