"""Whatever tool drew the regions: the same areas, and one clear line when they cannot be used."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxpath.exchange.region_classes import RegionClasses
from cxpath.exchange.regions_file import read_regions
from cxpath.values.errors import MissingFileError, RegionsFileError
from cxpath.values.regions import RegionMeaning, Regions, RegionUse

GOLDEN = Path(__file__).parent / "golden"
Place = tuple[float, float]


def as_geojson(areas: list[tuple[str, list[Place]]]) -> str:
    return json.dumps(
        [
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
                "properties": {"objectType": "annotation", "classification": {"name": name}},
            }
            for name, ring in areas
        ]
    )


def as_asap(areas: list[tuple[str, list[Place]]]) -> str:
    drawn = "".join(
        f'<Annotation Type="Polygon" PartOfGroup="{name}"><Coordinates>'
        + "".join(f'<Coordinate Order="{n}" X="{x}" Y="{y}"/>' for n, (x, y) in enumerate(ring))
        + "</Coordinates></Annotation>"
        for name, ring in areas
    )
    return f"<ASAP_Annotations><Annotations>{drawn}</Annotations></ASAP_Annotations>"


def as_imagescope(areas: list[tuple[str, list[Place]]]) -> str:
    drawn = "".join(
        f'<Annotation Name="{name}"><Regions><Region Type="0"><Vertices>'
        + "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in ring)
        + "</Vertices></Region></Regions></Annotation>"
        for name, ring in areas
    )
    return f"<?xml version='1.0'?><Annotations>{drawn}</Annotations>"


FORMS = {"QuPath GeoJSON": as_geojson, "ASAP XML": as_asap, "ImageScope XML": as_imagescope}
BED: list[Place] = [(100, 100), (900, 100), (900, 900), (100, 900)]
NECROSIS: list[Place] = [(200, 200), (400, 200), (400, 300), (200, 300)]


def write(folder: Path, content: str, name: str = "regions.txt") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_the_form_is_told_by_the_content(form: str, packed: bool, tmp_path: Path) -> None:
    """Suffixes lie: an XML saved as .geojson is read all the same."""
    path = write(tmp_path, FORMS[form]([("Tumor bed", BED), ("Necrosis", NECROSIS)]), "drawn.geojson")
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    regions = read_regions(path)
    assert regions.form == form
    assert len(regions.digest) == 64
    assert [(area.name, area.holds, area.use, area.shape.area) for area in regions.areas] == [
        ("Tumor bed", RegionMeaning.TUMOUR_BED, RegionUse.INCLUDE, 640_000),
        ("Necrosis", RegionMeaning.NECROSIS, RegionUse.EXCLUDE, 20_000),
    ]
    assert regions.warnings == ()


@settings(deadline=None)  # files on disk
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Tumor", "Tumor bed", "Necrosis", "CIN", "Fold", "Control"]),
            st.integers(0, 900), st.integers(0, 900), st.integers(1, 400), st.integers(1, 400),
        ),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_all_tools_give_the_same_regions(
    tmp_path_factory: pytest.TempPathFactory, boxes: list[tuple[str, int, int, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("same")
    areas = [
        (name, [(x / 4, y), (x / 4 + width, y), (x / 4 + width, y + height), (x / 4, y + height)])
        for name, x, y, width, height in boxes
    ]
    found = [read_regions(write(folder, written(areas))) for written in FORMS.values()]  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    x_px, y_px = rng.uniform(0, 1300, (2, 300))
    inside = [regions.contains(x_px, y_px, 1300, 1300) for regions in found]
    assert (inside[0] == inside[1]).all()
    assert (inside[0] == inside[2]).all()
    assert [area.name for area in found[0].areas] == [name for name, *_ in boxes]


def test_only_qupath_counts_from_the_scanned_bounds(tmp_path: Path) -> None:
    left_top = {
        form: read_regions(write(tmp_path, written([("Tumor", BED)])), (1000, 50, 4000, 3000))
        .areas[0]
        .shape.bounds[:2]
        for form, written in FORMS.items()
    }
    assert left_top == {"QuPath GeoJSON": (1100, 150), "ASAP XML": (100, 100), "ImageScope XML": (100, 100)}


def _inside(regions: Regions, x: float, y: float) -> bool:
    return bool(regions.contains(np.array([x]), np.array([y]), 2000, 2000)[0])


def test_a_negative_region_of_imagescope_is_never_scored() -> None:
    regions = read_regions(GOLDEN / "imagescope.xml")
    assert _inside(regions, 150, 150)
    assert not _inside(regions, 300, 300), "a hole in an included layer"
    assert not _inside(regions, 650, 650), "necrosis"
    assert _inside(regions, 700, 650), "a hole in the excluded layer"
    assert [area.name for area in regions.areas] == ["Tumor", "Tumor, cut out", "Necrosis", "pen"]


def test_an_excluded_area_cut_out_entirely_is_gone(tmp_path: Path) -> None:
    ring = '<Vertex X="0" Y="0"/><Vertex X="9" Y="0"/><Vertex X="0" Y="9"/>'
    drawn = "".join(f'<Region NegativeROA="{sign}"><Vertices>{ring}</Vertices></Region>' for sign in (0, 1))
    both = f'<Annotation Name="Fold"><Regions>{drawn}</Regions></Annotation>'
    region = f"<Region><Vertices>{ring}</Vertices></Region>"
    more = f'<Annotation Name="Tumor"><Regions>{region}</Regions></Annotation>'
    regions = read_regions(write(tmp_path, f"<Annotations>{both}{more}</Annotations>"))
    assert [area.name for area in regions.areas] == ["Tumor"]


def test_holes_and_several_polygons_are_kept(tmp_path: Path) -> None:
    shift = [(x + 1000, y) for x, y in BED]
    geometry = {"type": "MultiPolygon", "coordinates": [[_closed(BED), _closed(NECROSIS)], [_closed(shift)]]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"classification": "Tumor"}}
    (area,) = read_regions(write(tmp_path, json.dumps(feature))).areas
    assert area.shape.area == 2 * 640_000 - 20_000


def _closed(ring: list[Place]) -> list[Place]:
    return [*ring, ring[0]]


@pytest.mark.parametrize("form", FORMS)
def test_a_crossing_outline_is_repaired_and_said(form: str, tmp_path: Path) -> None:
    bow_tie: list[Place] = [(0, 0), (100, 100), (100, 0), (0, 100)]
    regions = read_regions(write(tmp_path, FORMS[form]([("Tumor", bow_tie)])))
    assert regions.areas[0].shape.is_valid
    assert regions.areas[0].shape.area == pytest.approx(5_000)
    assert "crosses or touches itself and was repaired" in regions.warnings[0]
    assert "(Tumor)" in regions.warnings[0]


@pytest.mark.parametrize("form", FORMS)
def test_an_outline_that_touches_itself_keeps_its_area(form: str, tmp_path: Path) -> None:
    eight: list[Place] = [(0, 0), (50, 50), (100, 0), (100, 100), (50, 50), (0, 100)]
    regions = read_regions(write(tmp_path, FORMS[form]([("Tumor", eight)])))
    assert regions.areas[0].shape.area == pytest.approx(5_000)
    assert len(regions.warnings) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_flat_outline_is_refused_by_name(form: str, tmp_path: Path) -> None:
    path = write(tmp_path, FORMS[form]([("Tumor", BED), ("Necrosis", [(1, 1), (2, 2), (3, 3)])]))
    with pytest.raises(RegionsFileError, match=r"\(Necrosis\) has no area") as caught:
        read_regions(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("form", FORMS)
def test_unknown_classes_are_refused_all_at_once(form: str, tmp_path: Path) -> None:
    areas = [("Tumor", BED), ("Stroma", BED), ("Nekrose", NECROSIS), ("Stroma", NECROSIS)]
    path = write(tmp_path, FORMS[form](areas))
    with pytest.raises(RegionsFileError, match=r"unknown classes: 'Nekrose' \(1\), 'Stroma' \(2\)") as caught:
        read_regions(path)
    assert "pass_over" in caught.value.hint
    assert "CIN3" in caught.value.hint
    classes = RegionClasses(necrosis=("Nekrose",), pass_over=("Stroma",))
    regions = read_regions(path, classes=classes)
    assert [area.holds for area in regions.areas] == [RegionMeaning.INCLUDE, RegionMeaning.NECROSIS]
    assert "passed over, as configured: 'Stroma' (2)" in regions.warnings[0]


def test_areas_beyond_the_slide_are_said(tmp_path: Path) -> None:
    far: list[Place] = [(5000, 5000), (5100, 5000), (5100, 5100)]
    path = write(tmp_path, as_geojson([("Tumor", BED), ("Necrosis", far)]))
    assert read_regions(path, size_px=(6000, 6000)).warnings == ()
    partly, wholly = read_regions(path, size_px=(800, 800)).warnings
    assert "annotation 1 (Tumor) reaches beyond the slide's edge" in partly
    assert "annotation 2 (Necrosis) lies wholly outside the slide" in wholly


def test_regions_that_leave_nothing_are_said(tmp_path: Path) -> None:
    path = write(tmp_path, as_geojson([("Tumor", NECROSIS), ("Necrosis", BED)]))
    assert read_regions(path, size_px=(1000, 1000)).warnings == (
        "the drawn regions leave nothing of the slide to score",
    )


def test_warnings_name_no_file(tmp_path: Path) -> None:
    """They stand in score.json, which may leave the house; file names may hold a patient's."""
    bow_tie: list[Place] = [(0, 0), (100, 100), (100, 0), (0, 100)]
    path = write(tmp_path, as_asap([("Tumor", bow_tie)]), "DOE_JANE.xml")
    warnings = read_regions(path, size_px=(10, 10)).warnings
    assert len(warnings) == 2
    assert not any("DOE" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        (" \n ", "the file is empty"),
        ("<html><body/></html>", "XML of another kind \\(<html>\\)"),
        ("<Annotations/>", "no drawn area in the file"),
        ("<ASAP_Annotations><Annotations/></ASAP_Annotations>", "no drawn area in the file"),
        ("<Annotations><", "not readable XML"),
        ("x;y\n1;2\n", "not valid JSON"),
        ('{"type": "Topology"}', "not a GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": []}', "no drawn area in the file"),
    ],
)
def test_other_files_are_one_line(content: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    with pytest.raises(RegionsFileError, match=said) as caught:
        read_regions(path)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_cut_gzip_and_a_missing_file_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.xml.gz"
    path.write_bytes(gzip.compress(as_asap([("Tumor", BED)]).encode())[:-12])
    with pytest.raises(RegionsFileError, match="cannot be read"):
        read_regions(path)
    with pytest.raises(MissingFileError, match="no such file"):
        read_regions(tmp_path / "none.xml")


def test_a_utf_16_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.xml"
    path.write_bytes(as_imagescope([("Tumor", BED)]).replace("?>", " encoding='utf-16'?>").encode("utf-16"))
    assert len(read_regions(path)) == 1


def test_the_same_drawing_has_the_same_digest(tmp_path: Path) -> None:
    copy = tmp_path / "copy.xml"
    shutil.copy(GOLDEN / "asap.xml", copy)
    assert read_regions(copy).digest == read_regions(GOLDEN / "asap.xml").digest
