"""Worklists of TRIDENT, hs2p and QuPath."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.configuration import ScoreRequest
from cxpath.batch.foreign_worklists import images_of_project
from cxpath.batch.task import SlideTask
from cxpath.batch.worklist import read_worklist
from cxpath.errors import WorklistError


def read(source: Path, *, pseudonym: bool = False) -> list[SlideTask]:
    template = ScoreRequest(Path("unused"), pseudonym=pseudonym)
    return read_worklist(str(source), template, Path("out"), "digest")


def table(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_tridents_list_names_slides_and_mpp(tmp_path: Path) -> None:
    first, second = read(table(tmp_path, "wsi,mpp\nsub/a.png,0.25\nb.svs,\n"))
    assert (first.id, first.request.slide, first.request.mpp) == ("a", tmp_path / "sub/a.png", 0.25)
    assert (second.id, second.request.slide, second.request.mpp) == ("b", tmp_path / "b.svs", None)


def test_tridents_list_may_have_columns_of_ours(tmp_path: Path) -> None:
    (task,) = read(table(tmp_path, ",wsi,mpp,assay,case,note site\n0,a.svs,0.5,22c3,K1,north\n"))
    assert (task.request.assay, task.facts) == ("22c3", {"case": "K1", "note site": "north"})


def test_hs2ps_list_names_slides_ids_and_spacing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    header = "sample_id,image_path,mask_path,spacing_at_level_0\n"
    with caplog.at_level(logging.WARNING, "cxpath"):
        first, second = read(table(tmp_path, f"{header}case-1,/data/a.tif,/data/m.tif,0.5\ncase-2,b.tif,,\n"))
    assert (first.id, first.request.slide, first.request.mpp) == ("case-1", Path("/data/a.tif"), 0.5)
    assert (second.id, second.request.slide, second.request.mpp) == ("case-2", tmp_path / "b.tif", None)
    assert [one.getMessage() for one in caplog.records] == [
        "column mask_path is not used: cxpath finds the tissue itself"
    ]


def test_hs2ps_earlier_list_is_read(tmp_path: Path) -> None:
    (task,) = read(table(tmp_path, "wsi_path,mask_path\n/data/a.tif,\n"))
    assert task.request.slide == Path("/data/a.tif")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("wsi,mpp,magnification\na.svs,0.25,40\n", "column 'magnification' is unknown"),
        ("wsi,mpp\n,0.25\n", "row 2: states no slide"),
        ("wsi,mpp\na.svs,about 0.25\n", "row 2: mpp 'about 0.25' is not a number"),
        ("image_path,image_path\na.svs,b.svs\n", "column 'image_path' occurs twice"),
    ],
)
def test_a_list_that_makes_no_sense_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(WorklistError, match=complaint):
        read(table(tmp_path, text))


def test_names_of_other_programs_do_not_pass_a_pseudonym(tmp_path: Path) -> None:
    (task,) = read(table(tmp_path, "sample_id,image_path\nDoe_Jane,a.svs\n"), pseudonym=True)
    assert task.id.startswith("slide-")
    project = qupath(tmp_path, entry("file:/data/a.svs", "Doe Jane.svs"))
    (task,) = read(project, pseudonym=True)
    assert task.id.startswith("slide-")
    assert task.facts == {}
    with pytest.raises(WorklistError) as refused:
        read(qupath(tmp_path, entry("https://a.b/c", "Doe Jane.svs")), pseudonym=True)
    assert "Doe" not in str(refused.value)


def entry(uri: str, name: str, *args: str, **more: Any) -> dict[str, Any]:
    """An image as QuPath 0.5 writes it."""
    provider = "qupath.lib.images.servers.openslide.OpenslideServerBuilder"
    builder = {"builderType": "uri", "providerClassName": provider, "uri": uri, "args": list(args)}
    return {"serverBuilder": builder | more, "entryID": 1, "imageName": name, "metadata": {}}


def wrapped(kind: str, image: dict[str, Any]) -> dict[str, Any]:
    return image | {"serverBuilder": {"builderType": kind, "builder": image["serverBuilder"]}}


def qupath(folder: Path, *images: dict[str, Any], uri: str | None = None) -> Path:
    path = folder / "project.qpproj"
    folder.mkdir(parents=True, exist_ok=True)
    stated = {"version": "0.5.1", "createTimestamp": 1, "uri": uri or path.absolute().as_uri()}
    path.write_text(json.dumps(stated | {"images": list(images)}), encoding="utf-8")
    return path


def test_a_qupath_project_names_files_and_results(tmp_path: Path) -> None:
    slide = tmp_path / "slides" / "a b ü.svs"
    images = (entry(slide.as_uri(), "A12 PD-L1.svs"), entry("file:/data/c.ndpi", "c.ndpi"))
    first, second = read(qupath(tmp_path / "project", *images))
    assert (first.id, first.request.slide) == ("A12 PD-L1", slide)
    assert (second.id, second.request.slide) == ("c", Path("/data/c.ndpi"))


def test_a_name_that_cannot_name_a_folder_gives_way_to_the_files(tmp_path: Path) -> None:
    (task,) = read(qupath(tmp_path, entry("file:/data/c.ndpi", "c.ndpi: 40x/scan")))
    assert task.id == "c"


def test_turned_images_are_scored_as_scanned(tmp_path: Path) -> None:
    image = wrapped("rotated", wrapped("pyramidize", entry("file:/data/c.tif", "c.tif")))
    (found,) = images_of_project(qupath(tmp_path, image))
    assert found.slide == Path("/data/c.tif")


def test_slides_that_were_moved_with_their_project_are_found(tmp_path: Path) -> None:
    (tmp_path / "new" / "slides").mkdir(parents=True)
    moved = tmp_path / "new" / "slides" / "a.svs"
    moved.write_bytes(b"x")
    image = entry("file:/old/slides/a.svs", "a.svs")
    project = qupath(tmp_path / "new" / "project", image, uri="file:/old/project/project.qpproj")
    assert images_of_project(project)[0].slide == moved


def test_slides_that_are_nowhere_keep_the_path_that_the_project_states(tmp_path: Path) -> None:
    image = entry("file:/old/slides/a.svs", "a.svs")
    project = qupath(tmp_path, image, uri="file:/old/project/project.qpproj")
    assert images_of_project(project)[0].slide == Path("/old/slides/a.svs")


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (entry("https://omero.example/iviewer/?images=7", "o"), "o: lies at https:, not in a file"),
        (entry("file://server/share/a.svs", "n"), "n: lies at file://server, not in a file"),
        (entry("", "e"), "e: lies at nowhere:, not in a file"),
        (entry("file:/a.czi", "s", "--series", "2"), "s: is image 2 of a file of several images"),
        (entry("file:/a.czi?series=3", "q"), "q: is image series=3 of a file of several images"),
        (wrapped("cropped", entry("file:/a.svs", "c")), r"c: is made by QuPath \(cropped\)"),
        (wrapped("channels", entry("file:/a.svs", "c")), r"c: is made by QuPath \(channels\)"),
        ({"imageName": "bare"}, "bare: the project does not say which file it is"),
    ],
)
def test_images_that_are_no_local_file_are_refused_by_name(
    tmp_path: Path, image: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(WorklistError, match=complaint):
        read(qupath(tmp_path, image))


def test_the_first_series_of_a_file_is_read(tmp_path: Path) -> None:
    (task,) = read(qupath(tmp_path, entry("file:/data/a.czi", "a.czi", "--series", "0")))
    assert task.request.slide == Path("/data/a.czi")


@pytest.mark.parametrize("text", ["{", "[]", '{"images": 3}', '{"images": ["a.svs"]}'])
def test_what_is_no_project_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "project.qpproj"
    path.write_text(text)
    with pytest.raises(WorklistError, match="QuPath"):
        read(path)


def test_a_project_without_images_names_no_slide(tmp_path: Path) -> None:
    with pytest.raises(WorklistError, match="contains no slide"):
        read(qupath(tmp_path))
