"""The training loop: schedule, weight average, checkpoints, progress and log."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch import Tensor, nn, optim
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cxpath.errors import ConfigurationError, MissingFileError, ModelError
from cxpath.io import atomic_write
from cxpath.network import (
    ArchitectureSettings,
    Device,
    Network,
    NetworkOutput,
    build_network,
    choose_device,
    load_model,
    widened,
)
from cxpath.training.data import FieldCache, FieldSource, cached_fields, make_random_field, sample_crops
from cxpath.training.restained import data_folder, restained_batch, restained_losses, restained_stacks
from cxpath.training.settings import ScheduleSettings, TrainingSettings
from cxpath.training.targets import Losses, Targets, all_losses, balanced_weights, batch_targets, light_of

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# Losses and learning rate as TensorBoard reads them; its package is needed only when asked for.
#
# Knows nothing of networks; a resumed run writes behind what it wrote before.


EVENTS_NAME = "tensorboard"
EVERY_STEPS = 10


@contextmanager
def event_log(folder: Path, first_step: int) -> Iterator[Watcher]:
    """Give a watcher that writes every tenth step into a folder of event files.

    Parameters
    ----------
    folder : Path
        Made when missing.
    first_step : int
        Steps done before; what an interrupted run wrote beyond them is taken back.

    Raises
    ------
    ConfigurationError
        When tensorboard is not installed.
    """
    with event_writer_class()(str(folder), purge_step=first_step + 1) as writer:

        def watch(report: StepReport) -> None:
            """Write losses and learning rate of every tenth step."""
            if report.step % EVERY_STEPS:
                return
            for name, loss in report.losses.items():
                writer.add_scalar(f"loss/{name}", loss, report.step)
            writer.add_scalar("learning_rate", report.learning_rate, report.step)

        yield watch


def event_writer_class() -> type[SummaryWriter]:
    """Return torch's writer of event files; raises as `event_log` does."""
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            "schedule.tensorboard is true, but tensorboard is not installed",
            "pip install 'cxpath[tensorboard]', or set it to false",
        ) from error
    return SummaryWriter


# The learning rate along training: a short rise, then half a cosine down to nothing.


def progress(settings: ScheduleSettings, step: int, minutes: float) -> float:
    """Return how much of the training is done, 0-1, by steps or by the clock, whichever is further."""
    by_elapsed_time = minutes / settings.max_minutes if settings.max_minutes > 0 else 0.0
    return min(1.0, max(step / settings.steps, by_elapsed_time))


def rate_share(settings: ScheduleSettings, done: float) -> float:
    """Return the share of the highest learning rate when the share `done` of training is over."""
    if done < settings.warm_up_share:
        return max(done, 0.01 * settings.warm_up_share) / settings.warm_up_share
    rest = (done - settings.warm_up_share) / (1 - settings.warm_up_share)
    return 0.5 * (1 + math.cos(math.pi * rest))


# A moving average of the weights along training: steadier than the last step's (Polyak averaging).


Tensors = tuple[Tensor, ...] | list[Tensor]


class WeightAverage(AveragedModel):
    """Exponential moving average of a network's weights and norm statistics, in evaluation mode.

    The decay is smaller in the first steps, so that the random start is soon forgotten.

    Parameters
    ----------
    network : Network
        Copied.
    decay : float
        Largest share of the old average that a step keeps.
    """

    module: Network

    def __init__(self, network: Network, decay: float) -> None:
        def averaged(average: Tensors, current: Tensors, taken: Tensor | int) -> None:
            """Move the average towards the current weights; counts of batches are copied."""
            if average[0].is_floating_point():
                move = get_ema_multi_avg_fn(decay_after(int(taken) + 1, decay))  # type: ignore[no-untyped-call]
                move(average, current, taken)
            else:  # counts of batches
                torch._foreach_copy_(list(average), list(current))

        super().__init__(network, multi_avg_fn=averaged, use_buffers=True)
        self.eval()


def decay_after(step: int, most: float) -> float:
    """Return the share of the average that a step keeps, counted from 1."""
    return min(most, (1 + step) / (10 + step))


# The state of an unfinished training on disk: written whole or not at all, resumed only by its own run.


_CONTENT = {"settings_digest", "network", "average", "optimiser", "schedule", "step", "minutes"}


@dataclass
class TrainingState:
    """What moves while training."""

    network: Network
    average: WeightAverage
    optimiser: optim.Optimizer
    settings: ScheduleSettings
    step: int = 0
    minutes: float = 0.0
    schedule: LambdaLR = field(init=False)

    def __post_init__(self) -> None:
        def share(_: int) -> float:
            return rate_share(self.settings, progress(self.settings, self.step, self.minutes))

        self.schedule = LambdaLR(self.optimiser, share)


