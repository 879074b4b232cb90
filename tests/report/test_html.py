"""Templates and wording of pages, and what their pictures share."""

from __future__ import annotations

import base64
import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from cxpath.documents.base import Estimate
from cxpath.errors import DocumentError, OutputError
from cxpath.report.board_page import patient_sheet
from cxpath.report.html import (
    INK,
    MISSING,
    POSITIVE_EDGE,
    area,
    arithmetic,
    cutoff_lines,
    data_uri,
    draw_scale_bar,
    embedded,
    font,
    interval,
    length_in_words,
    percent,
    probability,
    review_sentence,
    scale_bar_um,
    score_form,
    seconds,
    whole,
    write_jpeg,
    write_pdf,
    write_png,
)
from tests.patient import patients as of
from tests.patient.patients import reviewed
from tests.report.run_folders import TRIAL, cutoff, normal_score


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (900, 1200, 3), np.uint8)
    said = PngInfo()
    said.add_text("Comment", "planted patient")
    Image.fromarray(pixels).save(tmp_path / "noise.png", pnginfo=said)
    return tmp_path / "noise.png"


def _decoded(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return base64.b64decode(body)


def test_a_picture_becomes_a_smaller_jpeg_without_its_texts(noise: Path) -> None:
    raw = _decoded(data_uri(noise, 400, 80))
    assert b"planted" not in raw
    with Image.open(io.BytesIO(raw)) as picture:
        assert picture.size == (400, 300)


def test_pictures_shrink_until_they_fit(noise: Path) -> None:
    large = embedded({"a": noise, "b": noise})
    small = embedded({"a": noise, "b": noise}, budget_bytes=400_000)
    assert set(small) == {"a", "b"}
    assert sum(map(len, small.values())) <= 400_000 < sum(map(len, large.values()))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no picture", b"\xff\xd8\xff\xe0"])
def test_a_damaged_picture_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tissue.png"
    path.write_bytes(content)
    with pytest.raises(DocumentError, match=r"tissue\.png: the picture is damaged"):
        data_uri(path, 100, 80)


def test_each_name_keeps_its_picture(tmp_path: Path) -> None:
    shades = {f"p{shade}": shade for shade in range(0, 250, 10)}
    for name, shade in shades.items():
        Image.new("RGB", (40, 30), (shade, shade, shade)).save(tmp_path / name, format="PNG")
    found = embedded({name: tmp_path / name for name in shades})
    assert list(found) == list(shades)
    for name, shade in shades.items():
        with Image.open(io.BytesIO(_decoded(found[name]))) as picture:
            assert np.abs(np.asarray(picture).astype(int) - shade).max() <= 1


def test_what_cannot_fit_is_left_out_aloud(noise: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert embedded({"a": noise}, budget_bytes=100) == {}
    assert "left out" in caplog.text


def test_without_weasyprint_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(OutputError, match=r"cxpath\[pdf\]"):
        write_pdf("<p>page</p>", tmp_path / "page.pdf")
    assert not (tmp_path / "page.pdf").exists()


def test_a_page_is_printed(tmp_path: Path) -> None:
    pytest.importorskip("weasyprint", exc_type=(ImportError, OSError), reason="the extra cxpath[pdf]")  # type: ignore[arg-type]
    write_pdf("<p>page</p>", tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_the_patients_sheet_is_one_page() -> None:
    reason = "the extra cxpath[pdf]"
    weasyprint = pytest.importorskip("weasyprint", exc_type=(ImportError, OSError), reason=reason)  # type: ignore[arg-type]
    for fields in (of.FIRST_LINE, of.LATER_LINE, of.MSI, {}):
        sheet = patient_sheet(reviewed(fields), "25 November 2026")
        assert len(weasyprint.HTML(string=sheet).render().pages) == 1


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (48_213, "48\u202f213"), (1_234_567, "1\u202f234\u202f567"), (None, "–")],
)
def test_counts(number: int | None, text: str) -> None:
    assert whole(number) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.9604, "<1"), (1.0, "1.0"), (9.9999, "9.9"), (12.3411, "12"), (100.0, "100"), (None, "–")],
)  # fmt: skip
def test_scores(value: float | None, text: str) -> None:
    assert score_form(value) == text


@given(st.floats(0, 100))
def test_no_printed_score_crosses_a_cutoff(value: float) -> None:
    shown = score_form(value).replace("<1", "0.5")
    for text in (shown, arithmetic(value)):
        assert [value >= cutoff for cutoff in (1, 10, 100)] == [
            float(text) >= cutoff for cutoff in (1, 10, 100)
        ]


