"""A change is the same however much of its surroundings a file spells out with it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cxpath.data.variants import GenomeIntervals, Variant, plain_chromosome

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
        assert merged.contains("1", base + 1) == (base in _bases(intervals))


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


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        *(("CHR1", "1"), ("Chr1", "1"), ("chr01", "1"), (" chr1 ", "1"), ("chromosome1", "1")),
        *(("NC_000001.11", "1"), ("nc_000001.10", "1"), ("NC_000010", "10"), ("NC_000023.11", "X")),
        *(("NC_000024.10", "Y"), ("NC_012920.1", "MT"), ("CM000663.2", "1"), ("CM000686.2", "Y")),
        *(("J01415.2", "MT"), ("23", "X"), ("chr24", "Y"), ("chrMT", "MT"), ("m", "MT")),
        *(
            ("NC_000025.1", "NC_000025.1"),
            ("GL000192.1", "GL000192.1"),
            ("chrUn_KI270302v1", "UN_KI270302V1"),
        ),
        *(("NC_007605.1", "NC_007605.1"), ("CM000994.3", "CM000994.3"), ("", "")),
    ],
)
def test_accessions_numbers_and_cases_are_one_name(name: str, plain: str) -> None:
    assert plain_chromosome(name) == plain


@given(INTERVALS, st.integers(1, 260), st.integers(0, 60))
def test_a_stretch_touches_where_one_of_its_bases_lies(
    intervals: list[tuple[str, int, int]], first: int, length: int
) -> None:
    merged = GenomeIntervals.merged(intervals)
    last = first + length
    one_of_them = any(merged.contains("1", base) for base in range(first, last + 1))
    assert merged.touches("1", first, last) is one_of_them
    assert not merged.touches("2", first, last)


BASES = st.text("ACGT", max_size=6)


def allele_change(position: int, reference: str, alternate: str) -> Variant:
    return Variant("1", position, reference, alternate)


def changed_sequence(variant: Variant, sequence: str) -> str:
    """Return a sequence, whose first base is at position 1, with the change made."""
    before, after = variant.position - 1, variant.position - 1 + len(variant.reference)
    assert sequence[before:after] == variant.reference
    return sequence[:before] + variant.alternate + sequence[after:]


@pytest.mark.parametrize(
    ("position", "reference", "alternate", "place"),
    [
        (99, "GA", "GT", ("1", 100, "A", "T")),
        (100, "A", "T", ("1", 100, "A", "T")),
        (99, "GAC", "GTC", ("1", 100, "A", "T")),
        (100, "CA", "C", ("1", 101, "A", "")),
        (100, "CAA", "CA", ("1", 101, "A", "")),
        (100, "C", "CA", ("1", 101, "", "A")),
        (100, "CAAT", "CAT", ("1", 101, "A", "")),
        (100, "ca", "c", ("1", 101, "A", "")),
        (100, "AC", "GT", ("1", 100, "AC", "GT")),
    ],
)
def test_shared_bases_are_trimmed(
    position: int, reference: str, alternate: str, place: tuple[str, int, str, str]
) -> None:
    assert allele_change(position, reference, alternate).trimmed().place == place


@given(BASES, BASES, BASES, BASES)
def test_trimming_changes_no_sequence_and_ignores_padding(
    left: str, reference: str, alternate: str, right: str
) -> None:
    before, after = "TTTT" + left, right + "GGGG"
    sequence = before + reference + after
    plain = allele_change(len(before) + 1, reference, alternate)
    padded = allele_change(5, left + reference + right, left + alternate + right)
    for variant in (plain, padded):
        assert changed_sequence(variant.trimmed(), sequence) == before + alternate + after
        assert variant.trimmed().trimmed() == variant.trimmed()
    if reference != alternate:
        assert not set(padded.trimmed().reference[:1]) & set(padded.trimmed().alternate[:1])
        assert len(padded.trimmed().reference) <= len(reference)


@pytest.mark.parametrize(
    ("reference", "alternate", "countable"),
    [
        ("A", "T", True),
        ("A", "A" * 80, True),
        ("A", "<INS>", False),
        ("A", "A[chr1:5[", False),
        ("A", ".A", False),
        ("A", "A", False),
    ],
)
def test_only_a_change_that_is_spelt_out_is_countable(
    reference: str, alternate: str, countable: bool
) -> None:
    assert allele_change(1, reference, alternate).is_countable is countable
    assert not Variant("1", 1, reference, alternate, structural=True).is_countable


@pytest.mark.parametrize(
    ("reference", "alternate", "bases"),
    [("CAG", "C", (101, 102)), ("C", "CT", (100, 101)), ("C", "T", (100, 100))],
)
def test_the_bases_of_a_change(reference: str, alternate: str, bases: tuple[int, int]) -> None:
    assert allele_change(100, reference, alternate).trimmed().bases == bases


@pytest.mark.parametrize(("reference", "alternate", "multi"), [("GA", "GT", False), ("GA", "CT", True)])
def test_only_trimmed_alleles_tell_multi_nucleotide_changes(
    reference: str, alternate: str, multi: bool
) -> None:
    assert allele_change(1, reference, alternate).trimmed().is_multi_nucleotide is multi
