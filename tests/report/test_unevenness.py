from typing import Any

from cxpath.report.unevenness import BAR, SIDE, unevenness
from tests.report.run_folders import HETEROGENEITY


def found(**own: Any) -> dict[str, Any]:
    section = unevenness({"heterogeneity": HETEROGENEITY | own})
    assert section is not None
    return section


def test_bars_are_as_long_as_their_shares() -> None:
    row = found()["rows"][2]
    assert (row["name"], row["fields"], row["tumour"], row["positive"]) == (
        "1 to below 10",
        "31",
        "35 %",
        "12 %",
    )
    assert (row["tumour_px"], row["positive_px"]) == (BAR * 0.35, BAR * 0.12)


def test_the_curve_begins_in_the_corner_and_ends_with_all_cells() -> None:
    curve = found(positive_share_of_hottest=[0.75, 1.0])["curve"]
    assert curve == f"M0.0 {SIDE:.1f} L{SIDE / 2:.1f} {SIDE / 4:.1f} L{SIDE:.1f} 0.0"


def test_without_positive_cells_there_is_no_curve_and_no_gini() -> None:
    section = found(positive_share_of_hottest=[], gini=None, share_of_hottest_tenth=None, hottest=None)
    assert (section["curve"], section["gini"], section["tenth"], section["hottest"]) == ("", "–", None, None)


def test_a_slide_without_heterogeneity_or_of_an_older_version_has_no_section() -> None:
    assert unevenness({"heterogeneity": None}) is None
    assert unevenness({}) is None
    assert unevenness({"heterogeneity": {"fields": 3}}) is None
