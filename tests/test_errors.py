"""Errors fit on one line, whatever the words of a damaged or hostile file hold."""

from __future__ import annotations

import pickle

import pytest

from cxpath.errors import CellsFileError, CxpathError


@pytest.mark.parametrize(
    "word",
    [
        "\x00",
        "\n",
        "\r\n",
        "\t",
        "\x1b[2J",
        "\u2028",
        "\u0085",
        "\ud800",
        "\u202e",
        "\u200b",
        "\ufeff",
        "\x0c",
    ],
    ids=ascii,
)
def test_an_error_is_one_line_that_can_be_written(word: str) -> None:
    error = CxpathError(f"a.csv: column 'x{word}y' is unknown", f"known: {word}")
    text = str(error)
    assert len(text.splitlines()) == 1
    assert text.isprintable()
    assert text.encode()
    assert text.startswith("a.csv: column 'x")


def test_an_endless_word_does_not_fill_the_screen() -> None:
    text = str(CxpathError(f"a.csv: column {'x' * 200_000!r} is unknown", "see the docs"))
    assert len(text) < 5000
    assert text.startswith("a.csv: column 'xxx")
    assert text.endswith("xxx' is unknown (see the docs)")


def test_other_words_stay_as_they_are() -> None:
    text = "/Präparate/日本 \u00a0 ½.svs: µm per pixel fehlt – 🙂"
    assert CxpathError(text).message == text


def test_an_error_survives_the_way_between_processes() -> None:
    told = pickle.loads(pickle.dumps(CellsFileError("a.csv: is empty", "write it again")))
    assert (str(told), type(told)) == ("a.csv: is empty (write it again)", CellsFileError)
