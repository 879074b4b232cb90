from pathlib import Path
from typing import Any

from cxpath.report.gallery import gallery
from tests.report.run_folders import HETEROGENEITY

COUNTS = {"tumour_positive": 1, "tumour_negative": 2, "immune_positive": 3, "immune_negative": 4, "other": 5}


def entry(number: int, **own: Any) -> dict[str, Any]:
    return {
        "number": number, "plain": f"{number:02d}.png", "marked": f"{number:02d}_cells.png", "caption": "why",
        "left_um": 1000.0, "top_um": 250.0, "width_um": 500.0, "height_um": 500.0, "local_cps": 3.0,
        "counts": COUNTS, **own,
    }  # fmt: skip


SCORE = {"cps": {"value": 5.0}, "heterogeneity": HETEROGENEITY}


def test_influential_fields_come_first_and_buckets_say_how_much_they_hold() -> None:
    entries = [entry(1, bucket="influence"), entry(2, bucket="influence"), entry(3, bucket="1 to below 10")]
    first, second = gallery(entries, SCORE, {"fields/03.png": "data:x"})
    assert first["name"] == "The 2 fields that move the score most"
    assert [field["number"] for field in first["fields"]] == [1, 2]
    assert second["name"] == "Local CPS: 1 to below 10"
    assert second["note"].startswith("31 fields hold 35 % of the tumour cells. Drawn at random")
    assert second["fields"][0]["plain"] == "data:x"
    assert second["fields"][0]["place"] == "1.00 mm from left, 0.25 mm from top"


def test_a_folder_of_an_older_version_has_one_group() -> None:
    (only,) = gallery([entry(1)], {"cps": None}, {})
    assert only["name"] == "The field that decides"
    assert only["note"] == ""
    assert only["fields"][0]["uncounted"] == "0"


def test_no_field_is_no_group(tmp_path: Path) -> None:
    assert gallery([], SCORE, {}) == []
