"""Every training configuration that travels with cxpath: it reads, builds, and fits the tiles."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cxpath.data.settings import bundled
from cxpath.evaluation.settings import SyntheticSettings, bundled_settings, evaluation_settings
from cxpath.network.architecture import PlainUNet
from cxpath.training.pack import describe
from cxpath.training.settings import TrainingSettings, read_training_settings
from cxpath.training.thresholds import FIRST_DECISION
from tests.training.test_pack import RECORD

SHIPPED = sorted((bundled("configs") / "training").glob("*.toml"))


@pytest.fixture(params=[path for path in SHIPPED if "architecture" in tomllib.loads(path.read_text("utf-8"))],
                ids=lambda path: path.stem)  # fmt: skip
def settings(request: pytest.FixtureRequest) -> TrainingSettings:
    return read_training_settings(request.param)


def test_small_and_base_are_shipped() -> None:
    assert {"small", "base"} <= {path.stem for path in SHIPPED}


def test_a_tile_of_1024_px_costs_at_most_1_3_times_its_core(settings: TrainingSettings) -> None:
    card = describe(PlainUNet(settings.architecture), settings, FIRST_DECISION, RECORD, (), {})
    assert (card.halo_px, card.receptive_field_px) == (64, 134), "as the documents say"
    assert ((1024 + 2 * card.halo_px) / 1024) ** 2 <= 1.3


def test_nobody_learns_from_what_judges(settings: TrainingSettings) -> None:
    test_seed = evaluation_settings(SyntheticSettings, bundled_settings("synthetic")).seed
    seeds = {settings.synthesis.train_seed, settings.synthesis.validation_seed, test_seed}
    assert len(seeds | {settings.slide_threshold.first_seed}) == 4
    assert settings.crops.crop_px <= settings.synthesis.field_px


@pytest.mark.parametrize(("name", "low", "high"), [("small", 0.5e6, 1e6), ("base", 3e6, 5e6)])
def test_the_sizes_are_as_their_files_say(name: str, low: float, high: float) -> None:
    settings = read_training_settings(Path(bundled("configs") / "training" / f"{name}.toml"))
    number = sum(weights.numel() for weights in PlainUNet(settings.architecture).parameters())
    assert low <= number <= high
    if name == "base":
        assert f"{number / 1e6:.1f} M parameters" in settings.description
        assert settings.schedule.precision == "bfloat16"
