"""The whole story on blobs: seconds of training must beat chance clearly, stop and go on, and pack.
The cut is chosen by the scores of whole slides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cxpath.app import train_model as slide_threshold
from cxpath.app.train_model import (
    SYNTHETIC_ALONE,
    ChosenThresholds,
    SyntheticScore,
    choose_thresholds,
    hard_negative_scores,
    make_model,
    moved,
    synthetic_scores,
    threshold_at,
)
from cxpath.data.cells import Calibration, Kind
from cxpath.errors import ConfigurationError, ModelError
from cxpath.evaluation.settings import SyntheticSettings, bundled_settings, evaluation_settings
from cxpath.evaluation.synthetic_set import plan_slides
from cxpath.metrics.cells import Decision, MatchingSettings
from cxpath.network.architecture import PlainUNetSettings
from cxpath.network.card import ModelCard
from cxpath.network.device import choose_device
from cxpath.network.model import load_model
from cxpath.pipeline.cells import name_cells, positive_probability
from cxpath.training.loop import CHECKPOINT_NAME, StepReport, train, training_fields, validation_fields
from cxpath.training.settings import (
    CropSettings,
    LossSettings,
    ScheduleSettings,
    SlideThresholdSettings,
    SynthesisSettings,
    TrainingSettings,
)
from tests.synthetic_cells import many
from tests.training.blob_fields import blob_field


def tiny(steps: int, seed: int = 1) -> TrainingSettings:
    return TrainingSettings(
        name="tiny",
        architecture=PlainUNetSettings(
            stem_channels=8, fine_channels=16, middle_channels=16, deep_channels=16,
            merged_channels=16, hidden_channels=32,
        ),
        synthesis=SynthesisSettings(train_fields=12, validation_fields=6, field_px=128, workers=1),
        crops=CropSettings(batch=4, crop_px=96),
        matching=MatchingSettings(margin_px=8),
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
    assert card.notice == SYNTHETIC_ALONE
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
    assert all(
        torch.equal(t, content["average"][f"module.{name}"])
        for name, t in trained.network.state_dict().items()
    )
    name = "outputs.weight"
    assert not torch.equal(content["average"][f"module.{name}"], content["network"][name])


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    first = train(tiny(2), tmp_path / "a", source=blob_field)
    second = train(tiny(2, seed=2), tmp_path / "b", source=blob_field)
    assert not same_weights(first.network, second.network)


def test_the_weight_of_stained_cells_reaches_the_weights(tmp_path: Path) -> None:
    heavy = tiny(2).model_copy(update={"loss": LossSettings(stained_class_weight=5.0)})
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


def test_a_wider_network_goes_on_from_another_model(
    packed: tuple[ModelCard, list[StepReport], Path], tmp_path: Path
) -> None:
    _, fresh, folder = packed
    narrow = tiny(1).architecture
    assert isinstance(narrow, PlainUNetSettings)
    wider = narrow.model_copy(update={"middle_channels": narrow.middle_channels + 8})
    changed = {"start_from": str(folder / "models" / "tiny"), "architecture": wider}
    reports: list[StepReport] = []
    train(tiny(1).model_copy(update=changed), tmp_path, watch=reports.append, source=blob_field)
    assert reports[0].losses["kind"] < 0.5 * fresh[0].losses["kind"]


def test_a_narrower_network_cannot_go_on_from_another_model(
    packed: tuple[ModelCard, list[StepReport], Path], tmp_path: Path
) -> None:
    narrow = tiny(1).architecture
    assert isinstance(narrow, PlainUNetSettings)
    changed = {
        "start_from": str(packed[2] / "models" / "tiny"),
        "architecture": narrow.model_copy(update={"deep_channels": 1}),
    }
    with pytest.raises(ConfigurationError, match=r"tiny.*only become wider"):
        train(tiny(1).model_copy(update=changed), tmp_path, source=blob_field)


def slide(sure: int, ghosts: int, negative: int, ghost_probability: float) -> SyntheticScore:
    """Tumour cells: surely stained ones, ghosts of some probability, and negative ones."""
    cells = many({"T+": sure + ghosts, "T-": negative, "P+": 40})
    cells.stained[sure : sure + ghosts] = ghost_probability
    return SyntheticScore(
        cells.kind, np.ones_like(cells.stained), cells.stained, 100.0 * sure / (sure + ghosts + negative)
    )


@pytest.mark.parametrize("ghost_probability", [0.41, 0.71])
def test_the_cut_lies_above_ghosts_and_below_sure_cells(ghost_probability: float) -> None:
    slides = [slide(5, 20, 500, ghost_probability), slide(50, 20, 500, ghost_probability)]
    assert ghost_probability < choose_thresholds(slides).stained <= 0.95


def test_ghosts_that_make_up_for_missed_cells_are_kept() -> None:
    """What counts is the score: as many called too much as too little."""
    missed = slide(50, 50, 900, 0.45)
    assert choose_thresholds([replace(missed, true_cps=10.0)]).stained <= 0.45


def test_immune_cells_are_moved_apart_from_tumour_cells() -> None:
    """Immune cells that only look stained must not cost the tumour cells that are."""
    cells = many({"T+": 60, "T-": 500, "L-": 200})
    cells.stained[:60] = 0.6
    cells.stained[cells.kind == Kind.IMMUNE] = 0.9
    thresholds = choose_thresholds(
        [SyntheticScore(cells.kind, np.ones_like(cells.stained), cells.stained, 100 * 60 / 560)]
    )
    assert thresholds.stained <= 0.6
    assert thresholds.immune_shift < -1


def test_the_card_says_what_was_chosen() -> None:
    """Cells probed with the moved calibration are the cells that the choice counted."""
    calibration = Calibration(any_temperature=1.3, any_bias=0.2, membrane_bias=-0.4)
    thresholds = ChosenThresholds(stained=0.6, immune_shift=-1.5)
    decided = threshold_at(Decision(calibration, 0.35, 0.5), thresholds)
    dice = np.random.default_rng(0)
    logits = dice.normal(0, 4, (800, 2)).astype(np.float32)
    names = name_cells(dice.normal(0, 3, (800, 10)).astype(np.float32), calibration)
    before = positive_probability(logits, names, calibration)
    after = positive_probability(logits, names, decided.calibration) >= decided.stained_threshold
    tumour, immune = names.kind == Kind.TUMOUR, names.kind == Kind.IMMUNE
    counted = int(after[tumour | immune].sum())
    score = SyntheticScore(names.kind, names.certainty, before, 0.0)
    assert 0 < counted < tumour.sum()
    assert score.predicted_cps(thresholds) == pytest.approx(100 * counted / tumour.sum())


def test_a_shift_leaves_the_doubt_about_the_kind() -> None:
    stained, certainty = np.array([0.3, 0.5, 0.0], np.float32), np.array([0.5, 0.5, 1.0], np.float32)
    assert np.allclose(moved(stained, certainty, 0.0), stained, atol=1e-6)
    assert (moved(stained, certainty, 50.0) <= certainty + 1e-6).all()


def test_excluded_kinds_never_count() -> None:
    assert slide(10, 0, 90, 0.4).predicted_cps(ChosenThresholds(0.5, 0.0)) == pytest.approx(10.0)


def test_slides_are_drawn_and_their_cells_found() -> None:
    settings = SlideThresholdSettings(cps=(30.0,), side_px=1024)
    (score,) = synthetic_scores(load_model("small"), choose_device("cpu"), settings)
    assert score.true_cps == pytest.approx(30.0, abs=3)
    assert len(score.kind) > 80
    called = [score.predicted_cps(ChosenThresholds(cut, 0.0)) for cut in np.linspace(0, 1, 11)]
    assert called == sorted(called, reverse=True)


def test_slides_full_of_traps_join_in_every_stratum(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = slide_threshold.hard_negative_recipe(SlideThresholdSettings(hard_negative_slides=3, first_seed=7))
    tissue = whole.tissue.model_copy(update={"tumour_cells": 150, "field_um": 256.0, "mpps": (0.5,)})
    monkeypatch.setattr(
        slide_threshold, "hard_negative_recipe", lambda settings: whole.model_copy(update={"tissue": tissue})
    )
    scores = hard_negative_scores(load_model("small"), choose_device("cpu"), SlideThresholdSettings())
    low, middle, high = sorted(score.true_cps for score in scores)
    assert low < 0.5 <= middle < 3 <= high
    for score in scores:
        assert (score.kind == Kind.TUMOUR).sum() > 75
        assert score.predicted_cps(ChosenThresholds(0.0, 0.0)) >= score.predicted_cps(
            ChosenThresholds(0.9, 0.0)
        )


def test_slides_full_of_traps_are_none_of_the_test_set() -> None:
    recipe = slide_threshold.hard_negative_recipe(SlideThresholdSettings(hard_negative_slides=24))
    tested = evaluation_settings(SyntheticSettings, bundled_settings("synthetic"))
    assert {one.seed for one in plan_slides(recipe)}.isdisjoint(one.seed for one in plan_slides(tested))
    assert len(plan_slides(recipe)) == 24
