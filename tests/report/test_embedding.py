from __future__ import annotations

import base64
import io
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cxpath.report.embedding import data_uri, embedded


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
