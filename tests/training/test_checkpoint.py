from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import optim

from cxpath.network.architecture import ArchitectureSettings, PlainUNet
from cxpath.training.checkpoint import TrainingState, resume_checkpoint, save_checkpoint
from cxpath.training.weight_average import WeightAverage
from cxpath.values.errors import ConfigurationError, ModelError


def state(seed: int, step: int = 0) -> TrainingState:
    torch.manual_seed(seed)
    network = PlainUNet(ArchitectureSettings(deep_channels=8)).train()
    optimiser = optim.AdamW(network.parameters(), lr=0.01)
    return TrainingState(network, WeightAverage(network, 0.9), optimiser, step, minutes=0.5 * step)


def moved(trained: TrainingState) -> TrainingState:
    """One step of training, so that the optimiser has something to remember."""
    output = trained.network(torch.full((2, 3, 32, 32), 90.0))
    output.kind.square().mean().backward()
    trained.optimiser.step()
    trained.average.update(trained.network, 1)
    return trained


def test_everything_that_moves_comes_back(tmp_path: Path) -> None:
    before = moved(state(1, step=7))
    save_checkpoint(tmp_path / "c.pt", before, "digest")
    after = state(2)
    assert resume_checkpoint(tmp_path / "c.pt", after, "digest")
    assert (after.step, after.minutes) == (7, 3.5)
    for a, b in ((before.network, after.network), (before.average.network, after.average.network)):
        assert all(torch.equal(t, b.state_dict()[name]) for name, t in a.state_dict().items())
    memory = [s.optimiser.state_dict()["state"][0]["exp_avg"] for s in (before, after)]
    assert torch.equal(*memory)
    assert memory[0].abs().sum() > 0


def test_without_a_checkpoint_nothing_is_resumed(tmp_path: Path) -> None:
    fresh = state(1)
    assert not resume_checkpoint(tmp_path / "c.pt", fresh, "digest")
    assert fresh.step == 0


def test_other_settings_and_damage_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, state(1), "digest")
    with pytest.raises(ConfigurationError, match="other settings"):
        resume_checkpoint(path, state(1), "another")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError, match="not a readable checkpoint"):
        resume_checkpoint(path, state(1), "digest")


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, state(1, step=3), "digest")

    def full_disk(content: object, partial: Path) -> None:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, state(1, step=9), "digest")
    after = state(2)
    assert resume_checkpoint(path, after, "digest")
    assert after.step == 3
    assert [found.name for found in tmp_path.iterdir()] == ["c.pt"]