def save_checkpoint(path: Path, state: TrainingState, settings_digest: str) -> None:
    """Write the state."""
    content = {
        "settings_digest": settings_digest,
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "schedule": state.schedule.state_dict(),
        "step": state.step,
        "minutes": state.minutes,
    }
    with atomic_write(path) as partial:
        torch.save(content, partial)


def resume_checkpoint(path: Path, state: TrainingState, settings_digest: str) -> bool:
    """Load the state of an earlier run of the same settings; return False when there is none.

    Raises
    ------
    ConfigurationError
        When the checkpoint belongs to other settings.
    ModelError
        When it cannot be read.
    """
    if not path.is_file():
        return False
    content = _read(path, settings_digest, "choose another folder or delete it")
    state.network.load_state_dict(content["network"])
    state.average.load_state_dict(content["average"])
    state.optimiser.load_state_dict(content["optimiser"])
    state.schedule.load_state_dict(content["schedule"])
    state.step, state.minutes = content["step"], content["minutes"]
    return True


def averaged_network(
    path: Path, architecture: ArchitectureSettings, settings_digest: str
) -> tuple[Network, int, float]:
    """Return the averaged network of a checkpoint, its steps and minutes.

    Raises
    ------
    MissingFileError
        When there is no checkpoint.
    ConfigurationError
        When it belongs to other settings.
    ModelError
        When it cannot be read, or no step was trained yet.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no checkpoint", "give the --work folder of a training that began")
    content = _read(path, settings_digest, "give the file that the training was started with")
    if content["step"] < 1:
        raise ModelError(f"{path}: not one step was trained yet", "let the training continue first")
    average = WeightAverage(build_network(architecture), decay=0.0)
    average.load_state_dict(content["average"])
    return average.module, content["step"], content["minutes"]


def _read(path: Path, settings_digest: str, advice: str) -> dict[str, Any]:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever its unpickler meets
        raise ModelError(f"{path}: not a readable checkpoint", "delete it to start afresh") from error
    if not isinstance(content, dict) or content.keys() != _CONTENT:
        raise ModelError(f"{path}: a checkpoint of another version of cxpath", "delete it to start afresh")
    if content["settings_digest"] != settings_digest:
        raise ConfigurationError(f"{path}: belongs to a training with other settings", advice)
    return {str(key): value for key, value in content.items()}


# Training: crops in, weights out. Can be interrupted and resumed; the same seed gives the same weights.
#
# Knows nothing of evaluation or packing; `make_model` tells the whole story.


CHECKPOINT_NAME = "checkpoint.pt"
_LOG_EVERY = 50
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepReport:
    """How training stands after a step; `losses` by name, `done` as a share."""

    step: int
    done: float
    losses: dict[str, float]
    learning_rate: float


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The averaged network, in evaluation mode on the processor, and what it took."""

    network: Network
    steps: int
    minutes: float


Watcher = Callable[[StepReport], None]
Batch = tuple[Tensor, Targets]
"""Light, uint8 (B, 3, H, W), and what is there."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learned from, and how it is evaluated.

    Parameters
    ----------
    batch : callable
        Number of the step to its batch; called ahead, on another thread.
    class_weights : float32 array, (10,)
        Handed to `losses`.
    digest : str
        Names everything that the weights will depend on; a checkpoint of another digest is refused.
    losses : callable
    """

    batch: Callable[[int], Batch]
    class_weights: NDArray[np.float32]
    digest: str
    losses: Callable[[NetworkOutput, Targets, Tensor], Losses] = all_losses


def train(
    settings: TrainingSettings,
    out_dir: Path,
    *,
    watch: Watcher | None = None,
    source: FieldSource = make_random_field,
    data: Path | None = None,
) -> TrainedNetwork:
    """Make the fields (unless `out_dir` contains them), train, and return the network.

    An interrupted run (Ctrl-C too) resumes from its checkpoint when called again with the same settings.

    Parameters
    ----------
    settings : TrainingSettings
    out_dir : Path
        Gets `fields/`, `checkpoint.pt` and, when asked for, `tensorboard/`.
    watch : callable, optional
        Called after every step.
    source : callable
        Where fields come from.
    data : Path, optional
        The data folder, where restained tissue is to be learned from as well.

    Raises
    ------
    ConfigurationError
        When `out_dir` contains the checkpoint of other settings, TensorBoard is wanted and not installed, or
        restained tissue is wanted and `data` is not given.
    """
    if settings.schedule.tensorboard:
        event_writer_class()  # before minutes of making fields
    return learn(settings, _lesson(settings, out_dir, source, data), out_dir, watch=watch)


