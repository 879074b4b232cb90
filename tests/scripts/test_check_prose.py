"""The check of prose finds the words that are not used here, in running text and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from proselint.registry import CheckRegistry

from scripts.studies.check_prose import VOCABULARY, checks, findings, findings_of_module, main, pages, prose

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    CheckRegistry().register_many(checks())


def found_in(text: str, folder: Path) -> list[str]:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return [line.removeprefix(f"{page}:") for line in findings(page)]


@pytest.mark.parametrize(
    ("sentence", "word"),
    [
        ("Tumour is told from stroma.", "told"),
        ("It was taught by drawn slides.", "taught"),
        ("The truth lies beside the score.", "beside"),
        ("The interval holds the truth.", "holds"),
        ("Run it again and it goes on.", "goes on"),
        ("Who wants more sets a flag.", "Who wants"),
        ("The software believes you.", "The software believes"),
        ("The color is wrong.", "color"),
    ],
)
def test_a_word_that_is_not_used_here_is_named_with_its_line(
    sentence: str, word: str, tmp_path: Path
) -> None:
    found = found_in(f"# Title\n\n{sentence}\n", tmp_path)
    assert any(line.startswith("3: ") and f"'{word}'" in line for line in found)


@pytest.mark.parametrize(
    "text",
    [
        "Two images were held out, on held-out slides. Besides, it is fine.",
        "```python\nbeside = told\n```\n",
        "Call `told()` or see [this](beside.md).",
        "Open *View → Color* and press <kbd>Gray</kbd>.",
        "<!-- beside -->\nPlain text.",
    ],
)
def test_code_links_menus_and_good_words_are_left_alone(text: str, tmp_path: Path) -> None:
    assert found_in(text, tmp_path) == []


def test_a_long_sentence_is_named_by_its_first_words(tmp_path: Path) -> None:
    long = "This sentence " + "runs and " * 25 + "ends."
    (found,) = found_in(f"Short.\n\n{long}\n", tmp_path)
    assert found.startswith("3: more than 40 words: This sentence runs and")


def test_blanking_keeps_the_lines() -> None:
    text = "a\n```\nb\nc\n```\nd `e` f\n"
    assert prose(text).count("\n") == text.count("\n")
    assert prose(text).split() == ["a", "d", "f"]


def test_pages_of_folders_are_found_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "one.md").touch()
    (tmp_path / "two.txt").touch()
    assert pages([str(tmp_path)]) == [tmp_path / "below" / "one.md"]


MODULE = '''"""What it is.

The network wants more, and the lock is held.
"""

def told(path):
    """Return `beside`."""
    beside = "told apart"
    raise Wrong(f"{path}: stands beside the slide", "go on")
'''


def test_docstrings_and_messages_of_a_module_are_read_and_its_names_are_not(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(MODULE, encoding="utf-8")
    found = [line.removeprefix(f"{module}:").split(": ")[:2] for line in findings_of_module(module)]
    assert sorted(found) == [["3", "'The network wants'"], ["9", "'beside'"], ["9", "'stands beside'"]]


def test_it_ends_with_1_when_something_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.md").write_text("It goes on.\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["check_prose", str(tmp_path)])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert (
        f"one.md:1: 'goes on' is not used here: {VOCABULARY['(?:go|goes|went|going) on']}"
        in capsys.readouterr().out
    )


def test_readme_is_clean() -> None:
    assert list(findings(ROOT / "README.md")) == []
