"""Training: crops in, weights out. Can be interrupted and resumed; the same seed gives the same weights.

Knows nothing of judging or packing; `make_model` tells the whole story.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn, optim

from cxpath.network.architecture import PlainUNet
from cxpath.network.device import Device, choose_device
from cxpath.network.model_store import load_model
from cxpath.training.checkpoint import TrainingState, resume_checkpoint, save_checkpoint
from cxpath.training.crops import draw_crops
from cxpath.training.field_cache import FieldCache, FieldSource, cached_fields, draw_random_field
from cxpath.training.losses import Losses, all_losses, balanced_weights
from cxpath.training.schedule import learning_rate, progress
from cxpath.training.settings import TrainingSettings
from cxpath.training.targets import Targets, batch_targets
from cxpath.training.weight_average import WeightAverage
from cxpath.values.errors import ConfigurationError

CHECKPOINT_NAME = "checkpoint.pt"
_LOG_EVERY = 50
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepReport:
    """How training stands after a step; `losses` by name, `done` as a share."""

    step: int
    done: float
    losses: dict[str, float]


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The averaged network, in evaluation mode on the processor, and what it took."""

    network: PlainUNet
    steps: int
    minutes: float


Watcher = Callable[[StepReport], None]


def train(
    settings: TrainingSettings,
    out_dir: Path,
    *,
    watch: Watcher | None = None,
    source: FieldSource = draw_random_field,
) -> TrainedNetwork:
    """Draw the fields (unless `out_dir` holds them), train, and return the network.

    An interrupted run (Ctrl-C too) goes on from its checkpoint when called again with the same settings.

    Parameters
    ----------
    settings : TrainingSettings
    out_dir : Path
        Gets `fields/` and `checkpoint.pt`.
    watch : callable, optional
        Called after every step.
    source : callable
        Where fields come from.

    Raises
    ------
    ConfigurationError
        When `out_dir` holds the checkpoint of other settings.
    """
    fields = training_fields(settings, out_dir, source)
    schedule = settings.schedule
    device = choose_device(schedule.device, threads=schedule.threads)
    state = _fresh_state(settings, device)
    if resume_checkpoint(out_dir / CHECKPOINT_NAME, state, settings.digest()):
        _logger.info("resumed at step %d", state.step)
    try:
        _run(settings, state, fields, device, out_dir, watch)
    except KeyboardInterrupt:
        save_checkpoint(out_dir / CHECKPOINT_NAME, state, settings.digest())
        _logger.info("interrupted at step %d; call again to go on", state.step)
        raise
    save_checkpoint(out_dir / CHECKPOINT_NAME, state, settings.digest())
    return TrainedNetwork(state.average.network.cpu().eval(), state.step, state.minutes)


def training_fields(
    settings: TrainingSettings, out_dir: Path, source: FieldSource = draw_random_field
) -> FieldCache:
    """Return the fields to learn from, drawn if need be."""
    drawing = settings.drawing
    return cached_fields(
        out_dir / "fields" / "train",
        drawing.train_fields,
        drawing.train_seed,
        drawing.field_px,
        workers=drawing.workers,
        source=source,
    )


def validation_fields(
    settings: TrainingSettings, out_dir: Path, source: FieldSource = draw_random_field
) -> FieldCache:
    """Return the held-out fields, of another seed, drawn if need be."""
    drawing = settings.drawing
    return cached_fields(
        out_dir / "fields" / "validation",
        drawing.validation_fields,
        drawing.validation_seed,
        drawing.field_px,
        workers=drawing.workers,
        source=source,
    )


def _fresh_state(settings: TrainingSettings, device: Device) -> TrainingState:
    torch.manual_seed(settings.schedule.seed)
    network = _first_network(settings).to(device.torch_device)
    network = network.to(memory_format=torch.channels_last).train()
    average = WeightAverage(network, settings.schedule.average_decay)
    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    vectors = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.schedule.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return TrainingState(network, average, optim.AdamW(groups, lr=settings.schedule.learning_rate))


def _first_network(settings: TrainingSettings) -> PlainUNet:
    """Return a fresh network, or the one of the model that training goes on from."""
    if not settings.start_from:
        return PlainUNet(settings.architecture)
    model = load_model(settings.start_from)
    if model.card.architecture != settings.architecture:
        raise ConfigurationError(
            f"model {settings.start_from!r} has another architecture than these settings",
            "copy [architecture] from its card",
        )
    return model.network


def _run(
    settings: TrainingSettings,
    state: TrainingState,
    fields: FieldCache,
    device: Device,
    out_dir: Path,
    watch: Watcher | None,
) -> None:
    schedule = settings.schedule
    balance = balanced_weights(fields.cells, settings.loss.class_balance)
    class_weights = torch.from_numpy(balance).to(device.torch_device)
    before = time.monotonic() - 60 * state.minutes
    for light, targets in _batches(settings, fields, state.step):
        if (done := progress(schedule, state.step, state.minutes)) >= 1:
            break
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate(schedule, done)
        losses = _step(settings, state, device, light, targets, class_weights)
        state.step += 1
        state.minutes = (time.monotonic() - before) / 60
        state.average.update(state.network, state.step)
        _tell(state, progress(schedule, state.step, state.minutes), losses, watch)
        if state.step % schedule.checkpoint_every == 0:
            save_checkpoint(out_dir / CHECKPOINT_NAME, state, settings.digest())


def _batches(
    settings: TrainingSettings, fields: FieldCache, first_step: int
) -> Iterator[tuple[Tensor, Targets]]:
    """Batches from `first_step` on; the next one is made while the network computes."""
    with ThreadPoolExecutor(1) as ahead:
        pending = ahead.submit(_batch, settings, fields, first_step)
        for step in range(first_step, settings.schedule.steps):
            ready, pending = pending.result(), ahead.submit(_batch, settings, fields, step + 1)
            yield ready


def _batch(settings: TrainingSettings, fields: FieldCache, step: int) -> tuple[Tensor, Targets]:
    crops = draw_crops(fields, settings.crops, settings.schedule.seed, step)
    light = torch.from_numpy(np.stack([crop.rgb for crop in crops])).permute(0, 3, 1, 2)
    return light, batch_targets(crops, settings.loss)


def _step(
    settings: TrainingSettings,
    state: TrainingState,
    device: Device,
    light: Tensor,
    targets: Targets,
    class_weights: Tensor,
) -> Losses:
    lower = device.number_type != torch.float32
    with torch.autocast(device.name, dtype=device.number_type, enabled=lower):
        output = state.network(light.to(device.torch_device, non_blocking=True))
    losses = all_losses(output, targets.to(device.torch_device), class_weights)
    state.optimiser.zero_grad(set_to_none=True)
    losses.total(settings.loss).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), settings.schedule.gradient_limit)
    state.optimiser.step()
    return losses


def _tell(state: TrainingState, done: float, losses: Losses, watch: Watcher | None) -> None:
    if watch is None and state.step % _LOG_EVERY:
        return
    report = StepReport(
        state.step, done, {name: float(part.detach()) for name, part in losses._asdict().items()}
    )
    if state.step % _LOG_EVERY == 0:
        parts = ", ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
        _logger.info("step %d (%.0f %%, %.1f min): %s", report.step, 100 * done, state.minutes, parts)
    if watch is not None:
        watch(report)
