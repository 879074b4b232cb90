"""A few hundred steps on restained real tissue, against as many more on synthetic tissue alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from cxpath.data import Kind
from cxpath.network.architecture import OUTPUT_STRIDE_PX, Network, PlainUNetSettings
from cxpath.network.card import TrainingRecord
from cxpath.synth import KIND_OF_LABEL, SOURCES, Part, RestainedTile, prepare, random_restain, read_tiles
from cxpath.synth.restain import restain
from cxpath.training.loop import train
from cxpath.training.pack import describe, pack
from cxpath.training.settings import CropSettings, RestainedSettings, ScheduleSettings, TrainingSettings
from cxpath.training.thresholds import FIRST_DECISION

ARCHITECTURE = PlainUNetSettings(
    stem_channels=16, fine_channels=24, middle_channels=48, deep_channels=64, merged_channels=32,
    hidden_channels=64,
)  # fmt: skip
STEPS = 300


def settings(pairs: int, start_from: Path | None = None) -> TrainingSettings:
    """Return settings of a short training; with `pairs`, half of each batch is restained."""
    basis = TrainingSettings(architecture=ARCHITECTURE)
    synthesis = {"train_fields": 60, "field_px": 256, "train_seed": 41, "workers": 1}
    return basis.model_copy(
        update={
            "start_from": "" if start_from is None else str(start_from),
            "crops": CropSettings(batch=8, crop_px=128, scale_spread=0.2),
            "restained": RestainedSettings(pairs=pairs, stainings=2, seed=42),
            "synthesis": basis.synthesis.model_copy(update=synthesis),
            "schedule": ScheduleSettings(
                steps=STEPS, learning_rate=2e-3, average_decay=0.98, device="cpu", threads=1
            ),
        }
    )


def packed(network: Network, folder: Path) -> Path:
    """Pack a network so that another training may start from it."""
    record = TrainingRecord(
        command="none", seed=1, steps=STEPS, minutes=0.0, software="this one", settings_digest="0" * 64
    )
    pack(network, describe(network, settings(0), FIRST_DECISION, record, (), {}), folder)
    return folder


def validation_tiles(data: Path) -> list[RestainedTile]:
    """Return tiles of breast cancer patients whom no training sees, each restained once."""
    tiles = []
    for number, tile in enumerate(read_tiles(data, [Part.VALIDATE], [SOURCES[0]])):
        rng = np.random.default_rng([43, number])
        tiles.append(restain(prepare(tile, rng), random_restain(rng, artefacts=False), rng))
    return tiles


@torch.inference_mode()
def tumour_log_odds(network: Network, tile: RestainedTile) -> np.ndarray:
    """Return the log-odds of tumour against all else at each labelled cell."""
    below, right = (-side % 16 for side in tile.rgb.shape[:2])
    padded = np.ascontiguousarray(np.pad(tile.rgb, ((0, below), (0, right), (0, 0)), mode="symmetric"))
    kind = network.eval()(torch.from_numpy(padded).permute(2, 0, 1)[None].float()).kind[0].numpy()
    row, column = (
        np.clip(place // OUTPUT_STRIDE_PX, 0, side - 1).astype(int)
        for place, side in ((tile.y_px, kind.shape[1]), (tile.x_px, kind.shape[2]))
    )
    at_cells = kind[:, row, column]
    log_odds: np.ndarray = at_cells[0] - np.logaddexp.reduce(at_cells[1:], axis=0)
    return log_odds


def separation(network: Network, tiles: list[RestainedTile]) -> float:
    """Return how well log-odds part tumour cells from others (area under the curve)."""
    log_odds = np.concatenate([tumour_log_odds(network, tile) for tile in tiles])
    tumour = np.concatenate([KIND_OF_LABEL[tile.label] == Kind.TUMOUR for tile in tiles])
    above = rankdata(log_odds)[tumour].sum() - tumour.sum() * (tumour.sum() + 1) / 2
    return float(above / tumour.sum() / (~tumour).sum())


@pytest.mark.slow
def test_restained_steps_beat_synthetic_ones_on_patients_kept_apart(data_dir: Path, tmp_path: Path) -> None:
    first = train(settings(0), tmp_path / "first").network
    start = packed(first, tmp_path / "start")
    synthetic = train(settings(0, start), tmp_path / "synthetic").network
    restained = train(settings(2, start), tmp_path / "restained", data=data_dir).network
    tiles = validation_tiles(data_dir)
    with_it, without = (separation(network, tiles) for network in (restained, synthetic))
    assert with_it > without, f"{with_it:.3f} with restained tissue, {without:.3f} without"
