"""One method against one reference, and readers and software against the readers that are left."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.agreement.base import AgreementSettings, Draws, Statistic, draw_cases
from cxpath.agreement.comparison import Indeterminate, Scored, compare, each_reader, software_with_readers
from cxpath.agreement.continuous import Scale
from cxpath.agreement.reads import ReadMatrix, read_matrix
from cxpath.agreement.study import scored
from cxpath.data.reads import NOT_EVALUABLE, Read, ReadValue, exactly

SETTINGS = AgreementSettings(replicates=200)
CASES = 30
TRUE = np.linspace(0.0, 40.0, CASES)


def column(*, shift: float = 0.0, noise: float = 0.0, seed: int = 1) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.maximum(TRUE + shift + rng.normal(0, noise, CASES), 0.0)


def matrix(**readers: NDArray[np.float64]) -> ReadMatrix:
    reads = [
        Read(case=f"c{case:02d}", reader=name, value=exactly(float(value)))
        for name, values in readers.items()
        for case, value in enumerate(values)
    ]
    return read_matrix(reads, 1)


def draws() -> Draws:
    return draw_cases(np.arange(CASES), SETTINGS.replicates, SETTINGS.level, SETTINGS.seed)


def side(name: str, values: NDArray[np.float64], **others: NDArray[np.float64]) -> Scored:
    return scored(matrix(**{name: values}, **others), name, SETTINGS)


def of(statistics: list[Statistic], key: str, **context: str) -> Statistic:
    """Return the one statistic of that key and place."""
    fitting = [one for one in statistics if one.key == key and context.items() <= one.context.items()]
    (found,) = fitting
    return found


@pytest.fixture(scope="module")
def equal() -> list[Statistic]:
    return compare(side("A", TRUE), side("B", TRUE), draws(), SETTINGS)


def test_equal_reads_agree_in_every_way(equal: list[Statistic]) -> None:
    for key in ("icc_a1", "ccc"):
        assert of(equal, key, scale="raw").value == pytest.approx(1.0)
    for cutoff in ("≥ 1", "≥ 10"):
        assert of(equal, "opa", cutoff=cutoff).value == 1.0
        assert of(equal, "kappa", cutoff=cutoff).value == pytest.approx(1.0)
    assert of(equal, "bland_altman_raw_bias", scale="raw").value == 0.0


def test_every_figure_says_what_is_compared_with_what(equal: list[Statistic]) -> None:
    assert {(one.context["reference"], one.context["compared"]) for one in equal} == {("A", "B")}
    assert {one.context["analysis"] for one in equal} == {"comparison"}
    assert {one.context.get("scale") or one.context["cutoff"] for one in equal} >= {
        "raw",
        Scale.LOG.value,
        "≥ 1",
        "≥ 10",
        "< 1 / 1 to < 10 / ≥ 10",
    }


def test_two_levels_alone_have_no_figure_of_all_levels() -> None:
    one_cutoff = AgreementSettings(replicates=200, cutoffs=(1.0,))
    reads = matrix(A=TRUE, B=TRUE)
    found = compare(scored(reads, "A", one_cutoff), scored(reads, "B", one_cutoff), draws(), one_cutoff)
    assert {one.context["cutoff"] for one in found if "cutoff" in one.context} == {"≥ 1"}


def test_a_shift_is_seen_as_bias_and_not_as_disorder() -> None:
    found = compare(side("A", TRUE), side("B", column(shift=3.0)), draws(), SETTINGS)
    assert of(found, "bland_altman_raw_bias", scale="raw").value == pytest.approx(3.0)
    assert of(found, "icc_c1", scale="raw").value == pytest.approx(1.0)
    assert of(found, "icc_a1", scale="raw").value < 1.0


def test_fewer_than_three_pairs_give_no_figure_of_scores() -> None:
    gaps = np.where(np.arange(CASES) < 2, TRUE, np.nan)
    found = compare(side("A", TRUE), side("B", gaps), draws(), SETTINGS)
    assert not [one for one in found if "scale" in one.context]
    assert of(found, "opa", cutoff="≥ 1").n == 2


def test_indeterminate_reads_are_left_out_and_counted_both_ways() -> None:
    across = ReadValue(5.0, 0.0, 20.0)
    reads = [Read(case=str(case), reader="B", value=exactly(float(TRUE[case]))) for case in range(CASES)]
    reads[20] = Read(case="20", reader="B", value=across)
    reads[21] = Read(case="21", reader="B", value=NOT_EVALUABLE)
    doubtful = scored(read_matrix(reads, 1), "B", SETTINGS)
    found = compare(side("A", TRUE), doubtful, draws(), SETTINGS)
    sizes = {way: of(found, "opa", cutoff="≥ 10", indeterminate=way.value) for way in Indeterminate}
    assert {way: one.n for way, one in sizes.items()} == {
        Indeterminate.LEFT_OUT: CASES - 2,
        Indeterminate.AS_YES: CASES,
        Indeterminate.AS_NO: CASES,
    }
    assert sizes[Indeterminate.AS_YES].value == 1.0, "both cases reach 10 by the reference"
    assert sizes[Indeterminate.AS_NO].value == pytest.approx(1 - 2 / CASES)


@pytest.mark.parametrize(("way", "filled"), [("LEFT_OUT", np.nan), ("AS_YES", 1.0), ("AS_NO", 0.0)])
def test_only_what_is_open_is_filled_in(way: str, filled: float) -> None:
    reaches, open_side = np.array([1.0, 0.0, np.nan]), np.array([False, False, True])
    np.testing.assert_array_equal(Indeterminate[way].fill(reaches, open_side), [1.0, 0.0, filled])


# Leave one reader out.

READERS = {
    "Ann": column(noise=1.0, seed=1),
    "Bob": column(noise=1.0, seed=2),
    "Cem": column(noise=1.0, seed=3),
    "Dot": column(noise=15.0, seed=4),
}


def test_the_reader_who_differs_agrees_least_with_the_others() -> None:
    found = each_reader(matrix(**READERS), draws(), SETTINGS)
    agreement = {
        reader: of(found, "reader_ccc", reader=reader, scale=Scale.LOG.value).value for reader in READERS
    }
    assert min(agreement, key=lambda reader: agreement[reader]) == "Dot"
    assert {one.readers for one in found} == {4}
    assert {one.context["analysis"] for one in found} == {"each reader"}


def test_a_readers_figure_does_not_rest_on_that_reader() -> None:
    reads = {name: np.full(CASES, value) for name, value in (("Ann", 0.0), ("Bob", 20.0), ("Cem", 20.0))}
    found = each_reader(matrix(**reads), draws(), SETTINGS)
    assert of(found, "reader_opa", reader="Ann", cutoff="≥ 1").value == 0.0, "the others say 20"
    assert of(found, "reader_opa", reader="Bob", cutoff="≥ 10").value == 1.0, "the median of 0 and 20 is 10"


def software(values: NDArray[np.float64]) -> list[Statistic]:
    return software_with_readers(matrix(**READERS), side("AI", values), draws(), SETTINGS)


@pytest.mark.parametrize("reference", ["others' consensus", "pairwise"])
def test_the_difference_is_software_less_readers(reference: str) -> None:
    found = software(column(noise=2.0, seed=9))
    suffix = "pairwise" if reference == "pairwise" else "consensus"
    of_software, of_readers, difference = (
        of(found, f"{key}_opa_{suffix}", cutoff="≥ 10", reference_readers=reference)
        for key in ("software", "readers", "difference")
    )
    assert difference.value == pytest.approx(of_software.value - of_readers.value)
    assert "non-inferiority at margin 0.05" in difference.note
    assert {one.context["compared"] for one in found} == {"AI"}


def test_software_that_knows_the_truth_is_not_inferior_and_noise_is_not_shown_to_be_so() -> None:
    good, bad = (of(software(one), "difference_kappa_consensus", cutoff="≥ 10") for one in (TRUE, TRUE[::-1]))
    assert good.value > 0
    assert bad.value < -0.5
    assert bad.note.endswith("margin 0.05: not shown")


def test_cases_that_the_software_did_not_score_are_left_out_on_both_sides() -> None:
    gaps = np.where(np.arange(CASES) % 3 == 0, np.nan, TRUE)
    found = software(gaps)
    assert {one.n for one in found} == {CASES - CASES // 3}
