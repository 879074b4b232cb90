"""How a batch is shown while it runs: live on a terminal, plain lines elsewhere, JSON on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cxpath.runs.batch.engine import Event
    from cxpath.runs.batch.tally import Tally


class ProgressForm(StrEnum):
    """Choices of `--progress`."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"


@contextmanager
def batch_progress(form: ProgressForm) -> Iterator[Callable[[Event | None, Tally], None]]:
    """Show progress on stderr while a block runs; gives the function to call with every event."""
    if form is ProgressForm.JSON:
        yield _print_json
    elif form is ProgressForm.AUTO and sys.stderr.isatty():
        with _live() as listen:
            yield listen
    else:
        yield _print_plain


def duration(seconds: float | None) -> str:
    """Return "5 h 12 min", "3 min", "41 s"; a dash for what is not known."""
    if seconds is None:
        return "–"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _print_json(event: Event | None, tally: Tally) -> None:
    from cxpath.runs.batch.engine import Finished

    about: dict[str, Any] = {"event": "begun" if event is None else type(event).__name__.lower()}
    if isinstance(event, Finished):
        about["outcome"] = event.outcome.as_dict()
    elif event is not None:
        about |= asdict(event)
    print(json.dumps(about | {"progress": tally.as_dict(monotonic())}, ensure_ascii=False), file=sys.stderr)


def _print_plain(event: Event | None, tally: Tally) -> None:
    from cxpath.runs.batch.engine import Finished
    from cxpath.runs.batch.outcome import Status

    if event is None:
        print(f"{tally.total} slides, {tally.kept} of them done before", file=sys.stderr)
    if not isinstance(event, Finished):
        return
    outcome = event.outcome
    again = outcome.status is Status.RUNNING
    what = f"its worker died, attempt {outcome.crashes}; it will be tried again" if again else outcome.status
    why = f": {outcome.reason}" if outcome.reason else ""
    place = f"[{tally.done}/{tally.total}]"
    print(
        f"{place} {outcome.id}  {what}{why}  ({speed_line(tally, monotonic())})", file=sys.stderr, flush=True
    )


def speed_line(tally: Tally, now_s: float) -> str:
    """Return failures so far, speed and time left, in words."""
    speed, left = tally.slides_per_hour(now_s), tally.seconds_left(now_s)
    pace = f"{speed:.0f} slides/h, {duration(left)} left" if speed else "speed not known yet"
    return f"{tally.failed} failed, {pace}"


@contextmanager
def _live() -> Iterator[Callable[[Event | None, Tally], None]]:
    from rich.console import Console
    from rich.live import Live

    latest: list[Tally] = []

    def render() -> RenderableType:
        return _picture(latest[0]) if latest else ""

    with Live(get_renderable=render, console=Console(stderr=True), refresh_per_second=2, transient=True):
        yield lambda event, tally: latest.__setitem__(slice(None), [tally])


def _picture(tally: Tally) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    now_s = monotonic()
    share = 100 * tally.done / max(tally.total, 1)
    head = Text(
        f"{tally.done} of {tally.total} slides  {share:.0f} %   {speed_line(tally, now_s)}", style="bold"
    )
    workers = Table.grid(padding=(0, 2))
    for worker, held in sorted(tally.in_hand.items()):
        tiles = f"{held.tiles_done}/{held.tiles} tiles" if held.tiles else ""
        workers.add_row(worker, held.id, tiles, duration(now_s - held.since_s))
    failures = [Text(f"failed  {one.id}: {one.reason}", style="red") for one in tally.failures[-5:]]
    return Group(head, ProgressBar(total=tally.total, completed=tally.done), workers, *failures)
