from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cxpath.data.settings import bundled
from cxpath.errors import ConfigurationError, MissingFileError
from cxpath.network.card import read_card
from cxpath.network.model import load_card, model_folder
from cxpath.training.settings import (
    DetectionSettings,
    FineTuneSettings,
    TrainingSettings,
    read_fine_tune_settings,
    read_training_settings,
)


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
    del content["restained"], content["detection"]
    before = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    assert TrainingSettings().digest() == before


def test_what_changes_no_weight_changes_no_digest() -> None:
    assert scheduled(tensorboard=True).digest() == TrainingSettings().digest()
    assert scheduled(precision="bfloat16").digest() != TrainingSettings().digest()


def test_a_stated_centre_threshold_is_the_card_s_and_changes_no_digest() -> None:
    shipped = read_training_settings(bundled("configs") / "training" / "small.toml")
    card = read_card(model_folder("small"))
    assert shipped.detection.centre_threshold == card.thresholds.centre_threshold
    unset = shipped.model_copy(update={"detection": DetectionSettings()})
    assert unset.digest() == shipped.digest()


def test_an_unknown_precision_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text('[schedule]\nprecision = "float8"\n')
    with pytest.raises(ConfigurationError, match=r"schedule\.precision"):
        read_training_settings(path)


def written(folder: Path, text: str) -> Path:
    path = folder / "tune.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_naming_one_key_of_the_schedule_keeps_the_others_gentle(tmp_path: Path) -> None:
    read = read_fine_tune_settings(written(tmp_path, "[schedule]\nsteps = 50\n"))
    assert read.schedule.steps == 50
    assert read.schedule.learning_rate == FineTuneSettings().schedule.learning_rate <= 5e-4


@pytest.mark.parametrize(
    ("share", "batch", "drawn"), [(0.5, 8, 4), (0.0, 8, 0), (0.01, 8, 1), (0.9, 8, 7), (0.9, 2, 1)]
)
def test_both_tissues_are_in_every_batch_unless_one_is_not_wanted(
    share: float, batch: int, drawn: int
) -> None:
    settings = FineTuneSettings.model_validate({"synthetic_share": share, "crops": {"batch": batch}})
    assert settings.synthetic_crops == drawn


def test_the_training_starts_from_the_model_and_keeps_its_frame() -> None:
    card = load_card("small")
    training = FineTuneSettings().for_training(card, Path("some/folder"))
    assert (training.name, training.start_from) == ("small-tuned", "some/folder")
    assert (training.architecture, training.mpp) == (card.architecture, card.mpp)
    assert training.matching.min_distance_um == card.thresholds.min_distance_um


def test_another_setting_is_another_digest() -> None:
    assert FineTuneSettings().digest() == FineTuneSettings().digest()
    assert FineTuneSettings().digest() != FineTuneSettings(synthetic_share=0.4).digest()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("synthetic_share = 1.0\n", "synthetic_share"),
        ("[schedule]\nstep = 5\n", "schedule.step: Extra inputs"),
        ("name = [\n", "not readable as TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_fine_tune_settings(written(tmp_path, text))


def test_a_missing_file_of_a_fine_tuning_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_fine_tune_settings(tmp_path / "gone.toml")
