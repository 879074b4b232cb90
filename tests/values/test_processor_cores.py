"""How many cores this process may use, with and without limits."""

import os

import pytest

from cxpath.values.processor_cores import usable_cores


def test_a_process_held_to_one_core_has_one() -> None:
    before = os.sched_getaffinity(0)
    one = min(before)
    try:
        os.sched_setaffinity(0, {one})
        assert usable_cores() == {one}
    finally:
        os.sched_setaffinity(0, before)
    assert usable_cores() == before


def test_a_system_without_such_limits_offers_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert len(usable_cores()) == os.cpu_count()
