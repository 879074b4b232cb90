"""A bar that shows how training goes; for a command to hang on the console it prints to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cxpath.training.loop import StepReport, Watcher

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
        for name, loss in report.losses.items():
            smooth[name] = _SMOOTHING * smooth.get(name, loss) + (1 - _SMOOTHING) * loss
        losses = " ".join(f"{name} {loss:.3f}" for name, loss in smooth.items())
        bar.update(task, completed=report.done, step=report.step, losses=losses)

    with bar:
        yield watch