@pytest.mark.parametrize(
    ("bounds", "text"),
    [((10.13, 14.92), "10 to 14"), ((6.9, 10.2), "6.9 to 10"), ((0.58, 1.49), "0.5 to 1.4"),
     ((0.1, 22.4), "0.1 to 22"), ((9.97, 12.0), "9.9 to 12"), (None, "–")],
)  # fmt: skip
def test_intervals(bounds: tuple[float, float] | None, text: str) -> None:
    assert interval(bounds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.999, ">0.99"), (1.0, ">0.99"), (0.0, "<0.01"), (0.98, "0.98"), (0.412, "0.41")]
)
def test_probabilities_are_never_certain(value: float, text: str) -> None:
    assert probability(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.0004, "<0.1 %"), (0.0082, "0.8 %"), (0.34, "34 %"), (1, "100 %")]
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_areas_and_durations() -> None:
    assert area(1.644) == "1.64 mm²"
    assert area(None) == "–"
    assert seconds(37.21) == "37.2 s"
    assert seconds(725) == "12 min 5 s"


def cps_with(**cutoffs: dict[str, Any]) -> Estimate:
    stated = {name.removeprefix("at_"): entry for name, entry in cutoffs.items()}
    return Estimate.model_validate(normal_score()["cps"] | {"cutoffs": stated})


def test_cutoffs_in_words_and_rising_order() -> None:
    lines = cutoff_lines(cps_with(at_10=cutoff(TRIAL, "not met", 0.02), at_1=cutoff("label", "met", 0.999)))
    assert [line.sentence for line in lines] == [
        "CPS ≥ 1 (label cut-off): met",
        "CPS ≥ 10 (trial stratum, not a label): not met",
    ]
    assert [line.symbol for line in lines] == ["full", "hollow"]


def test_an_uncertain_cutoff_has_its_probability_and_shape_and_may_ask_for_review() -> None:
    (near,) = cutoff_lines(cps_with(at_1=cutoff("label", "uncertain", 0.412, borderline=True)))
    assert near.sentence == (
        "CPS ≥ 1 (label cut-off): uncertain, probability 0.41 that the tumour reaches it; "
        "near the cut-off: pathologist review"
    )
    assert near.symbol == "half"
    (far,) = cutoff_lines(cps_with(at_10=cutoff(TRIAL, "uncertain", 0.06)))
    assert far.sentence.endswith("uncertain, probability 0.06 that the tumour reaches it")


def test_the_flag_names_its_cutoff() -> None:
    near = cutoff("label", "uncertain", 0.4, borderline=True)
    assert review_sentence(cps_with(at_1=near)) == "Near CPS ≥ 1: pathologist review"
    assert review_sentence(cps_with(at_10=near, at_1=near)).startswith("Near CPS ≥ 1 and CPS ≥ 10:")
    assert review_sentence(cps_with(at_1=cutoff("label", "uncertain", 0.05))) == ""


def test_two_decimals_do_not_exceed_what_is_printed() -> None:
    assert arithmetic(35.9995) == "35.99"
    assert arithmetic(None) == MISSING


@pytest.mark.parametrize(
    ("width_px", "mpp", "length_um"), [(1000, 0.5, 100), (1000, 16.0, 2000), (100, 0.25, 5), (10, 0.1, 5)]
)
def test_the_bar_is_round_and_at_most_a_quarter(width_px: int, mpp: float, length_um: float) -> None:
    assert scale_bar_um(width_px, mpp) == length_um


def test_lengths_in_words() -> None:
    assert [length_in_words(length) for length in (50, 2000)] == ["50 µm", "2 mm"]


def test_the_letters_have_a_micro_sign() -> None:
    assert font(20).getmask("µ").getbbox() != font(20).getmask("\uffff").getbbox()


def test_the_bar_is_as_long_as_it_says() -> None:
    sheet = Image.new("RGB", (1000, 40), "white")
    draw_scale_bar(ImageDraw.Draw(sheet), 990, 20, 1000, 0.5, 16)
    dark = (np.asarray(sheet)[20] == INK).all(axis=1)
    bar = np.flatnonzero(dark[700:]) + 700
    assert bar[-1] == 990
    assert np.count_nonzero(dark[bar[-1] - 200 :]) == 201
    assert not dark[bar[-1] - 201]


def test_no_pixel_changes(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    write_png(Image.fromarray(pixels), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as back:
        assert back.format == "PNG"
        assert np.array_equal(np.asarray(back), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"gone.*cannot be written"):
        write_png(Image.new("RGB", (4, 4)), tmp_path / "gone" / "a.png")


def test_a_grey_picture_becomes_one_of_three_equal_channels(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)
    write_png(Image.fromarray(grey), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as back:
        assert np.array_equal(np.asarray(back), np.repeat(grey[..., None], 3, axis=2))


def test_a_jpeg_keeps_marks_of_one_pixel_and_their_colour(tmp_path: Path) -> None:
    pixels = np.full((64, 64, 3), (225, 205, 200), np.uint8)
    pixels[:, 31] = POSITIVE_EDGE
    write_jpeg(Image.fromarray(pixels), tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as back:
        assert back.format == "JPEG"
        away = np.abs(np.asarray(back.convert("RGB")).astype(int) - pixels)
    assert away.max() <= 12
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("write", [write_png, write_jpeg])
def test_nothing_is_left_where_nothing_can_be_written(
    write: Callable[[Image.Image, Path], None], tmp_path: Path
) -> None:
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.png" / "kept").touch()
    with pytest.raises(OutputError, match=r"a\.png"):
        write(Image.new("RGB", (4, 4)), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
