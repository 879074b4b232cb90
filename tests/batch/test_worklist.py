"""Worklists from folders, patterns and tables, and what is wrong with them."""

import shutil
from pathlib import Path

import pytest
from openpyxl import Workbook

from cxpath.app.configuration import ScoreRequest
from cxpath.batch.task import SlideTask
from cxpath.batch.worklist import contradictions, read_worklist, unreadable
from cxpath.errors import MissingFileError, WorklistError
from tests.slide.dicom_slides import write_dicom_series
from tests.slide.synthetic_slides import speckle

HEADER = "slide,id,case,block,batch,assay,mpp,regions,note seen by\n"


def read(source: Path | str, out: Path | None = None) -> list[SlideTask]:
    return read_worklist(str(source), ScoreRequest(Path("unused")), out or Path("out"), "digest")


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "list.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no slide")


def test_a_folder_is_searched_below_for_slides_alone(tmp_path: Path) -> None:
    touch(tmp_path, "b.svs", "deep/a.NDPI", "notes.txt", ".hidden.svs", "picture.png", "out/c/c.tif")
    assert [task.id for task in read(tmp_path, tmp_path / "out")] == ["b", "a"]


def test_a_pattern_takes_whatever_it_matches(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.png", "y/b.png", "y/c.svs")
    assert [task.id for task in read(f"{tmp_path}/**/*.png")] == ["a", "b"]


def _series(folder: Path, *parts: str) -> None:
    write_dicom_series(folder / "written", [speckle(300, 300), speckle(100, 100)])
    for part in parts:
        shutil.copytree(folder / "written", folder / part)
    shutil.rmtree(folder / "written")


@pytest.mark.parametrize("source", ["", "/**/*.dcm"])
def test_a_dicom_series_is_one_slide(tmp_path: Path, source: str) -> None:
    _series(tmp_path, "a")
    assert [task.id for task in read(f"{tmp_path}{source}")] == ["level_0"]


@pytest.mark.parametrize("source", ["", "/*/*.dcm", "/list.csv"])
def test_copies_of_a_dicom_series_are_named(tmp_path: Path, source: str) -> None:
    """They were one slide without a word, whichever folder came first."""
    _series(tmp_path, "a", "b")
    table(tmp_path, "a/level_0.dcm,first", "b/level_1.dcm,second", header="slide,id\n")
    reasons = [problem.reason for problem in contradictions(read(f"{tmp_path}{source}"))]
    assert any("its DICOM series lies in several folders" in reason for reason in reasons)
    assert str(tmp_path / "b") in reasons[-1]


def test_a_table_says_how_each_slide_is_scored(tmp_path: Path) -> None:
    path = table(tmp_path, 'a.svs,first,K1,B2,night 1,22c3,"0,25",a.geojson,K. M.', "sub/b.svs,,,,,,,,")
    first, second = read(path, tmp_path / "out")
    assert (first.id, first.request.assay, first.request.mpp) == ("first", "22c3", 0.25)
    assert first.request.slide == tmp_path / "a.svs"
    assert first.request.regions == tmp_path / "a.geojson"
    assert first.facts == {"case": "K1", "block": "B2", "batch": "night 1", "note seen by": "K. M."}
    assert first.folder == tmp_path / "out" / "first"
    assert (second.id, second.request.assay, second.request.mpp) == ("b", "unknown", None)
    assert first.request_digest != second.request_digest


def test_a_workbook_is_read_alike(tmp_path: Path) -> None:
    book = Workbook()
    book.worksheets[0].append(["Slide", "Case", "mpp"])
    book.worksheets[0].append(["a.svs", 17, 0.25])
    book.save(tmp_path / "list.xlsx")
    (task,) = read(tmp_path / "list.xlsx")
    assert (task.facts, task.request.mpp) == ({"case": "17"}, 0.25)


@pytest.mark.parametrize(
    ("header", "row", "complaint"),
    [
        ("file,case\n", "a.svs,1", "has no column `slide`"),
        ("slide,asay\n", "a.svs,22c3", "column 'asay' is unknown"),
        ("slide,case,case\n", "a.svs,1,2", "column 'case' occurs twice"),
        ("slide,mpp\n", "a.svs,fine", "row 2: mpp 'fine' is not a number"),
        ("slide,case\n", ",K1", "row 2: states no slide"),
        ("slide,id\n", "a.svs,../up", "row 2: '../up' cannot be the name of a folder"),
        ("slide,id\n", "a.svs,batch-state", "is reserved for a file of the batch"),
        ("slide,id\n", "a.svs,Cohort.CSV", "is reserved for a file of the batch"),
        ("slide,assay\n", "a.svs,22c3,0.5", "row 2: has 3 entries under 2 columns"),
        ("slide,note\n", "a.svs,hello, world", "row 2: has 3 entries under 2 columns"),
    ],
)
def test_a_table_that_makes_no_sense_is_one_line(
    tmp_path: Path, header: str, row: str, complaint: str
) -> None:
    with pytest.raises(WorklistError, match=complaint):
        read(table(tmp_path, row, header=header))


def test_slides_in_the_folder_of_results_are_not_looked_for_and_this_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs")
    with pytest.raises(WorklistError, match="is in the folder of --out"):
        read_worklist(str(tmp_path), ScoreRequest(Path("unused")), tmp_path, "digest")


def test_nothing_to_score_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorklistError, match="contains no slide"):
        read(tmp_path)
    with pytest.raises(MissingFileError, match="no such folder"):
        read(tmp_path / "gone")


