from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.errors import ConfigurationError, MissingFileError
from cxpath.network.model import load_card
from cxpath.training.fine_tune_settings import FineTuneSettings, read_fine_tune_settings


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


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_fine_tune_settings(tmp_path / "gone.toml")
