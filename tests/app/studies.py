"""Studies on disk for tests, and readers who answer them without a browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import tomli_w

from cxpath.app.study import STUDY, TOKENS, StudyFolder, read_study, renew_token
from cxpath.review.events import Decision, extended
from cxpath.review.study_design import Assignment, StudyDesign
from cxpath.review.study_session import (
    Entered,
    ReaderState,
    open_session,
    replay_reader,
    show_read,
    submit_read,
)
from tests.review.study_designs import START, answer

Answers = Callable[[str, Assignment], Mapping[str, Any]]
"""From a reader and an assignment to what the reader answers."""


def begun(folder: Path, design: StudyDesign) -> StudyFolder:
    """Write a study with tokens, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    stated = design.model_dump(mode="json", exclude_none=True)
    (folder / STUDY).write_text(tomli_w.dumps(stated), encoding="utf-8")
    study = read_study(folder)
    for reader in design.readers:
        renew_token(study, reader.id)
    assert (folder / TOKENS).is_file()
    return study


def read_by_all(
    study: StudyFolder,
    answers: Answers | None = None,
    *,
    until: int | None = None,
    seconds: Callable[[str, Assignment], float] = lambda _, __: 30.0,
) -> datetime:
    """Let every reader make all reads, or the first ones; returns when the last was done."""
    last = START
    for reader in study.design.readers:
        last = max(last, read_by(study, reader.id, answers, until, seconds))
    return last


def read_by(
    study: StudyFolder,
    reader: str,
    answers: Answers | None = None,
    until: int | None = None,
    seconds: Callable[[str, Assignment], float] = lambda _, __: 30.0,
) -> datetime:
    """Let one reader read, waiting for each wash-out; returns when the reader is done."""
    record, design, now = study.record(reader), study.design, START
    state = record.append([open_session(reader, "s")], now)
    sitting = 1
    while (coming := state.next) is not None and (until is None or coming.position <= until):
        if coming.sitting > sitting:
            sitting, now = coming.sitting, now + timedelta(days=design.wash_out_days)
        state = record.append([show_read(state, design, reader, "s", now)], now)
        spent = seconds(reader, coming)
        now += timedelta(seconds=int(spent) + 1)
        given = answers(reader, coming) if answers else answer()
        entered = Entered(coming.position, given, int(spent * 1000))
        state = record.append([submit_read(state, design, reader, "s", entered, now)], now)
    return now


def read_at_once(study: StudyFolder, reader: str, answers: Answers) -> None:
    """Let one reader make all reads of the first sitting, and write them down in one go."""
    record, design = study.record(reader), study.design
    decisions = [open_session(reader, "s")]
    state = replay_reader(extended(record.genesis, (), decisions, START), design, reader)

    def take(decision: Decision) -> ReaderState:
        decisions.append(decision)
        return replay_reader(extended(record.genesis, (), [decision], START), design, reader, state)

    while (coming := state.next) is not None:
        state = take(show_read(state, design, reader, "s", START))
        entered = Entered(coming.position, answers(reader, coming), 0)
        state = take(submit_read(state, design, reader, "s", entered, START))
    record.append(decisions, START)
