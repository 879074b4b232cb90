from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from cxpath.review.study_design import Arm, of_round, reads_planned, schedule
from tests.review.study_designs import AIDED, SAME_SITTING, UNAIDED, design


def test_every_reader_reads_every_slide_in_every_round() -> None:
    of = design()
    for reader in ("r1", "r2"):
        reads = schedule(of, reader)
        assert [one.position for one in reads] == list(range(1, 9))
        for number in (1, 2):
            assert {one.slide for one in of_round(reads, number)} == {"s1", "s2", "s3", "s4"}


def test_the_order_is_the_documented_one() -> None:
    """SHA-256 of "seed/order/reader/round/slide", by hand for seed 7."""
    import hashlib  # noqa: PLC0415

    def key(slide: str) -> str:
        return hashlib.sha256(f"7/order/r1/1/{slide}".encode()).hexdigest()

    expected = sorted(["s1", "s2", "s3", "s4"], key=key)
    assert [one.slide for one in of_round(schedule(design(), "r1"), 1)] == expected


def test_the_order_is_pinned() -> None:
    reads = schedule(design(slides=6), "r1")
    assert [one.slide for one in of_round(reads, 1)] == PINNED_ORDER


PINNED_ORDER = ["s5", "s1", "s6", "s4", "s2", "s3"]


@given(st.integers(0, 2**62))
def test_the_same_seed_gives_the_same_order(seed: int) -> None:
    assert schedule(design(seed=seed), "r1") == schedule(design(seed=seed), "r1")


def test_readers_rounds_and_seeds_differ_in_order() -> None:
    of = design(slides=12)
    orders = {
        tuple(one.slide for one in of_round(schedule(of, reader), number))
        for reader in ("r1", "r2")
        for number in (1, 2)
    }
    orders.add(tuple(one.slide for one in of_round(schedule(design(slides=12, seed=8), "r1"), 1)))
    assert len(orders) == 5


def test_every_place_in_the_order_is_equally_likely() -> None:
    first = Counter(of_round(schedule(design(seed=seed), "r1"), 1)[0].slide for seed in range(800))
    assert all(150 <= number <= 250 for number in first.values())


def test_blinded_names_say_nothing_and_differ_by_reader_and_sitting() -> None:
    of = design(slides=30)
    codes = [one.code for reader in ("r1", "r2") for one in schedule(of, reader)]
    assert len(set(codes)) == 120
    assert all(len(code) == 6 and code.isalnum() for code in codes)


def test_a_round_of_the_same_sitting_follows_slide_by_slide() -> None:
    reads = schedule(design(rounds=[UNAIDED, SAME_SITTING]), "r1")
    for unaided, aided in zip(reads[::2], reads[1::2], strict=True):
        assert (unaided.slide, unaided.code) == (aided.slide, aided.code)
        assert (unaided.arm, aided.arm) == (Arm.UNAIDED, Arm.AIDED)
    assert {one.sitting for one in reads} == {1}


def test_a_reader_can_have_the_rounds_in_another_order() -> None:
    of = design(readers=2, rounds=[UNAIDED, AIDED])
    crossed = design(rounds=[UNAIDED, AIDED], readers=[{"id": "r1"}, {"id": "r2", "sequence": [2, 1]}])
    assert [one.round for one in schedule(of, "r2")] == [1] * 4 + [2] * 4
    assert [one.round for one in schedule(crossed, "r2")] == [2] * 4 + [1] * 4


def with_slides(*slides: dict[str, Any]) -> list[dict[str, Any]]:
    """Return slides of a design, with software scores."""
    return [
        {"id": f"s{n}", "file": "x.svs", "software": 1.0} | slide for n, slide in enumerate(slides, start=1)
    ]


def test_practice_comes_first_and_once() -> None:
    of = design(slides=with_slides({}, {"practice": True}, {}))
    reads = schedule(of, "r1")
    assert [one.practice for one in reads] == [True, False, False, False, False]
    assert reads[0].slide == "s2"
    assert reads_planned(of) == 8


def test_an_aided_practice_slide_needs_a_score_to_show() -> None:
    slides = with_slides({}, {"practice": True, "software": None})
    reads = schedule(design(slides=slides, rounds=[UNAIDED, SAME_SITTING]), "r1")
    assert [(one.practice, one.arm) for one in reads] == [
        (True, Arm.UNAIDED),
        (False, Arm.UNAIDED),
        (False, Arm.AIDED),
    ]


@given(readers=st.integers(2, 7), each=st.integers(1, 7), slides=st.integers(1, 30))
def test_slides_are_shared_out_evenly(readers: int, each: int, slides: int) -> None:
    each = min(each, readers)
    of = design(slides=slides, readers=readers, readers_per_slide=each, rounds=[UNAIDED])
    reads = {one.id: [read.slide for read in schedule(of, one.id)] for one in of.readers}
    per_slide = Counter(slide for own in reads.values() for slide in own)
    assert set(per_slide.values()) == {each}
    sizes = [len(own) for own in reads.values()]
    assert max(sizes) - min(sizes) <= 1


def test_anchors_are_read_by_all() -> None:
    slides = with_slides({"anchor": True}, {}, {}, {})
    of = design(slides=slides, readers=3, readers_per_slide=1, rounds=[UNAIDED])
    for reader in of.readers:
        own = [one.slide for one in schedule(of, reader.id)]
        assert "s1" in own
        assert len(own) == 2


def test_the_digest_is_of_what_the_design_says() -> None:
    assert design().digest == design().digest
    assert design().digest != design(wash_out_days=15).digest


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"cutoffs": [10, 1]}, "rise"),
        ({"cutoffs": [0, 1]}, "rise"),
        ({"slides": with_slides({"id": "a"}, {"id": "A"})}, "twice"),
        ({"readers": [{"id": "a"}, {"id": "a"}]}, "twice"),
        ({"readers": [{"id": "../a"}]}, "pattern"),
        ({"slides": with_slides({"practice": True})}, "for practice"),
        ({"readers_per_slide": 3}, "of 2 readers"),
        ({"rounds": [SAME_SITTING]}, "same sitting"),
        ({"readers": [{"id": "a", "sequence": [1]}]}, "each round once"),
        ({"rounds": [UNAIDED, SAME_SITTING], "readers": [{"id": "a", "sequence": [2, 1]}]}, "must follow"),
        ({"slides": with_slides({"software": None})}, "no software score"),
        ({"slides": with_slides({"software": 101.0})}, "between 0 and 100"),
        ({"slides": with_slides({"reference": 400.0})}, "between 0 and 100"),
        ({"slides": with_slides({"software": "unknown"})}, "not evaluable"),
        ({"wash_out_days": -1}, "greater than or equal"),
        ({"washout_days": 3}, "Extra inputs"),
    ],
)
def test_a_design_that_cannot_be_meant_is_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        design(**changed)


def test_a_software_that_could_not_score_can_be_shown() -> None:
    of = design(slides=with_slides({"software": "not evaluable"}))
    assert of.slide("s1").software == "not evaluable"
