"""The page of a scored slide."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.data.reasons import RESEARCH_USE, ReasonCode
from cxpath.documents.score import FieldCounts, FieldEntry
from cxpath.errors import DocumentError
from cxpath.report.slide_page import (
    ADVICE,
    BAR,
    OTHERWISE,
    SIDE,
    WIDTH,
    build_report,
    gallery,
    number_line,
    place,
    sensitivity_panel,
    spread_of,
    unevenness,
)
from tests.report.run_folders import (
    HETEROGENEITY,
    NOTICE,
    SCORES,
    audited_score,
    borderline_score,
    coded,
    document_of,
    normal_score,
    not_evaluable_score,
    write_run,
)

NOT_EVALUABLE = (
    ReasonCode.NO_TUMOUR,
    ReasonCode.TOO_FEW_TUMOUR_CELLS,
    ReasonCode.NO_TISSUE,
    ReasonCode.NOT_BRIGHTFIELD,
    ReasonCode.NOT_HDAB,
    ReasonCode.OUT_OF_FOCUS,
    ReasonCode.ARTEFACTS,
    ReasonCode.CONTROL_FAILED,
    ReasonCode.CONTROL_NOT_FOUND,
    ReasonCode.RESOLUTION,
)


@pytest.mark.parametrize("code", NOT_EVALUABLE)
def test_every_reason_has_a_way_out_whatever_its_words(tmp_path: Path, code: ReasonCode) -> None:
    """The words of the reason speak of something else: they choose nothing."""
    score = not_evaluable_score() | {"not_evaluable_because": [coded(code, "no blurred tumour in mpp")]}
    text = _Page(_report(write_run(tmp_path, score, pictures=False))).text
    assert ADVICE[code] in text
    assert not any(other in text for other in set(ADVICE.values()) - {ADVICE[code]})


def test_a_reason_without_advice_of_its_own_gets_the_general_one(tmp_path: Path) -> None:
    score = not_evaluable_score() | {"not_evaluable_because": [coded("no_evaluable_slide", "none")]}
    assert OTHERWISE in _Page(_report(write_run(tmp_path, score, pictures=False))).text


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
    links = re.findall(r'<a href="(http://127\.0\.0\.1:\d+/open\?[^"]*)" target="_blank"', html)
    assert all(value.startswith("data:") for value in linking - {unescape(link) for link in links})
    outside_pictures = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", html)
    for link in links:  # followed by a click only, to the review on this computer
        outside_pictures = outside_pictures.replace(link, "")
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
        "case-0417_PD-L1.svs", "22c3", "cervix", "95 % interval 10 to 14",
        "11 to 13", "CPS ≥ 1 (label cut-off): met",
        "CPS ≥ 10 (trial stratum, not a label): met", "TPS, from the network 8.5 %", "6.9 to 10",
        "7.6 to 9.4", "Immune cells are 31 % of the positive cells that count.",
        "4 102", "44 111", "1 848", "9 377", "211", "27 904",
        "48 213 viable tumour cells, at least 100 required: adequate",
        "= 100 × (4 102 + 1 848) / (4 102 + 44 111) = 12.34, printed 12", "38.42 mm²",
        "0.81 mm²", "1.64 mm²", "0.12 mm²",
        "The file contains 2 pictures; the first one is read", "Poisson on the counts, field bootstrap",
        "64 000 × 44 800 px, 16.0 × 11.2 mm", "0.25 µm per pixel, from openslide.mpp-x", "first-light 1",
        "9f2c41d7" * 8, "77ab0e19" * 8, "e01d55aa" * 8, "cuda (bfloat16)", "openslide 4.0.1", "total 44.7 s",
        "812 read of 812 planned", "23 November 2026, 09:14 UTC", "Name", "Date", "Comment",
    ]  # fmt: skip
    assert [words for words in shown if words not in text] == []
    assert "CPS, from the network 12 95 % interval" in text
    assert "pathologist review" not in text
    decided = text.split("Would another choice change it?")[0]
    assert "probability" not in decided, "a decided cut-off has none"


@pytest.mark.parametrize("case", SCORES)
def test_the_models_notice_is_the_first_warning(reports: dict[str, str], case: str) -> None:
    words = f"{NOTICE[:1].upper()}{NOTICE[1:]}"
    assert re.search(rf"Warnings {re.escape(words)}", _Page(reports[case]).text)


def test_what_moves_the_score_is_shown(reports: dict[str, str]) -> None:
    text = _Page(reports["normal"]).text
    shown = [
        "How evenly it is stained", "1 to below 10", "T 35 %", "⁺ 12 %",
        "Hottest field with at least 50 tumour cells",
        "local CPS 61, 412 tumour cells", "Would another choice change it? No cut-off decision would change.",
        "Immune cells count within", "500 µm", "1000 µm", "The 2 fields that move the score most",
        "raises the CPS by 1.2", "Local CPS: 1 to below 10", "31 fields contain 35 % of the tumour cells",
        "immune cell, positive, too far from tumour to count",
    ]  # fmt: skip
    assert [words for words in shown if words not in text] == []
    near = _Page(reports["borderline"]).text
    assert "CPS ≥ 1 would change: another laboratory" in near
    without = _Page(reports["not evaluable"]).text
    assert "How evenly" not in without
    assert "another choice" not in without


def test_a_borderline_score_asks_for_review(reports: dict[str, str]) -> None:
    text = _Page(reports["borderline"]).text
    assert "CPS, from the network <1 95 % interval 0.5 to 1.4" in text
    assert "Near CPS ≥ 1: pathologist review" in text
    line = "CPS ≥ 1 (label cut-off): uncertain, probability 0.41 that the tumour reaches it"
    assert line in text
    assert "CPS ≥ 10 (trial stratum, not a label): not met" in text
    assert "Assay: not stated" in text


def test_every_score_of_an_audited_slide_says_where_it_comes_from(tmp_path: Path) -> None:
    text = _Page(_report(write_run(tmp_path, audited_score(), pictures=False))).text
    for words in (
        "CPS, audited by a person 4.2 95 % interval 1.5 to 11",
        "TPS, from the network 8.5 %",
        "intervalCPS, audited by a personTPS (%), from the network",
        "All numbers from here on are from the network; the CPS at the top is audited by a person.",
        "As scored, from the network12",
        "counted both ways, the audited CPS lies between 4.10 and 4.39.",
    ):
        assert words in text


def test_scores_of_given_cells_are_not_called_the_networks(tmp_path: Path) -> None:
    folder = write_run(tmp_path, normal_score(), pictures=False)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run["given_cells"] = {"form": "QuPath GeoJSON", "cells": 5}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    text = _Page(_report(folder)).text
    assert "CPS, from the given cells 12" in text
    assert "from the network" not in text


def test_a_slide_that_is_not_evaluable_has_no_score_but_reasons_and_ways_out(reports: dict[str, str]) -> None:
    text = _Page(reports["not evaluable"]).text
    assert "CPS Not evaluable No score was computed. This is not a score of 0." in text
    assert "37 viable tumour cells found, at least 100 are required" in text
    assert "tissue colour outside the span of haematoxylin and DAB (eosin?)" in text
    assert "--regions" in text
    assert "--stain-check off" in text
    assert "not adequate" in text
    assert "counted, but not scored38.42 mm²" in text
    assert "scored 94 %" not in text
    for absent in ("printed", "interval", "(label cut-off)", "TPS", "16.22"):
        assert absent not in text.split("How to read this")[0], absent


def test_the_gallery_shows_counts_and_places(reports: dict[str, str]) -> None:
    text = _Page(reports["normal"]).text
    assert "Field 1 raises the CPS by 1.2" in text
    assert re.search(r"T⁺ \d+T⁻ \d+I⁺ \d+I⁻ \d+I⁺ not counted \d+other \d+local CPS 31", text)
    assert "250 × 250 µm; 4.00 mm from left, 5.50 mm from top" in text


def test_the_same_run_gives_the_same_bytes(finished_runs: dict[str, Path], reports: dict[str, str]) -> None:
    assert _report(finished_runs["normal"]) == reports["normal"]


def test_a_hostile_slide_name_stays_text(tmp_path: Path) -> None:
    score = normal_score()
    score["slide"]["name"] = '"><script>alert(1)</script><img src=x onerror=y>.svs'
    score["warnings"] = [coded("slide_file", "<b>bold</b> & more")]
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
    assert "no pictures of fields" in text


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
    text = _Page(_report(write_run(tmp_path, score, pictures=False))).text
    assert "Not evaluable" in text
    assert ("not scored: no cells were looked for" in text) == (key == "counts")


def test_other_scores_appear_when_there_are_any(tmp_path: Path) -> None:
    score = {**normal_score(), "h_score": 143.0, "tap": 7.25}
    text = _Page(_report(write_run(tmp_path, score, pictures=False))).text
    assert "H-score (0 to 300)143" in text
    assert "TAP (%)7.2" in text


def test_a_gallery_entry_cannot_fetch_files_from_elsewhere(
    tmp_path: Path, finished_runs: dict[str, Path]
) -> None:
    folder = write_run(tmp_path / "run", normal_score(), pictures=False)
    secret = (finished_runs["normal"] / "tissue.png").read_bytes()
    (tmp_path / "secret.png").write_bytes(secret)
    (folder / "fields").mkdir()
    listing = (finished_runs["normal"] / "fields" / "fields.json").read_text(encoding="utf-8")
    (folder / "fields" / "fields.json").write_text(
        listing.replace("01.jpg", "../../secret.png"), encoding="utf-8"
    )
    with pytest.raises(DocumentError, match=r"fields\.json: fields\.0"):
        _report(folder)


def test_the_report_appears_whole_and_alone(tmp_path: Path) -> None:
    folder = write_run(tmp_path, normal_score(), pictures=False)
    before = {path.name for path in folder.iterdir()}
    assert build_report(folder) == folder / "report.html"
    assert {path.name for path in folder.iterdir()} == before | {"report.html"}


COUNTS = FieldCounts(
    tumour_positive=1,
    tumour_negative=2,
    immune_positive=3,
    immune_negative=4,
    immune_positive_not_associated=0,
    other=5,
)


def entry(number: int, bucket: str) -> FieldEntry:
    return FieldEntry(
        number=number, bucket=bucket, plain=f"{number:02d}.jpg", marked=f"{number:02d}_cells.jpg",
        caption="why", left_um=1000.0, top_um=250.0, width_um=500.0, height_um=500.0, local_cps=3.0,
        counts=COUNTS,
    )  # fmt: skip


def test_influential_fields_come_first_and_buckets_say_how_much_they_hold() -> None:
    entries = [entry(1, "influence"), entry(2, "influence"), entry(3, "1 to below 10")]
    found: list[Any] = gallery(entries, document_of(normal_score()), {"fields/03.jpg": "data:x"})
    first, second = found
    assert first["name"] == "The 2 fields that move the score most"
    assert [field["number"] for field in first["fields"]] == [1, 2]
    assert second["name"] == "Local CPS: 1 to below 10"
    assert second["note"].startswith("31 fields contain 35 % of the tumour cells. Sampled at random")
    assert second["fields"][0]["plain"] == "data:x"
    assert second["fields"][0]["place"] == "1.00 mm from left, 0.25 mm from top"


def test_each_field_links_into_the_review_of_this_result() -> None:
    score = document_of(normal_score())
    found: list[Any] = gallery([entry(1, "influence")], score, {})
    link = found[0]["fields"][0]["link"]
    x_px, y_px = 1250.0 / score.slide.mpp, 500.0 / score.slide.mpp
    where = f"field_x={x_px:.0f}&field_y={y_px:.0f}&of={score.scored_digest[:12]}"
    assert link == f"http://127.0.0.1:{score.review_port}/open?{where}"
    assert 49_152 <= score.review_port <= 65_535
    reviewed = score.model_copy(update={"audited": None, "review": None})
    assert (reviewed.scored_digest, reviewed.review_port) == (score.scored_digest, score.review_port)


def test_a_result_that_no_review_takes_has_no_links() -> None:
    score = document_of(normal_score()).model_copy(update={"marker": "her2"})
    found: list[Any] = gallery([entry(1, "influence")], score, {})
    assert found[0]["fields"][0]["link"] is None


def test_a_single_field_of_a_slide_without_a_score_promises_no_change() -> None:
    found: list[Any] = gallery([entry(1, "influence")], document_of(not_evaluable_score()), {})
    (only,) = found
    assert only["name"] == "The field that decides"
    assert only["note"] == ""
    assert only["fields"][0]["uncounted"] is False


def test_no_field_is_no_group() -> None:
    assert gallery([], document_of(normal_score()), {}) == []


def test_the_ends_of_the_line() -> None:
    assert place(0) == 0
    assert place(100) == WIDTH
    assert place(250) == WIDTH


@given(st.floats(0, 100), st.floats(0, 100))
def test_a_larger_score_lies_further_right(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert place(low) <= place(high)


def test_value_interval_and_cutoffs_are_placed() -> None:
    cps = document_of(normal_score()).cps
    assert cps is not None
    line = number_line(cps)
    assert line.tissue[0] < line.slide[0] < line.value < line.slide[1] < line.tissue[1]
    assert [label for _, label in line.cutoffs] == ["≥ 1", "≥ 10"]
    assert line.cutoffs[1][0] < line.slide[0]


def panel(score: dict[str, Any]) -> dict[str, Any]:
    found = sensitivity_panel(document_of(score))
    assert found is not None
    return found


def test_every_choice_has_its_setting_what_it_stands_for_and_its_place() -> None:
    rows = panel(normal_score())["rows"]
    assert [(row["choice"], row["instead"], row["setting"], row["cps"]) for row in rows] == [
        ("Staining threshold (probability)", "0.5", "0.45", "13"),
        ("Staining threshold (probability)", "0.5", "0.55", "11"),
        ("Stained outline of a tumour cell, at least", "no such limit", "10 %", "12"),
        ("Immune cells count within", "500 µm", "250 µm", "12"),
        ("Immune cells count within", "500 µm", "1000 µm", "12"),
    ]
    assert rows[0]["at"] == place(13.1)


def test_a_flip_is_named_and_none_is_said() -> None:
    assert panel(normal_score())["verdict"] == "No cut-off decision would change."
    near = panel(borderline_score())
    assert near["flips"]
    assert near["verdict"].startswith("CPS ≥ 1 would change")
    assert near["rows"][0]["flips"] == "CPS ≥ 1 changes"


def test_what_the_cells_do_not_say_has_its_reason_and_no_place() -> None:
    score = normal_score()
    score["sensitivity"][2] |= {"cps": None, "because": "no membrane was measured"}
    row = panel(score)["rows"][2]
    assert (row["at"], row["because"], row["cps"]) == (None, "no membrane was measured", "–")


@pytest.mark.parametrize("missing", [{"cps": None}, {"sensitivity": []}])
def test_without_a_score_or_a_panel_there_is_none(missing: dict[str, Any]) -> None:
    assert sensitivity_panel(document_of(normal_score() | missing)) is None


def test_tumour_cells_are_shared_out_by_the_local_score_of_their_tile() -> None:
    tiles = {
        "tumour_positive": np.array([0, 5, 60, 0], np.int32),
        "tumour_negative": np.array([100, 95, 140, 0], np.int32),
        "cps": np.array([0.0, 5.0, 30.0, np.nan], np.float32),
    }
    shares = {part.name: part.share for part in spread_of(tiles)}
    assert shares == pytest.approx({"below 1": 0.25, "1 to below 10": 0.25, "10 or more": 0.5})


def test_a_tile_at_a_cutoff_belongs_above_it() -> None:
    tiles = {
        "tumour_positive": np.array([1, 10], np.int32),
        "tumour_negative": np.array([99, 90], np.int32),
        "cps": np.array([1.0, 10.0], np.float32),
    }
    assert [part.share for part in spread_of(tiles)] == [0.0, 0.5, 0.5]


def test_without_tumour_cells_there_is_nothing_to_say() -> None:
    nothing = np.zeros(2, np.int32)
    tiles = {"tumour_positive": nothing, "tumour_negative": nothing, "cps": np.full(2, np.nan, np.float32)}
    assert spread_of(tiles) == ()
    assert spread_of(None) == ()


def found(**own: Any) -> dict[str, Any]:
    section = unevenness(document_of(normal_score() | {"heterogeneity": HETEROGENEITY | own}))
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


def test_a_slide_without_heterogeneity_has_no_section() -> None:
    assert unevenness(document_of(normal_score() | {"heterogeneity": None})) is None
