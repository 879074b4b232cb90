from __future__ import annotations

import json
from datetime import timedelta

import pytest

from cxpath.review.events import Genesis, ReviewError, canonical_json, extended, read_events, stated_version
from cxpath.review.sign import Meaning, Seal, seal_of, sign_decision, verify_record
from tests.review.records import GENESIS, NOON, READER, after, as_file, record


def test_an_untouched_record_holds() -> None:
    events = record()
    found = verify_record(as_file(events), GENESIS, [("signature.json", seal_of(events))])
    assert found.events == events
    assert found.seal == Seal(len(events), events[-1].hash)
    assert stated_version(as_file(events)) == GENESIS.version


def test_any_flipped_byte_is_found_and_its_line_named() -> None:
    events = record()
    content = as_file(events)
    seals = [("signature.json", seal_of(events))]
    for place in range(len(content)):
        spoiled = bytearray(content)
        spoiled[place] ^= 0x01
        with pytest.raises(ReviewError, match=r"events\.ndjson: line \d+ ") as caught:
            verify_record(bytes(spoiled), GENESIS, seals)
        line = content[:place].count(b"\n") + 1
        named = int(str(caught.value).split("line ")[1].split()[0])
        assert named in {line, line + 1}


def test_any_cut_tail_is_found() -> None:
    events = record()
    content = as_file(events)
    seals = [("signature.json", seal_of(events))]
    for length in range(len(content)):
        with pytest.raises(ReviewError):
            verify_record(content[:length], GENESIS, seals)


@pytest.mark.parametrize("gone", range(8))
def test_a_line_left_out_or_moved_is_found(gone: int) -> None:
    lines = as_file(record()).splitlines(keepends=True)
    with pytest.raises(ReviewError):
        verify_record(b"".join(lines[:gone] + lines[gone + 1 :]), GENESIS, [("s", seal_of(record()))])
    swapped = [*lines[:gone], *reversed(lines[gone : gone + 2]), *lines[gone + 2 :]]
    if swapped != lines:
        with pytest.raises(ReviewError, match=f"line {gone + 1} "):
            verify_record(b"".join(swapped), GENESIS)


def test_a_rewritten_tail_with_right_hashes_is_found_by_its_seal() -> None:
    events = record()
    other = extended(GENESIS, events[:7], [], NOON)
    forged = after(other, sign_decision(other, "Somebody Else", Meaning.APPROVED))
    assert len(forged) == len(events)
    verify_record(as_file(forged), GENESIS)
    with pytest.raises(ReviewError, match=r"line 8 is not the one that audit\.json states"):
        verify_record(as_file(forged), GENESIS, [("audit.json", seal_of(events))])


@pytest.mark.parametrize("changed", ["cells", "score", "model"])
def test_a_record_of_other_cells_score_or_model_is_refused(changed: str) -> None:
    other = Genesis(**vars(GENESIS) | {changed: "f" * 64})
    with pytest.raises(ReviewError, match="line 1 does not follow from this cells"):
        read_events(as_file(record()), other)
    assert other.review_id != GENESIS.review_id
    assert Genesis("a" * 64, "b" * 64, "c" * 64, "1.0").review_id == GENESIS.review_id


def test_a_signature_of_other_events_is_found() -> None:
    events = record()
    decision = sign_decision(events[:5], READER, Meaning.REVIEWED)
    with pytest.raises(ReviewError, match="line 9 signs other events"):
        verify_record(as_file(after(events, decision)), GENESIS)


def test_a_signature_needs_a_name_and_something_to_sign() -> None:
    events = record()
    with pytest.raises(ReviewError, match="printed name"):
        sign_decision(events, "  ", Meaning.REVIEWED)
    with pytest.raises(ReviewError, match="nothing to sign"):
        sign_decision(events[:2], READER, Meaning.REVIEWED)
    assert sign_decision(events, " Dr  A.\tReader ", Meaning.REVIEWED).new["name"] == READER


def test_a_clock_that_runs_backwards_is_refused() -> None:
    events = record()
    decision = sign_decision(events, READER, Meaning.REVIEWED)
    with pytest.raises(ReviewError, match="set the clock right"):
        extended(GENESIS, events, [decision], NOON - timedelta(seconds=1))


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[1]", b"null", b"\xff\xfe", b"[" * 5_000, b'{"n":NaN}', b'{"n":1}'],
)
def test_a_line_that_is_no_event_is_named(line: bytes) -> None:
    with pytest.raises(ReviewError, match="line 1 is not"):
        read_events(line + b"\n", GENESIS)


def test_canonical_json_has_one_form_for_one_content() -> None:
    assert canonical_json({"b": 1, "a": "µ"}) == '{"a":"µ","b":1}'.encode()
    assert canonical_json(json.loads('{"b":  1.0, "a": null}')) == b'{"a":null,"b":1.0}'
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"a": float("nan")})
