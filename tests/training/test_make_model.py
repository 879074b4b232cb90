"""The whole story on blobs: seconds of training must beat chance clearly, stop and go on, and pack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cxpath.network.architecture import ArchitectureSettings
from cxpath.network.card import ModelCard
from cxpath.network.model_store import load_model
from cxpath.training.loop import CHECKPOINT_NAME, StepReport, train, training_fields, validation_fields
from cxpath.training.make_model import make_model
from cxpath.training.settings import (
    CropSettings,
    DrawingSettings,
    JudgingSettings,
    LossSettings,
    ScheduleSettings,
    TrainingSettings,
)
from cxpath.values.errors import ConfigurationError, ModelError
from tests.training.blob_fields import blob_field


def tiny(steps: int, seed: int = 1) -> TrainingSettings:
    return TrainingSettings(
        name="tiny",
        architecture=ArchitectureSettings(
            stem_channels=8, fine_channels=16, middle_channels=16, deep_channels=16,
            merged_channels=16, hidden_channels=32,
        ),
        drawing=DrawingSettings(train_fields=12, validation_fields=6, field_px=128, workers=1),
        crops=CropSettings(batch=4, crop_px=96),
        judging=JudgingSettings(margin_px=8),
        schedule=ScheduleSettings(
            steps=steps, learning_rate=0.01, average_decay=0.9, checkpoint_every=5, seed=seed, device="cpu"
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelCard, list[StepReport], Path]:
    folder = tmp_path_factory.mktemp("run")
    reports: list[StepReport] = []
    card = make_model(
        tiny(120), folder / "out", folder / "models" / "tiny", command="trial", watch=reports.append,
        source=blob_field,
    )  # fmt: skip
    return card, reports, folder


def test_it_learns_far_beyond_chance(packed: tuple[ModelCard, list[StepReport], Path]) -> None:
    card, reports, _ = packed
    assert reports[-1].losses["kind"] < 0.5 * reports[0].losses["kind"]
    assert card.metrics["detection_f1"].value > 0.9
    assert card.metrics["macro_f1"].value > 0.8, "four classes: chance is about a quarter"


def test_what_was_packed_is_what_was_measured(packed: tuple[ModelCard, list[StepReport], Path]) -> None:
    card, reports, folder = packed
    assert load_model(folder / "models" / "tiny").card == card
    assert card.training.steps == len(reports) == 120
    assert [source.use for source in card.data] == ["train", "validate"]
    assert card.metrics["macro_f1"].count == 3, "only the fields that chose nothing are measured"
    assert card.reliability is not None
    for curve in (card.reliability.kind, card.reliability.stained):
        assert curve is not None
        assert curve.expected_error.count == 3
        assert sum(curve.count) > 30


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(tensor, b.state_dict()[name]) for name, tensor in a.state_dict().items())


def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def press_ctrl_c(report: StepReport) -> None:
        if report.step == 3:
            raise KeyboardInterrupt

    whole = train(tiny(6), tmp_path / "whole", source=blob_field)
    with pytest.raises(KeyboardInterrupt):
        train(tiny(6), tmp_path / "broken", watch=press_ctrl_c, source=blob_field)
    steps: list[int] = []
    resumed = train(
        tiny(6), tmp_path / "broken", watch=lambda report: steps.append(report.step), source=blob_field
    )
    assert steps == [4, 5, 6]
    assert same_weights(whole.network, resumed.network)


def test_validation_fields_are_none_of_the_training_fields(tmp_path: Path) -> None:
    learned = training_fields(tiny(1), tmp_path, blob_field)
    held_out = validation_fields(tiny(1), tmp_path, blob_field)
    assert (len(learned), len(held_out)) == (12, 6)
    assert not any(np.array_equal(a, b) for a in learned.rgb for b in held_out.rgb)


def test_a_run_out_of_time_ends_its_schedule_and_says_how_far_it_came(tmp_path: Path) -> None:
    settings = tiny(500)
    hurried = settings.model_copy(
        update={"schedule": settings.schedule.model_copy(update={"max_minutes": 0.002})}
    )
    reports: list[StepReport] = []
    trained = train(hurried, tmp_path, watch=reports.append, source=blob_field)
    assert 0 < trained.steps == len(reports) < 500
    assert reports[-1].done == 1.0
    assert trained.minutes >= 0.002


def test_the_packed_network_is_the_averaged_one_in_evaluation_mode(tmp_path: Path) -> None:
    trained = train(tiny(3), tmp_path, source=blob_field)
    content = torch.load(tmp_path / CHECKPOINT_NAME, weights_only=True)
    assert not trained.network.training
    assert all(torch.equal(t, content["average"][name]) for name, t in trained.network.state_dict().items())
    name = "outputs.weight"
    assert not torch.equal(content["average"][name], content["network"][name])


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    first = train(tiny(2), tmp_path / "a", source=blob_field)
    second = train(tiny(2, seed=2), tmp_path / "b", source=blob_field)
    assert not same_weights(first.network, second.network)


def test_the_weight_of_stained_cells_reaches_the_weights(tmp_path: Path) -> None:
    heavy = tiny(2).model_copy(update={"loss": LossSettings(stained_kind_weight=5.0)})
    first = train(tiny(2), tmp_path / "a", source=blob_field)
    second = train(heavy, tmp_path / "b", source=blob_field)
    assert not same_weights(first.network, second.network)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    train(tiny(1), tmp_path, source=blob_field)
    with pytest.raises(ConfigurationError, match="other settings"):
        train(tiny(2), tmp_path, source=blob_field)


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    train(tiny(1), tmp_path, source=blob_field)
    (tmp_path / CHECKPOINT_NAME).write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="not a readable checkpoint"):
        train(tiny(1), tmp_path, source=blob_field)


def test_training_goes_on_from_another_model(
    packed: tuple[ModelCard, list[StepReport], Path], tmp_path: Path
) -> None:
    _, fresh, folder = packed
    going_on = tiny(1).model_copy(update={"start_from": str(folder / "models" / "tiny")})
    reports: list[StepReport] = []
    train(going_on, tmp_path, watch=reports.append, source=blob_field)
    assert reports[0].losses["kind"] < 0.5 * fresh[0].losses["kind"]


def test_another_architecture_cannot_be_gone_on_from(
    packed: tuple[ModelCard, list[StepReport], Path], tmp_path: Path
) -> None:
    wider = ArchitectureSettings(stem_channels=24)
    changed = {"start_from": str(packed[2] / "models" / "tiny"), "architecture": wider}
    with pytest.raises(ConfigurationError, match="another architecture"):
        train(tiny(1).model_copy(update=changed), tmp_path, source=blob_field)
