"""What `cxpath batch run` says of a worklist before anything starts, and how `--check` ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

import typer

from cxpath.cli.batch_lines import SHOWN
from cxpath.cli.exits import FAILED, SOME_FAILED
from cxpath.cli.printing import print_document

if TYPE_CHECKING:
    from cxpath.runs.batch.check_worklist import Problem
    from cxpath.runs.batch.slide_task import SlideTask


def slides_that_would_fail(tasks: Sequence[SlideTask], contradictions: Sequence[Problem]) -> list[Problem]:
    """Return the slides that cannot be read, without those that contradict something already."""
    from cxpath.runs.batch.check_worklist import unreadable

    known = {problem.id for problem in contradictions}
    return [problem for problem in unreadable(tasks) if problem.id not in known]


def end_with_check(
    slides: int, contradictions: Sequence[Problem], unreadable: Sequence[Problem], *, as_json: bool
) -> NoReturn:
    """Print all that is wrong with a worklist and end: 1 it cannot be run, 3 some slides would fail, 0."""
    document = {
        "slides": slides,
        "contradictions": [vars(problem) for problem in contradictions],
        "unreadable": [vars(problem) for problem in unreadable],
    }
    print_document(document, _lines(slides, contradictions, unreadable), as_json=as_json)
    if contradictions:
        raise typer.Exit(FAILED)
    raise typer.Exit(SOME_FAILED if unreadable else 0)


def warn(problems: Sequence[Problem]) -> None:
    """Say on stderr which slides will fail; the others are scored all the same."""
    for problem in problems[:SHOWN]:
        print(f"cxpath: will fail: {problem.id}: {problem}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"cxpath: will fail: {len(problems) - SHOWN} more slides", file=sys.stderr)


def _lines(slides: int, contradictions: Sequence[Problem], unreadable: Sequence[Problem]) -> Iterator[str]:
    yield f"slides   {slides}"
    yield from (f"wrong    {problem.id}: {problem}" for problem in contradictions)
    yield from (f"fails    {problem.id}: {problem}" for problem in unreadable)
    yield "verdict  " + _verdict(contradictions, unreadable)


def _verdict(contradictions: Sequence[Problem], unreadable: Sequence[Problem]) -> str:
    if contradictions:
        return f"cannot be run: {len(contradictions)} to be mended in the worklist"
    if unreadable:
        return f"can be run; {len(unreadable)} slides would fail"
    return "can be run"
