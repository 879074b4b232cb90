"""Losses and learning rate as TensorBoard reads them; its package is needed only when asked for.

Knows nothing of networks; a run that goes on writes behind what it wrote before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cxpath.values.errors import ConfigurationError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from cxpath.training.loop import StepReport, Watcher

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
