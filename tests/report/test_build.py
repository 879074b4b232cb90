from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cxpath.report.build import build_report
from cxpath.report.wording import RESEARCH_USE
from tests.report.run_folders import SCORES, normal_score, not_evaluable_score, write_run

VOID = {"meta", "img", "br", "circle", "line", "path", "rect"}


class _Page(HTMLParser):
    """Collects text, attributes and pictures, and fails on tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts).replace("\u202f", " "))


def _report(folder: Path) -> str:
    return build_report(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reports(finished_runs: dict[str, Path]) -> dict[str, str]:
    return {case: _report(folder) for case, folder in finished_runs.items()}


@pytest.mark.parametrize("case", SCORES)
def test_the_page_parses_and_asks_nobody_for_anything(reports: dict[str, str], case: str) -> None:
    html = reports[case]
    page = _Page(html)
    assert len(page.images) == 3 + 2 * 3
    assert all((image["src"] or "").startswith("data:image/jpeg;base64,") for image in page.images)
    assert all(image["alt"] for image in page.images)
    linking = {
        value for name, value in page.attributes if name in {"src", "href", "action", "srcset", "data"}
    }
    assert all(value.startswith("data:") for value in linking)
    outside_pictures = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", html)
    for foreign in ("http:", "https:", "//", "@import", "url(", "<script", "<link"):
        assert foreign not in outside_pictures
    assert len(html) < 15_000_000


@pytest.mark.parametrize("case", SCORES)
def test_the_research_use_sentence_stands_at_top_and_foot(reports: dict[str, str], case: str) -> None:
    text = _Page(reports[case]).text.strip().removeprefix("case-0417_PD-L1.svs · PD-L1 CPS · cxpath").strip()
    assert text.startswith(RESEARCH_USE)
    assert text.endswith(RESEARCH_USE)
    assert f'content: "{RESEARCH_USE}"' in reports[case]  # on every printed page


@pytest.mark.parametrize("case", SCORES)
def test_the_wording_promises_nothing(reports: dict[str, str], case: str) -> None:
    text = _Page(reports[case]).text.casefold()
    for word in ("eligib", "diagnosis", "recommend", "20x", "magnification"):
        assert word not in text


def test_every_value_of_a_result_is_shown(reports: dict[str, str]) -> None:
    text = _Page(reports["normal"]).text
    shown = [
        "case-0417_PD-L1.svs", "22c3", "cervix", "12.34 before rounding", "95 % interval 10.1 to 14.9",
        "11.0 to 13.8", "CPS ≥ 1 (label cut-off): met, probability 0.999",
        "CPS ≥ 10 (trial stratum, not a label): met, probability 0.98", "TPS 8.51 %", "6.9 to 10.2",
        "7.60 to 9.40",
        "4 102", "44 111", "1 848", "9 377", "211", "27 904",
        "48 213 viable tumour cells, at least 100 required: adequate",
        "= 100 × (4 102 + 1 848) / (4 102 + 44 111) = 12.34", "38.42 mm²", "0.81 mm²", "1.64 mm²", "0.12 mm²",
        "4.1 % of the tissue is out of focus", "Poisson on the counts, field bootstrap",
        "64 000 × 44 800 px, 16.0 × 11.2 mm", "0.25 µm per pixel, from openslide.mpp-x", "first-light 1",
        "9f2c41d7" * 8, "77ab0e19" * 8, "e01d55aa" * 8, "cuda (bfloat16)", "openslide 4.0.1", "total 44.7 s",
        "812 read of 812 planned", "23 November 2026, 09:14 UTC", "Name", "Date", "Comment",
    ]  # fmt: skip
    assert [words for words in shown if words not in text] == []
    assert re.search(r"CPS 12 12\.34", text)
    assert "ear the cut-off: pathologist review" not in text


def test_what_moves_the_score_is_shown(reports: dict[str, str]) -> None:
    text = _Page(reports["normal"]).text
    shown = [
        "How evenly it is stained", "1 to below 10", "T 35 %", "⁺ 12 %", "Hottest field of 50 tumour cells",
        "local CPS 61.2, 412 tumour cells", "Would another choice change it? No cut-off would flip.",
        "Immune cells count within", "500 µm", "1000 µm", "The 2 fields that move the score most",
        "raises the CPS by 1.2", "Local CPS: 1 to below 10", "31 fields hold 35 % of the tumour cells",
        "immune cell, positive, too far from tumour to count",
    ]  # fmt: skip
    assert [words for words in shown if words not in text] == []
    near = _Page(reports["borderline"]).text
    assert "CPS ≥ 1 would flip: it hangs on a choice" in near
    without = _Page(reports["not evaluable"]).text
    assert "How evenly" not in without
    assert "another choice" not in without


def test_a_borderline_score_asks_for_review(reports: dict[str, str]) -> None:
    text = _Page(reports["borderline"]).text
    assert "CPS <1 0.96 before rounding" in text
    assert "Near the cut-off: pathologist review" in text
    assert "CPS ≥ 1 (label cut-off): not met, probability 0.412; borderline" in text
    assert "above 0.025 where it lies within 2 times the count, and above 0.12 where it lies farther" in text
    assert "Assay: not stated" in text
    assert "model first-light was trained on synthetic tissue" in text


def test_a_slide_that_is_not_evaluable_has_no_score_but_reasons_and_ways_out(reports: dict[str, str]) -> None:
    text = _Page(reports["not evaluable"]).text
    assert "CPS Not evaluable No score was made. This is not a score of 0." in text
    assert "37 viable tumour cells found, at least 100 are required" in text
    assert "tissue colour outside the span of haematoxylin and DAB (eosin?)" in text
    assert "--roi" in text
    assert "--stain-check off" in text
    assert "not adequate" in text
    for absent in ("before rounding", "interval", "(label cut-off)", "TPS", "16.22"):
        assert absent not in text.split("How to read this")[0], absent


def test_the_gallery_shows_counts_and_places(reports: dict[str, str]) -> None:
    text = _Page(reports["normal"]).text
    assert "Field 1 raises the CPS by 1.2" in text
    assert re.search(r"T⁺ \d+T⁻ \d+I⁺ \d+I⁻ \d+I⁺ not counted \d+other \d+local CPS 31\.5", text)
    assert "250 × 250 µm; 4.00 mm from left, 5.50 mm from top" in text


def test_the_same_run_gives_the_same_bytes(finished_runs: dict[str, Path], reports: dict[str, str]) -> None:
    assert _report(finished_runs["normal"]) == reports["normal"]


def test_a_hostile_slide_name_stays_text(tmp_path: Path) -> None:
    score = normal_score()
    score["slide"]["name"] = '"><script>alert(1)</script><img src=x onerror=y>.svs'
    score["warnings"] = ["<b>bold</b> & more"]
    html = _report(write_run(tmp_path, score, pictures=False))
    page = _Page(html)
    assert "<script" not in html
    assert page.images == []
    assert score["slide"]["name"] in page.text
    assert "<b>bold</b> & more" in page.text


def test_a_run_without_pictures_says_so(tmp_path: Path) -> None:
    text = _Page(_report(write_run(tmp_path, not_evaluable_score(), pictures=False))).text
    assert "no tissue picture" in text
    assert "no heatmap" in text
    assert "no fields" in text


def test_counts_that_contradict_the_score_are_called_out(tmp_path: Path) -> None:
    score = normal_score()
    score["counts"]["tumour_positive"] += 1000
    text = _Page(_report(write_run(tmp_path, score, pictures=False))).text
    assert "The result file states 12.34, which these counts do not give." in text


def test_a_capped_score_shows_the_quotient_and_the_cap(tmp_path: Path) -> None:
    score = normal_score()
    score["counts"].update(tumour_positive=900, tumour_negative=100, immune_positive=400)
    score["cps"].update(value=100.0, reported="100")
    text = _Page(_report(write_run(tmp_path, score, pictures=False))).text
    assert "= 130.00, reported as at most 100" in text
    assert "do not give" not in text


@pytest.mark.parametrize("key", ["counts", "tps"])
def test_missing_parts_are_left_out(tmp_path: Path, key: str) -> None:
    score: dict[str, Any] = {**not_evaluable_score(), key: None}
    score["adequacy"] = {"viable_tumour_cells": None, "required": 100}
    score["tissue"] = {"scored_mm2": None, "excluded_mm2": {}}
    assert "Not evaluable" in _Page(_report(write_run(tmp_path, score, pictures=False))).text


def test_other_scores_appear_when_there_are_any(tmp_path: Path) -> None:
    score = {**normal_score(), "h_score": 143.0, "tap": {"value": 7.25}}
    text = _Page(_report(write_run(tmp_path, score, pictures=False))).text
    assert "H-score (0 to 300)143.0" in text
    assert "TAP (%)7.25" in text


def test_a_gallery_entry_cannot_fetch_files_from_elsewhere(
    tmp_path: Path, finished_runs: dict[str, Path]
) -> None:
    folder = write_run(tmp_path / "run", normal_score(), pictures=False)
    secret = (finished_runs["normal"] / "tissue.png").read_bytes()
    (tmp_path / "secret.png").write_bytes(secret)
    (folder / "fields").mkdir()
    listing = (finished_runs["normal"] / "fields" / "fields.json").read_text(encoding="utf-8")
    (folder / "fields" / "fields.json").write_text(
        listing.replace("01.png", "../../secret.png"), encoding="utf-8"
    )
    assert _Page(_report(folder)).images == []


def test_the_report_appears_whole_and_alone(tmp_path: Path) -> None:
    folder = write_run(tmp_path, normal_score(), pictures=False)
    before = {path.name for path in folder.iterdir()}
    assert build_report(folder) == folder / "report.html"
    assert {path.name for path in folder.iterdir()} == before | {"report.html"}
