from hypothesis import given
from hypothesis import strategies as st

from cxpath.data.variants import GenomeIntervals, plain_chromosome

INTERVALS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 50)).map(lambda pair: ("1", pair[0], sum(pair))),
    max_size=12,
)


def _bases(intervals: list[tuple[str, int, int]]) -> set[int]:
    return {base for _, start, end in intervals for base in range(start, end)}


@given(INTERVALS)
def test_every_base_counts_once(intervals: list[tuple[str, int, int]]) -> None:
    merged = GenomeIntervals.merged(intervals)
    assert merged.bases == len(_bases(intervals))
    for base in range(0, 260, 7):
        assert merged.holds("1", base + 1) == (base in _bases(intervals))


@given(INTERVALS, INTERVALS)
def test_what_lies_within_both(one: list[tuple[str, int, int]], other: list[tuple[str, int, int]]) -> None:
    common = GenomeIntervals.merged(one).within(GenomeIntervals.merged(other))
    assert common.bases == len(_bases(one) & _bases(other))


def test_chromosomes_are_named_alike() -> None:
    assert [plain_chromosome(name) for name in ("chr1", "1", "chrM", "MT", "chrx")] == [
        "1",
        "1",
        "MT",
        "MT",
        "X",
    ]
    assert GenomeIntervals.merged([("chr2", 0, 5), ("2", 3, 9)]).bases == 9
