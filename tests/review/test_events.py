"""The chain of a review's events: what one line says, what breaks it, and that every break is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from cxpath.review.events import (
    Action,
    Decision,
    Event,
    Genesis,
    ReviewError,
    begin_decision,
    canonical_json,
    extended,
    read_events,
    stated_version,
    utc_seconds,
)

GENESIS = Genesis("c" * 64, "s" * 64, "m" * 64, "0.2.0")
NOON = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
decisions = st.builds(
    Decision,
    actor=st.text(max_size=20),
    action=st.sampled_from(Action),
    target=st.text(max_size=20),
    old=json_values,
    new=json_values,
    session=st.text(max_size=8),
    shown_ms=st.none() | st.integers(0, 10**7),
)


def written(events: tuple[Event, ...]) -> bytes:
    return b"".join(event.line.encode("utf-8") + b"\n" for event in events)


def three() -> tuple[Event, ...]:
    """A record of three events, a minute apart."""
    events = extended(GENESIS, (), [begin_decision(GENESIS, "Dr A")], NOON)
    events = extended(
        GENESIS, events, [Decision("Dr A", Action.EDIT, "cell 3", 0, 1)], NOON + timedelta(minutes=1)
    )
    return extended(GENESIS, events, [Decision("Dr B", Action.UNDO, "event 2")], NOON + timedelta(minutes=2))


@settings(deadline=None)
@given(st.lists(decisions, max_size=5))
def test_what_is_written_is_read_back_the_same(made: list[Decision]) -> None:
    events = extended(GENESIS, (), made, NOON)
    assert read_events(written(events), GENESIS) == events
    assert [event.n for event in events] == list(range(1, len(made) + 1))
    for decision, event in zip(made, events, strict=True):
        assert vars(decision).items() <= vars(event).items()


@settings(deadline=None)
@given(st.data())
def test_a_change_of_any_byte_is_noticed(data: st.DataObject) -> None:
    content = written(three())
    place = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != content[place]))
    changed = content[:place] + bytes([byte]) + content[place + 1 :]
    with pytest.raises(ReviewError, match=r"events\.ndjson: line [1-4] "):
        read_events(changed, GENESIS)


@settings(deadline=None)
@given(st.integers(1, 10_000))
def test_a_record_that_breaks_off_within_a_line_is_refused(left: int) -> None:
    content = written(three())
    cut = content[: left % (len(content) - 1) + 1]
    if cut.endswith(b"\n"):
        assert len(read_events(cut, GENESIS)) == cut.count(b"\n")
    else:
        with pytest.raises(ReviewError, match=f"line {cut.count(bytes([10])) + 1} breaks off"):
            read_events(cut, GENESIS)


def test_a_line_left_out_moved_or_repeated_is_named() -> None:
    first, second, third = three()
    with pytest.raises(ReviewError, match="line 2 carries number 3: lines are missing or moved"):
        read_events(written((first, third)), GENESIS)
    with pytest.raises(ReviewError, match="line 1 carries number 2"):
        read_events(written((second, first)), GENESIS)
    with pytest.raises(ReviewError, match="line 3 carries number 2"):
        read_events(written((first, second, second)), GENESIS)


def test_a_line_of_another_record_with_the_right_number_does_not_follow() -> None:
    first, second, _ = three()
    other = extended(
        GENESIS, (), [Decision("Dr X", Action.SHOW, "cell 1"), Decision("Dr X", Action.SHOW, "c")], NOON
    )
    with pytest.raises(ReviewError, match="line 2 does not follow from the line before"):
        read_events(written((first, other[1])), GENESIS)
    assert second.prev == first.hash


def test_a_record_of_other_cells_or_score_is_named_by_its_files() -> None:
    other = Genesis("d" * 64, GENESIS.score, GENESIS.model, GENESIS.version)
    with pytest.raises(ReviewError, match=r"line 1 does not follow from this cells\.parquet and score\.json"):
        read_events(written(three()), other)


def test_lines_may_be_read_in_two_parts() -> None:
    events = three()
    assert read_events(written(events[1:]), GENESIS, events[:1]) == events
    with pytest.raises(ReviewError, match="line 2 carries number 3"):
        read_events(written(events[2:]), GENESIS, events[:1])
    with pytest.raises(ReviewError, match="line 3 breaks off"):
        read_events(written(events[1:])[:-40], GENESIS, events[:1])


def test_time_never_goes_backwards() -> None:
    events = three()
    earlier = events[-1].utc
    with pytest.raises(ReviewError, match="later than now") as refused:
        extended(GENESIS, events, [Decision("Dr A", Action.SIGN, "review")], NOON)
    assert earlier in str(refused.value)
    assert "set the clock right" in str(refused.value)
    at_once = extended(
        GENESIS, events, [Decision("Dr A", Action.SIGN, "review")], NOON + timedelta(minutes=2)
    )
    assert at_once[-1].utc == earlier


def test_an_earlier_line_with_a_chain_that_fits_is_refused() -> None:
    """Whoever writes a record anew can make the hashes fit, but not the clock."""
    begun = extended(GENESIS, (), [begin_decision(GENESIS, "Dr A")], NOON)
    second = extended(GENESIS, begun, [Decision("Dr A", Action.SHOW, "cell 1")], NOON + timedelta(seconds=1))[
        1
    ]
    content = {name: value for name, value in vars(second).items() if name != "hash"}
    content["utc"] = "2026-11-30T11:59:59Z"
    content["hash"] = _hash_of(content)
    with pytest.raises(ReviewError, match="line 2 is earlier than the line before"):
        read_events(written(begun) + canonical_json(content) + b"\n", GENESIS)


def _hash_of(content: dict[str, Any]) -> str:
    import hashlib  # noqa: PLC0415 - by hand, apart from the code under test

    return hashlib.sha256(
        json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"n":NaN}', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not an event"),
        (b"{}", "is not an event"),
        (b"12", "is not an event"),
    ],
)
def test_what_is_no_event_is_named_and_never_fails_otherwise(line: bytes, why: str) -> None:
    with pytest.raises(ReviewError, match=f"line 1 {why}") as refused:
        read_events(line + b"\n", GENESIS)
    assert "restore the record from a backup" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n", "1"),
        ("utc", 0),
        ("actor", None),
        ("action", "drink"),
        ("shown_ms", "long"),
        ("hash", None),
        ("more", 1),
    ],
)
def test_a_key_of_the_wrong_type_is_no_event(key: str, value: object) -> None:
    content = json.loads(three()[0].line)
    content[key] = value
    with pytest.raises(ReviewError, match="line 1 is not an event"):
        read_events(canonical_json(content) + b"\n", GENESIS)


def test_another_form_of_the_same_content_is_a_change() -> None:
    content = json.loads(three()[0].line)
    spaced = json.dumps(content, sort_keys=True).encode()
    with pytest.raises(ReviewError, match="was changed: its hash does not fit"):
        read_events(spaced + b"\n", GENESIS)


def test_an_empty_record_has_no_event() -> None:
    assert read_events(b"", GENESIS) == ()


def test_the_first_line_states_what_the_chain_starts_from() -> None:
    (first,) = extended(GENESIS, (), [begin_decision(GENESIS, "Dr A")], NOON)
    assert first.new == {"cells": "c" * 64, "score": "s" * 64, "model": "m" * 64, "version": "0.2.0"}
    assert first.prev == GENESIS.hash
    assert stated_version(written((first,))) == "0.2.0"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"new":{}}', b'{"new":{"version":3}}', b'{"new":null}', b"[" * 100_000, b"\xff"],
)
def test_a_record_without_a_version_states_none(content: bytes) -> None:
    assert stated_version(content) is None


@pytest.mark.parametrize("name", ["cells", "score", "model", "version"])
def test_the_chain_depends_on_every_part_of_its_start(name: str) -> None:
    other = Genesis(**vars(GENESIS) | {name: "x"})
    assert other.hash != GENESIS.hash
    assert (other.review_id != GENESIS.review_id) == (name != "version")
    assert len(GENESIS.review_id) == 12


@given(json_values)
def test_canonical_json_depends_on_the_content_alone(value: Any) -> None:
    document = {"b": value, "a": 1}
    text = canonical_json(document)
    assert text == canonical_json({"a": 1, "b": value})
    assert json.loads(text) == document
    assert text.startswith(b'{"a":1,"b":')


def test_no_number_is_written_that_json_does_not_have() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"cps": float("nan")})


def test_times_are_of_greenwich_to_the_second() -> None:
    east = datetime(2026, 12, 1, 0, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert utc_seconds(east) == "2026-11-30T23:30:15Z"
