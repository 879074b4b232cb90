"""Figures of a study: what is drawn is what the statistics say, and the same study gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.documents.agreement import OnestEntry, PairwiseEntry, StatisticEntry
from cxpath.report.agreement_figures import (
    Compared,
    bland_altman_figure,
    confusion_figure,
    finite_ends,
    forest_figure,
    group_of,
    heat_map_figure,
    log_place,
    numbers_of,
    onest_figure,
    passing_bablok_figure,
    scatter_figure,
    score_at,
    short_names,
)

X = np.array([0.0, 0.5, 1.0, 4.0, 12.0, 40.0])
Y = np.array([0.0, 1.5, 1.0, 3.0, 9.0, 50.0])


def statistic(
    key: str = "opa",
    estimate: float | None = 0.9,
    interval: tuple[float | None, float | None] | None = (0.8, 1.0),
    **others: Any,
) -> StatisticEntry:
    stated: dict[str, Any] = {
        "key": key, "label": key.upper(), "estimate": estimate, "interval": interval, "other_intervals": (),
        "interval_method": "bootstrap", "n": 20, "readers": 2, "p_value": None, "method": "", "source": "",
        "note": "",
    }  # fmt: skip
    return StatisticEntry(**stated | others)


def pair(*statistics: StatisticEntry, cutoffs: tuple[float, ...] = (1.0, 10.0)) -> Compared:
    return Compared(
        x=X, y=Y, reference="readers", compared="cxpath", score="CPS", cutoffs=cutoffs,
        statistics={(one.key, one.scale or "raw"): one for one in statistics},
    )  # fmt: skip


def words(svg: Path) -> list[str]:
    """Return the texts of a figure: matplotlib names each as a comment before its outlines."""
    return re.findall(r"<!-- (.*?) -->", svg.read_text(encoding="utf-8"))


RATIO = {"scale": "log10(score + 1)"}
DRAWN: dict[str, Callable[[Path], Path]] = {
    "bland-altman": lambda folder: bland_altman_figure(pair(), folder, "a", ratio=False),
    "ratio": lambda folder: bland_altman_figure(pair(), folder, "a", ratio=True),
    "passing-bablok": lambda folder: passing_bablok_figure(pair(), folder, "a"),
    "scatter": lambda folder: scatter_figure(pair(), folder, "a"),
    "confusion": lambda folder: confusion_figure(pair(), folder, "a"),
}


@pytest.mark.parametrize("figure", DRAWN)
def test_a_figure_is_written_as_svg_and_pdf_with_the_same_bytes_again(figure: str, tmp_path: Path) -> None:
    one, other = tmp_path / "1", tmp_path / "2"
    one.mkdir()
    other.mkdir()
    svg = DRAWN[figure](one)
    DRAWN[figure](other)
    assert sorted(path.name for path in one.iterdir()) == ["a.pdf", "a.svg"]
    assert svg.read_bytes() == (other / "a.svg").read_bytes()
    assert (one / "a.pdf").read_bytes() == (other / "a.pdf").read_bytes()
    assert "cxpath" in " ".join(words(svg)) or figure in {"bland-altman", "ratio"}


def test_bias_and_limits_are_named_with_their_values(tmp_path: Path) -> None:
    shown = words(
        bland_altman_figure(
            pair(
                statistic("bland_altman_raw_bias", -0.5, (-1.0, 0.2)),
                statistic("bland_altman_raw_limit_low", -9.25, (-12.0, -7.0)),
                statistic("bland_altman_raw_limit_high", None, None),
            ),
            tmp_path,
            "a",
            ratio=False,
        )
    )
    assert "bias −0.50" in shown
    assert "limit −9.25" in shown
    assert not [word for word in shown if word.startswith("limit ") and "9.25" not in word]
    assert "difference of CPS" in shown


def test_ratios_have_their_own_statistics_and_axis(tmp_path: Path) -> None:
    of_ratio = statistic("bland_altman_ratio_bias", 1.1, (0.9, 1.3), **RATIO)
    of_difference = statistic("bland_altman_raw_bias", 7.0, (5.0, 9.0))
    shown = words(bland_altman_figure(pair(of_ratio, of_difference), tmp_path, "a", ratio=True))
    assert "bias 1.10" in shown
    assert "bias 7.00" not in shown
    assert "ratio of (CPS + 1)" in shown


@pytest.mark.parametrize(("intercept", "label"), [(0.25, "y = 1.10 x + 0.25"), (-0.25, "y = 1.10 x − 0.25")])
def test_the_line_is_written_as_an_equation(intercept: float, label: str, tmp_path: Path) -> None:
    line = (
        statistic("passing_bablok_slope", 1.1, (1.0, 1.2), scale="raw"),
        statistic("passing_bablok_intercept", intercept, (None, None), scale="raw"),
    )
    assert label in words(passing_bablok_figure(pair(*line), tmp_path, "a"))
    assert label not in words(passing_bablok_figure(pair(line[0]), tmp_path, "a"))


def test_the_cross_table_counts_each_case_once_by_level(tmp_path: Path) -> None:
    shown = words(confusion_figure(pair(), tmp_path, "a"))
    counts = [int(word) for word in shown if word.isdigit()]
    assert sum(counts) == len(X)
    assert "CPS of readers" in shown


def test_one_cutoff_gives_two_levels(tmp_path: Path) -> None:
    shown = words(confusion_figure(pair(cutoffs=(10.0,)), tmp_path, "a"))
    assert len([word for word in shown if word.isdigit()]) == 4


@given(scores=st.lists(st.floats(0, 300), min_size=1, max_size=10))
def test_places_on_the_logarithmic_axis_go_back_to_their_scores(scores: list[float]) -> None:
    given_scores = np.array(scores)
    assert score_at(log_place(given_scores)) == pytest.approx(given_scores, abs=1e-6)
    assert (np.diff(log_place(np.sort(given_scores))) >= 0).all()


def test_only_an_interval_with_both_ends_is_drawn() -> None:
    assert finite_ends(statistic()) == (0.8, 1.0)
    assert finite_ends(statistic(interval=None)) is None
    assert finite_ends(statistic(interval=(None, 1.0))) is None


def test_what_is_not_known_is_no_number() -> None:
    np.testing.assert_array_equal(numbers_of((1.0, None, 0.0)), [1.0, np.nan, 0.0])


# Many readers.


@pytest.mark.parametrize(
    ("readers", "what", "names"),
    [
        (["reader 1", "reader 2", "reader 12"], "reader", ["1", "2", "12"]),
        (["r1", "r10"], "r", ["1", "10"]),
        (["Ann", "Bob"], "", ["Ann", "Bob"]),
        (["Ann", "Anna"], "", ["Ann", "Anna"]),
        (["A" * 30, "B"], "", ["A" * 15 + "…", "B"]),
        (["site_a_1", "site_a_2"], "site_a", ["1", "2"]),
    ],
)
def test_what_all_names_share_is_said_once(readers: list[str], what: str, names: list[str]) -> None:
    assert short_names(readers) == (what, names)


def pairwise(values: list[list[float | None]], readers: tuple[str, ...]) -> PairwiseEntry:
    table = tuple(map(tuple, values))
    return PairwiseEntry(measure="kappa", cutoff="≥ 1", scale=None, readers=readers, values=table)


def test_the_heat_map_has_a_number_for_each_pair_and_none_on_the_diagonal(tmp_path: Path) -> None:
    values: list[list[float | None]] = [[1.0, 0.61, None], [0.61, 1.0, 0.42], [None, 0.42, 1.0]]
    shown = words(heat_map_figure(pairwise(values, ("r1", "r2", "r3")), tmp_path, "a"))
    assert sorted(word for word in shown if re.fullmatch(r"0\.[46][12]", word)) == ["0.42"] * 2 + ["0.61"] * 2
    assert "1.00" not in shown
    assert "kappa, ≥ 1" in shown


def test_a_heat_map_of_many_readers_has_no_numbers(tmp_path: Path) -> None:
    readers = tuple(f"r{number}" for number in range(13))
    shown = words(heat_map_figure(pairwise([[0.515] * 13 for _ in readers], readers), tmp_path, "a"))
    assert not [word for word in shown if word in {"0.51", "0.52"}]


def curve(cutoff: str, missing: str = "left out", last_low: float | None = 0.4) -> OnestEntry:
    return OnestEntry(
        cutoff=cutoff, missing=missing, cases=20, readers=(2, 3), mean=(0.8, 0.6), low=(None, last_low),
        high=(None, 0.7), order_low=(0.7, 0.5), order_high=(0.9, 0.7),
    )  # fmt: skip


def test_curves_are_named_by_their_cutoff_and_by_how_gaps_are_taken_where_that_differs(
    tmp_path: Path,
) -> None:
    assert {"≥ 1", "≥ 10"} <= set(
        words(onest_figure([curve("≥ 1"), curve("≥ 10", last_low=None)], tmp_path, "a"))
    )
    both = [curve("≥ 1"), curve("≥ 1", "complete cases")]
    assert {"≥ 1, left out", "≥ 1, complete cases"} <= set(words(onest_figure(both, tmp_path, "b")))


def test_the_forest_names_every_subgroup_with_its_cases(tmp_path: Path) -> None:
    statistics = [
        statistic("kappa", cutoff="≥ 1", grouping="all", subgroup="all cases", n=40),
        statistic("kappa", cutoff="≥ 1", grouping="site", subgroup="north", n=22),
        statistic("kappa", None, None, cutoff="≥ 1", grouping="site", subgroup="south", n=18),
    ]
    shown = words(forest_figure(statistics, tmp_path, "a"))
    assert {"all cases (n 40)", "site: north (n 22)", "site: south (n 18)"} <= set(shown)
    assert [group_of(one) for one in statistics][1] == ("site", "north")