def test_what_contradicts_itself_is_found_before_anything_starts(tmp_path: Path) -> None:
    path = table(tmp_path, "x/a.svs,,,,,,,,", "y/A.svs,,,,,,,,", "b.svs,b1,,,,,,,", "b.svs,b2,,,,sp999,,,")
    found = [str(problem) for problem in contradictions(read(path))]
    assert len(found) == 3
    assert found[0].startswith("'a' would be the name of the results of 2 slides")
    assert "occurs 2 times (b1, b2)" in found[1]
    assert "column `id`" in found[0]
    assert "sp999" in found[2]


def test_slides_that_would_fail_are_found_by_opening_them(tmp_path: Path) -> None:
    touch(tmp_path, "text.svs")
    (tmp_path / "empty.svs").touch()
    rows = [
        f"{name}.svs,,,,,,,{regions}," for name, regions in [("text", ""), ("empty", ""), ("gone", "r.json")]
    ]
    found = [str(problem) for problem in unreadable(read(table(tmp_path, *rows)))]
    assert "not a slide or a picture" in found[0]
    assert "the file is empty" in found[1]
    assert found[2].endswith("r.json: no such file (check the path)")


def test_a_changed_regions_file_changes_the_request(tmp_path: Path) -> None:
    path = table(tmp_path, "a.svs,,,,,,,r.json,")
    assert read(path)[0].request_digest == "", "it is not there: never the same as before"
    digests = set()
    for content in ("one", "other"):
        (tmp_path / "r.json").write_text(content)
        digests.add(read(path)[0].request_digest)
    assert len(digests) == 2


def test_linked_folders_are_searched_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "slides/real/a.svs", "elsewhere/b.svs")
    (tmp_path / "slides" / "again").symlink_to(tmp_path / "slides" / "real", target_is_directory=True)
    (tmp_path / "slides" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "slides" / "real" / "up").symlink_to(tmp_path / "slides", target_is_directory=True)
    for source in (tmp_path / "slides", f"{tmp_path}/slides/**/*.svs"):
        caplog.clear()
        assert [task.request.slide for task in read(source)] == [
            tmp_path / "slides" / "linked" / "b.svs",
            tmp_path / "slides" / "real" / "a.svs",
        ]
        assert f"{tmp_path / 'slides' / 'again'}: links to a folder that is searched already" in caplog.text
        assert f"{tmp_path / 'slides' / 'real' / 'up'}: links to" in caplog.text


def test_with_a_pseudonym_no_linked_folder_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "slides/a.svs")
    (tmp_path / "slides" / "Jane Roe").symlink_to(tmp_path / "slides", target_is_directory=True)
    read_worklist(
        str(tmp_path / "slides"), ScoreRequest(Path("unused"), pseudonym=True), Path("out"), "digest"
    )
    assert "a link: links to a folder" in caplog.text
    assert "Jane" not in caplog.text


