"""What makes a result the same result, and what its messages may name."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.configuration import Configuration, ScoreRequest
from cxpath.batch.task import COUNTED_OTHERWISE, NOT_IDENTITY, SlideTask, request_digest, slide_stamp
from cxpath.scores.settings import ScoringSettings

OTHERWISE: dict[str, Any] = {
    "out": Path("elsewhere"),
    "overwrite": True,
    "mpp": 0.3,
    "assay": "22c3",
    "tumour": "vulva",
    "research": True,
    "ignore_classes": ("Stroma",),
    "marker": "her2",
    "mode": "adaptive",
    "model": "base",
    "device": "cpu",
    "pseudonym": True,
    "configuration": Configuration(scoring=ScoringSettings(stained_threshold=0.7)),
}
"""Another value of each option of a request, files aside."""


def asked(folder: Path, **options: Any) -> ScoreRequest:
    return ScoreRequest(folder / "a.svs", **options)


def test_every_field_of_a_request_enters_its_digest_but_the_named_ones(tmp_path: Path) -> None:
    plain = request_digest(asked(tmp_path), "weights")
    for one in fields(ScoreRequest):
        if one.name in COUNTED_OTHERWISE:
            continue
        value = OTHERWISE.get(one.name)
        if value is None:
            value = tmp_path / f"{one.name}.json"
            value.write_text(one.name)
        found = request_digest(asked(tmp_path, **{one.name: value}), "weights")
        assert (found == plain) == (one.name in NOT_IDENTITY), one.name


def test_what_is_counted_otherwise_counts(tmp_path: Path) -> None:
    plain = request_digest(asked(tmp_path), "weights")
    assert request_digest(asked(tmp_path), "other weights") != plain
    assert request_digest(replace(asked(tmp_path), slide=tmp_path / "b.svs"), "weights") != plain
    assert request_digest(replace(asked(tmp_path), slide=tmp_path / "moved" / "a.svs"), "weights") == plain


def test_a_slide_put_in_the_place_of_another_has_another_stamp(tmp_path: Path) -> None:
    slide, other = tmp_path / "a.svs", tmp_path / "b.svs"
    slide.write_bytes(b"one")
    other.write_bytes(b"two")
    shutil.copystat(slide, other)
    before = slide_stamp(ScoreRequest(slide))
    assert slide_stamp(ScoreRequest(slide)) == before
    other.replace(slide)  # as `cp -p`, `rsync -t` and a restored backup do: same name, size and time
    assert slide_stamp(ScoreRequest(slide)) != before


def test_bytes_written_into_a_slide_change_its_stamp_though_its_time_is_set_back(tmp_path: Path) -> None:
    slide = tmp_path / "a.svs"
    slide.write_bytes(b"one")
    state, before = slide.stat(), slide_stamp(ScoreRequest(slide))
    while slide.stat().st_ctime_ns == state.st_ctime_ns:  # the clock of a file system has steps
        slide.write_bytes(b"two")
        os.utime(slide, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert slide.stat().st_mtime_ns == state.st_mtime_ns
    assert slide_stamp(ScoreRequest(slide)) != before


def test_with_a_pseudonym_the_stamp_is_keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slide = tmp_path / "S24-4711.svs"
    slide.write_bytes(b"slide")
    stamps = {slide_stamp(ScoreRequest(slide))}
    for key in ("a key of the laboratory", "the key of another one"):
        monkeypatch.setenv("CXPATH_PSEUDONYM_KEY", key)
        stamps.add(slide_stamp(ScoreRequest(slide, pseudonym=True)))
    assert len(stamps) == 3


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SlideTask:
    """A slide in a folder that names a patient, with files next to it, under a pseudonym."""
    monkeypatch.setenv("CXPATH_PSEUDONYM_KEY", "a key of the laboratory")
    home = tmp_path / "ROE JANE 8675309"
    request = ScoreRequest(
        home / "S24-4711.svs",
        tmp_path / "out" / "slide-1",
        regions=home / "regions of Jane.geojson",
        cells=home / "cells of Jane.csv",
        class_map=home / "classes of Jane.toml",
        pseudonym=True,
    )
    return SlideTask("slide-1", request)


def test_with_a_pseudonym_no_path_and_no_name_is_in_a_message(hidden: SlideTask) -> None:
    request = hidden.request
    messages = [f"{path}: no such file" for path in (request.regions, request.cells, request.class_map)]
    messages += [
        f"{request.slide}: is damaged at tile 7",
        f"[Errno 13] Permission denied: {str(request.slide)!r}",
        f"{request.slide.parent}: Permission denied",
        f"{request.slide.name}, {request.slide.stem} and regions of Jane.geojson are names",
        f"cannot open {request.slide.parent / 'Data0001.dat'}",
    ]
    for message in messages:
        found = hidden.without_paths(message)
        assert not [word for word in ("ROE", "Jane", "8675309", "4711") if word in found], found
    assert hidden.without_paths(messages[0]) == "the regions file: no such file"
    assert hidden.without_paths(messages[3]).endswith(": is damaged at tile 7")


def test_with_a_pseudonym_no_entry_of_a_regions_or_cells_file_is_in_a_message(hidden: SlideTask) -> None:
    """A class of an annotation may be a person's name; what else a message says stays."""
    request = hidden.request
    said = f"{request.regions}: areas of unknown classes: 'Jane Roe' (1), \"J's\" (2); the slide's own"
    assert hidden.without_paths(said) == (
        "the regions file: areas of unknown classes: '…' (1), '…' (2); the slide's own"
    )
    said = f"{request.cells}: row 2: 'ROE' in column 'x_px' is not a number"
    assert hidden.without_paths(said) == "the cells file: row 2: '…' in column '…' is not a number"
    assert "'22C8'" in hidden.without_paths("assay '22C8' is not known")


def test_a_relative_path_is_hidden_too(hidden: SlideTask, monkeypatch: pytest.MonkeyPatch) -> None:
    home = hidden.request.slide.parent
    monkeypatch.chdir(home.parent)
    request = replace(
        hidden.request, slide=Path(home.name) / "S24-4711.svs", regions=Path(home.name) / "r.json"
    )
    task = SlideTask("slide-1", request)
    for path in (request.slide, request.slide.absolute(), request.regions, Path(home.name) / "other.dat"):
        assert "ROE" not in task.without_paths(f"{path}: no such file")


def test_without_a_pseudonym_a_message_names_the_file_but_no_folder(tmp_path: Path) -> None:
    task = SlideTask(
        "a", ScoreRequest(tmp_path / "a.svs", tmp_path / "out" / "a", regions=tmp_path / "r.json")
    )
    assert task.without_paths(f"{tmp_path / 'a.svs'}: is damaged") == "a.svs: is damaged"
    assert task.without_paths(f"{tmp_path / 'r.json'}: is damaged") == "the regions file: is damaged"
    assert task.without_paths(f"{tmp_path / 'out' / 'a'}: cannot be written") == "a: cannot be written"


def test_what_is_no_utf_8_can_be_written(tmp_path: Path) -> None:
    task = SlideTask("a", ScoreRequest(tmp_path / "a.svs", tmp_path / "a"))
    assert task.without_paths("M\udcfcller: no such file") == "M\\udcfcller: no such file"