def _lesson(settings: TrainingSettings, out_dir: Path, source: FieldSource, data: Path | None) -> Lesson:
    fields = training_fields(settings, out_dir, source)
    balance = balanced_weights(fields.cells, settings.loss.class_balance)
    losses = partial(all_losses, stained_class_weight=settings.loss.stained_class_weight)
    wanted = settings.restained
    if not wanted.pairs:
        return Lesson(partial(_batch, settings, fields), balance, settings.digest(), losses)
    tiles = restained_stacks(
        data_folder(data),
        out_dir / "restained",
        wanted.stainings,
        wanted.seed,
        workers=settings.synthesis.workers,
    )
    return Lesson(
        partial(restained_batch, fields, tiles, settings),
        balance,
        settings.digest(),
        partial(restained_losses, settings=settings, crop_losses=losses),
    )


def learn(
    settings: TrainingSettings, lesson: Lesson, out_dir: Path, *, watch: Watcher | None = None
) -> TrainedNetwork:
    """Train on a lesson; `settings` say from what weights and how they move. See `train`."""
    schedule = settings.schedule
    device = choose_device(schedule.device, precision=schedule.precision, threads=schedule.threads)
    state = _fresh_state(settings, device)
    if resume_checkpoint(out_dir / CHECKPOINT_NAME, state, lesson.digest):
        _logger.info("resumed at step %d", state.step)
    try:
        with _also_logged(settings, state, out_dir, watch) as logged:
            _run(settings, state, lesson, device, out_dir, logged)
    except KeyboardInterrupt:
        save_checkpoint(out_dir / CHECKPOINT_NAME, state, lesson.digest)
        _logger.info("interrupted at step %d; call again to resume", state.step)
        raise
    save_checkpoint(out_dir / CHECKPOINT_NAME, state, lesson.digest)
    trained = blended(state.average.module.cpu(), settings)
    return TrainedNetwork(trained, state.step, state.minutes)


def load_trained(settings: TrainingSettings, out_dir: Path) -> TrainedNetwork:
    """Return the network of a training that ended or was interrupted, from its checkpoint.

    Raises
    ------
    MissingFileError
        When `out_dir` contains no checkpoint.
    ConfigurationError
        When it contains that of other settings.
    ModelError
        When it cannot be read, or no step was trained yet.
    """
    network, steps, minutes = averaged_network(
        out_dir / CHECKPOINT_NAME, settings.architecture, settings.digest()
    )
    return TrainedNetwork(blended(network, settings), steps, minutes)