def test_a_link_to_nothing_is_a_slide_that_fails_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.svs").symlink_to(tmp_path / "gone.svs")
    (found,) = unreadable(read(tmp_path))
    assert found.id == "a"
    assert "no such file" in found.reason


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("**/*.svs", ["b", "c", "a"]),
        ("x*/**/?.svs", ["b", "c"]),
        ("**/deep/*.svs", ["b"]),
        ("**/[!a].svs", ["b", "c"]),
        ("*.svs", ["a"]),
    ],
)
def test_patterns_mean_what_they_mean_in_a_shell(tmp_path: Path, pattern: str, ids: list[str]) -> None:
    touch(tmp_path, "z/a.svs", "x1/deep/b.svs", "x2/c.svs", "z/.hidden/d.svs", "z/n.txt")
    source = tmp_path / "z" if pattern == "*.svs" else tmp_path
    assert [task.id for task in read(f"{source}/{pattern}")] == ids


@pytest.mark.parametrize("names", [("A", "a"), ("M\u00fcller", "Mu\u0308ller"), ("\u00e9", "E\u0301")])
def test_names_that_some_systems_take_for_the_same_are_asked_about(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    path = table(
        tmp_path, *(f"{number}.svs,{name}" for number, name in enumerate(names)), header="slide,id\n"
    )
    (found,) = contradictions(read(path))
    assert "would be the name of the results of 2 slides" in found.reason


def test_a_name_too_long_for_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorklistError, match="too long for the name of a folder"):
        read(table(tmp_path, f"a.svs,{'病' * 86}", header="slide,id\n"))


def test_with_a_pseudonym_problems_name_no_path(tmp_path: Path) -> None:
    home = tmp_path / "ROE JANE"
    home.mkdir()
    rows = [
        "S4711.svs,x,,",
        "S4711.svs,y,,",
        "S4712.svs,z,gone of Jane.json,",
        "S4713.svs,w,,cells of Jane.csv",
    ]
    path = table(home, *rows, header="slide,id,regions,cells\n")
    template = ScoreRequest(Path("unused"), pseudonym=True)
    tasks = read_worklist(str(path), template, tmp_path / "out", "digest")
    said = [str(one) for one in (*contradictions(tasks), *unreadable(tasks))]
    assert len(said) == 5
    assert not [line for line in said if "Jane" in line or "ROE" in line or "S471" in line]


def test_a_pattern_takes_a_link_to_nothing_as_a_slide_that_fails(tmp_path: Path) -> None:
    (tmp_path / "gone.svs").symlink_to(tmp_path / "nowhere.svs")
    touch(tmp_path, "a.svs")
    assert [task.id for task in read(f"{tmp_path}/*.svs")] == ["a", "gone"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("a.svs,x,,", "b.svs,x\u200b,,"), ("id 'x'", "'x\\u200b'")),
        (("a.svs,a b,,", "b.svs,a  b,,"), ("id 'a b'", "'a  b'")),
        (("a.svs,,007,", "b.svs,,7,"), ("case '007'", "'7'")),
        (("a.svs,,12,", "b.svs,,12.0,"), ("case '12'", "'12.0'")),
        (("a.svs,,P1,", "b.svs,,p1,"), ("case 'P1'", "'p1'")),
        (("a.svs,,P1,", "b.svs,,P1\u200b,"), ("case 'P1'", "'P1\\u200b'")),
    ],
)
def test_names_that_nobody_could_tell_apart_are_asked_about(
    tmp_path: Path, rows: tuple[str, ...], said: tuple[str, str]
) -> None:
    found = contradictions(read(table(tmp_path, *rows, header="slide,id,case,note\n")))
    named = [problem.reason.partition(" differ")[0].replace(f"{tmp_path}/", "") for problem in found]
    first, second = said
    assert named == [f"{first} (a.svs) and {second} (b.svs)"]
    plain = table(tmp_path, "a.svs,,P1,", "b.svs,,P1,", "c.svs,,P2,", header="slide,id,case,note\n")
    assert contradictions(read(plain)) == []