def blended(network: Network, settings: TrainingSettings) -> Network:
    """Return the network with `schedule.start_share` of the weights that training started from."""
    share = settings.schedule.start_share
    if share == 0:
        return network
    if not settings.start_from:
        raise ConfigurationError("schedule.start_share goes with start_from", "name a model to start from")
    start = _first_network(settings).state_dict()
    mixed = {
        name: torch.lerp(tensor, start[name], share) if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    result = build_network(network.settings)
    result.load_state_dict(mixed)
    return result.eval()


def training_fields(
    settings: TrainingSettings, out_dir: Path, source: FieldSource = make_random_field
) -> FieldCache:
    """Return the fields to learn from, made if need be."""
    synthesis = settings.synthesis
    return cached_fields(
        out_dir / "fields" / "train",
        synthesis.train_fields,
        synthesis.train_seed,
        synthesis.field_px,
        workers=synthesis.workers,
        source=source,
    )


def validation_fields(
    settings: TrainingSettings, out_dir: Path, source: FieldSource = make_random_field
) -> FieldCache:
    """Return the held-out fields, of another seed, made if need be."""
    synthesis = settings.synthesis
    return cached_fields(
        out_dir / "fields" / "validation",
        synthesis.validation_fields,
        synthesis.validation_seed,
        synthesis.field_px,
        workers=synthesis.workers,
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
    optimiser = optim.AdamW(groups, lr=settings.schedule.learning_rate)
    return TrainingState(network, average, optimiser, settings.schedule)


def _first_network(settings: TrainingSettings) -> Network:
    """Return a fresh network, or the one of the model that training continues from, made wider if need be."""
    if not settings.start_from:
        return build_network(settings.architecture)
    model = load_model(settings.start_from)
    if model.card.architecture == settings.architecture:
        return model.network
    try:
        return widened(model.network, settings.architecture)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"training cannot start from model {settings.start_from!r}: {error.message}", error.hint
        ) from error


@contextmanager
def _also_logged(
    settings: TrainingSettings, state: TrainingState, out_dir: Path, watch: Watcher | None
) -> Iterator[Watcher | None]:
    """Give the watcher, and for TensorBoard one that also writes event files."""
    if not settings.schedule.tensorboard:
        yield watch
        return
    with event_log(out_dir / EVENTS_NAME, state.step) as write:

        def both(report: StepReport) -> None:
            """Write the event, then pass the report on."""
            write(report)
            if watch is not None:
                watch(report)

        yield both


def _run(
    settings: TrainingSettings,
    state: TrainingState,
    lesson: Lesson,
    device: Device,
    out_dir: Path,
    watch: Watcher | None,
) -> None:
    schedule = settings.schedule
    class_weights = torch.from_numpy(lesson.class_weights).to(device.torch_device)
    before = time.monotonic() - 60 * state.minutes
    for batch in _batches(lesson, state.step, schedule.steps):
        if progress(schedule, state.step, state.minutes) >= 1:
            break
        losses = _step(settings, state, device, lesson, batch, class_weights)
        state.step += 1
        state.minutes = (time.monotonic() - before) / 60
        rate = float(state.schedule.get_last_lr()[0])
        state.schedule.step()
        state.average.update_parameters(state.network)
        _tell(state, progress(schedule, state.step, state.minutes), losses, rate, watch)
        if state.step % schedule.checkpoint_every == 0:
            save_checkpoint(out_dir / CHECKPOINT_NAME, state, lesson.digest)


def _batches(lesson: Lesson, first_step: int, steps: int) -> Iterator[Batch]:
    """Batches from `first_step` on; the next one is made while the network computes."""
    with ThreadPoolExecutor(1) as ahead:
        pending = ahead.submit(lesson.batch, first_step)
        for step in range(first_step, steps):
            ready = pending.result()
            if step + 1 < steps:
                pending = ahead.submit(lesson.batch, step + 1)
            yield ready


def _batch(settings: TrainingSettings, fields: FieldCache, step: int) -> Batch:
    crops = sample_crops(fields, settings.crops, settings.schedule.seed, step)
    return light_of([crop.rgb for crop in crops]), batch_targets(crops, settings.loss)


def _step(
    settings: TrainingSettings,
    state: TrainingState,
    device: Device,
    lesson: Lesson,
    batch: Batch,
    class_weights: Tensor,
) -> Losses:
    light, targets = batch
    lower = device.number_type != torch.float32
    with torch.autocast(device.name, dtype=device.number_type, enabled=lower):
        output = state.network(light.to(device.torch_device, non_blocking=True))
    losses = lesson.losses(output, targets.to(device.torch_device), class_weights)
    state.optimiser.zero_grad(set_to_none=True)
    losses.total(settings.loss).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), settings.schedule.gradient_limit)
    state.optimiser.step()
    return losses


def _tell(state: TrainingState, done: float, losses: Losses, rate: float, watch: Watcher | None) -> None:
    if watch is None and state.step % _LOG_EVERY:
        return
    parts_by_name = {name: float(part.detach()) for name, part in losses._asdict().items()}
    report = StepReport(state.step, done, parts_by_name, rate)
    if state.step % _LOG_EVERY == 0:
        parts = ", ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
        _logger.info("step %d (%.0f %%, %.1f min): %s", report.step, 100 * done, state.minutes, parts)
    if watch is not None:
        watch(report)


# A bar that shows how training goes; for a command to hang on the console it prints to.


_SMOOTHING = 0.98


@contextmanager
def training_bar(console: Console) -> Iterator[Watcher]:
    """Give a watcher for `train` or `make_model` that draws the share done and the smoothed losses.

    Parameters
    ----------
    console : Console
        Where to draw; standard error keeps the output clean.
    """
    columns = (TextColumn("step {task.fields[step]}"), BarColumn(), TaskProgressColumn())
    bar = Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[losses]}"), console=console)
    task = bar.add_task("training", total=1.0, step=0, losses="")
    smooth: dict[str, float] = {}

    def watch(report: StepReport) -> None:
        """Show the step and the smoothed losses."""
        for name, loss in report.losses.items():
            smooth[name] = _SMOOTHING * smooth.get(name, loss) + (1 - _SMOOTHING) * loss
        losses = " ".join(f"{name} {loss:.3f}" for name, loss in smooth.items())
        bar.update(task, completed=report.done, step=report.step, losses=losses)

    with bar:
        yield watch
