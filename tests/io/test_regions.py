"""Whatever tool drew the regions: the same areas, and one clear line when they cannot be used."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from math import pi
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from cxpath.data.slide_info import RegionMeaning, Regions, RegionUse
from cxpath.errors import MissingFileError, RegionsFileError
from cxpath.io.geojson import UNCLASSIFIED
from cxpath.io.regions import (
    RegionClasses,
    read_regions,
    regions_in_geojson,
)
from cxpath.io.regions_xml import imagescope_scale_warnings, parse_xml, regions_in_asap, regions_in_imagescope

GOLDEN = Path(__file__).parent / "golden" / "asap.xml"


def _root(coordinates: str, kind: str = "Polygon", group: str = "Tumor") -> Element:
    return fromstring(
        f'<ASAP_Annotations><Annotations><Annotation Type="{kind}" PartOfGroup="{group}">'
        f"<Coordinates>{coordinates}</Coordinates></Annotation></Annotations></ASAP_Annotations>"
    )


def test_a_file_as_asap_writes_it() -> None:
    areas, warnings = regions_in_asap(fromstring(GOLDEN.read_text()), "asap.xml")
    assert [area.class_name for area in areas] == ["Tumor bed", "Necrosis", UNCLASSIFIED]
    assert [*areas[0].shape.bounds] == [100.5, 100.5, 1000, 900]
    assert [round(area.shape.area) for area in areas] == [round(899.5 * 799.5), 5000, 10_000]
    assert any("annotation 2 (Necrosis) is a spline" in warning for warning in warnings)
    assert any("annotation 4 (Mitosis) was passed over: a Dot" in warning for warning in warnings)
    assert len(warnings) == 2


def test_points_follow_their_order_and_not_their_place() -> None:
    """Read as they stand, the four corners would cross each other and lose half of the area."""
    areas, _ = regions_in_asap(fromstring(GOLDEN.read_text()), "asap.xml")
    assert areas[0].warnings == ()


@settings(deadline=None)  # the first call of shapely is slow
@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=3, unique=True), st.booleans())
def test_decimal_commas_and_points_are_the_same(steps: list[int], comma: bool) -> None:
    numbers = [step / 8 for step in steps]
    places = [(numbers[0], 0.0), (numbers[1], 0.5), (numbers[2], 1000.25)]
    written = "".join(
        f'<Coordinate Order="{order}" X="{x}" Y="{y}"/>'.replace(".", "," if comma else ".")
        for order, (x, y) in enumerate(places)
    )
    (area,), _ = regions_in_asap(_root(written), "a.xml")
    assert area.shape.bounds == (min(numbers), 0.0, max(numbers), 1000.25)


@pytest.mark.parametrize(
    ("coordinates", "said"),
    [
        ("", "annotation 1 \\(Tumor\\) has 0 points"),
        ('<Coordinate X="1" Y="1"/><Coordinate X="2" Y="2"/>', "has 2 points, which enclose nothing"),
        ('<Coordinate X="1" Y="1"/><Coordinate X="2" Y="2"/><Coordinate X="3" Y="3"/>', "has no area"),
        ('<Coordinate X="one" Y="1"/>', "'one' is not a coordinate"),
        ('<Coordinate Y="1"/>', "None is not a coordinate"),
        ('<Coordinate Order="nan" X="1" Y="1"/>', "'nan' is not a coordinate"),
        ('<Coordinate X="1e12" Y="1"/><Coordinate X="2" Y="2"/><Coordinate X="3" Y="9"/>', "not pixels"),
        (
            '<Coordinate X="nan" Y="1"/><Coordinate X="2" Y="2"/><Coordinate X="3" Y="9"/>',
            "'nan' is not a coordinate",
        ),
    ],
)
def test_what_encloses_nothing_is_refused_by_name(coordinates: str, said: str) -> None:
    with pytest.raises(RegionsFileError, match=said) as caught:
        regions_in_asap(_root(coordinates), "a.xml")
    assert "a.xml" in str(caught.value)


GOLDEN_OF_IMAGESCOPE_XML = Path(__file__).parent / "golden" / "imagescope.xml"
TRIANGLE = '<Vertex X="0" Y="0"/><Vertex X="10" Y="0"/><Vertex X="0" Y="10"/>'


def _root_of_imagescope_xml(
    vertices: str = TRIANGLE, layer: str = "", region: str = "", attributes: str = ""
) -> Element:
    return fromstring(
        f"<Annotations><Annotation {layer}><Attributes>{attributes}</Attributes><Regions>"
        f"<Region {region}><Vertices>{vertices}</Vertices></Region></Regions></Annotation></Annotations>"
    )


def test_a_file_as_imagescope_writes_it() -> None:
    areas, warnings = regions_in_imagescope(
        fromstring(GOLDEN_OF_IMAGESCOPE_XML.read_text()), "imagescope.xml"
    )
    assert [(area.class_name, area.negative) for area in areas] == [
        ("Tumor", False), ("Tumor", True), ("Necrosis", False), ("Necrosis", True), ("pen", False),
    ]  # fmt: skip
    assert areas[0].shape.area == 1_000_000
    assert areas[2].shape.bounds == pytest.approx((600, 600, 800, 700))
    assert areas[2].shape.area == pytest.approx(pi * 100 * 50, rel=2e-3)
    assert warnings == ["layer 1, region 3 (Tumor) was passed over: a ruler encloses no area"]


def test_a_rectangle_of_two_corners_is_a_box() -> None:
    (area,), _ = regions_in_imagescope(
        _root_of_imagescope_xml('<Vertex X="30" Y="5"/><Vertex X="10" Y="25"/>', region='Type="1"'), "a.xml"
    )
    assert area.shape.bounds == (10, 5, 30, 25)


@pytest.mark.parametrize(
    ("layer", "region", "attributes", "name"),
    [
        ('Name="CIN"', 'Text="x"', '<Attribute Name="Description" Value="y"/>', "CIN"),
        ('Name=" "', 'Text="x"', '<Attribute Name="Description" Value="Fold"/>', "Fold"),
        ("", 'Text="Fold"', '<Attribute Name="Description" Value=""/>', "Fold"),
        ("", "", '<Attribute Name="Stain" Value="PD-L1"/>', UNCLASSIFIED),
    ],
)
def test_where_the_class_stands(layer: str, region: str, attributes: str, name: str) -> None:
    (area,), _ = regions_in_imagescope(
        _root_of_imagescope_xml(layer=layer, region=region, attributes=attributes), "a.xml"
    )
    assert area.class_name == name


@pytest.mark.parametrize(
    ("vertices", "region", "said"),
    [
        ("", "", "layer 1, region 1 \\(no class\\)|has 0 points"),
        ('<Vertex X="0" Y="0"/><Vertex X="9" Y="9"/>', 'Type="0"', "has 2 points"),
        ('<Vertex X="0" Y="0"/><Vertex X="0" Y="9"/>', 'Type="2"', "has no area"),
        ('<Vertex X="?" Y="0"/>', "", "is not a coordinate"),
    ],
)
def test_what_encloses_nothing_is_refused_by_name_of_imagescope_xml(
    vertices: str, region: str, said: str
) -> None:
    with pytest.raises(RegionsFileError, match=said) as caught:
        regions_in_imagescope(_root_of_imagescope_xml(vertices, region=region), "a.xml")
    assert "layer 1, region 1" in caught.value.message


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        (UNCLASSIFIED, RegionMeaning.INCLUDE),
        ("TUMOUR", RegionMeaning.INCLUDE),
        ("Region*", RegionMeaning.INCLUDE),
        ("tumor BED", RegionMeaning.TUMOUR_BED),
        ("Ignore*", RegionMeaning.EXCLUDE),
        (" necrosis ", RegionMeaning.NECROSIS),
        ("CIN3", RegionMeaning.BENIGN),
        ("Artefact", RegionMeaning.ARTEFACT),
        ("artifact", RegionMeaning.ARTEFACT),
        ("Negative control", RegionMeaning.CONTROL),
        ("Stroma", None),
        ("Tumor: Positive", None),
    ],
)
def test_what_a_class_means(name: str, meaning: RegionMeaning | None) -> None:
    assert RegionClasses().meaning(name) is meaning


def test_only_include_and_tumour_bed_are_scored() -> None:
    scored = {meaning for meaning in RegionMeaning if meaning.use is RegionUse.INCLUDE}
    assert scored == {RegionMeaning.INCLUDE, RegionMeaning.TUMOUR_BED}


def test_a_list_replaces_the_default_list() -> None:
    classes = RegionClasses(necrosis=("Nekrose",), pass_over=("Stroma",))
    assert classes.meaning("NEKROSE") is RegionMeaning.NECROSIS
    assert classes.meaning("Necrosis") is None
    assert classes.meaning("Tumor") is RegionMeaning.INCLUDE
    assert classes.is_passed_over("stroma*")
    assert not classes.is_passed_over("Tumor")


def test_a_class_with_two_meanings_is_refused() -> None:
    with pytest.raises(ValidationError, match="'tumor' has two meanings"):
        RegionClasses(exclude=("tumor*",))


def test_the_table_in_one_line_names_everything() -> None:
    listed = RegionClasses().listed()
    assert all(name in listed for name in RegionClasses().meanings())
    assert "\n" not in listed


GOLDEN_OF_REGIONS_FILE = Path(__file__).parent / "golden"
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
    assert [(area.name, area.effective_meaning, area.use, area.shape.area) for area in regions.areas] == [
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


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("0.252200", None),
        ("0.5", "drawn at 0.5 µm per pixel and the slide has 0.25"),
        ("-1", "drawn at -1 µm per pixel"),
        ("nan", "drawn at nan µm per pixel"),
        ("wide", 'states no number of µm per pixel: "wide"'),
    ],
)
def test_imagescope_outlines_of_another_scale_are_warned_about(stated: str, said: str | None) -> None:
    root = Element("Annotations", MicronsPerPixel=stated)
    warnings = imagescope_scale_warnings(root, 0.25)
    assert (not warnings) if said is None else said in warnings[0]
    assert imagescope_scale_warnings(root, None) == []


def test_the_scale_of_an_imagescope_file_is_compared_with_the_slide() -> None:
    found = read_regions(GOLDEN_OF_IMAGESCOPE_XML, mpp=0.5)
    assert "the slide has 0.5" in found.warnings[0]


def test_a_negative_region_of_imagescope_is_never_scored() -> None:
    regions = read_regions(GOLDEN_OF_REGIONS_FILE / "imagescope.xml")
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


def test_a_hole_outside_its_outline_adds_no_area(tmp_path: Path) -> None:
    """GEOS repairs such a polygon to two areas, and the cells in the hole would be scored."""
    outline, hole = _square(0, 0, 500), _square(1200, 1200, 100)
    geometry = {"type": "Polygon", "coordinates": [outline, hole]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"classification": "Tumor"}}
    regions = read_regions(write(tmp_path, json.dumps(feature)))
    assert regions.areas[0].shape.area == 250_000
    assert "was repaired" in regions.warnings[0]


def test_a_hole_across_the_outline_takes_off_what_lies_within(tmp_path: Path) -> None:
    geometry = {"type": "Polygon", "coordinates": [_square(0, 0, 500), _square(400, 0, 200)]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"classification": "Tumor"}}
    (area,) = read_regions(write(tmp_path, json.dumps(feature))).areas
    assert area.shape.area == 250_000 - 100 * 200


def _square(left: float, top: float, side: float) -> list[Place]:
    return _closed([(left, top), (left + side, top), (left + side, top + side), (left, top + side)])


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
    assert [area.effective_meaning for area in regions.areas] == [
        RegionMeaning.INCLUDE,
        RegionMeaning.NECROSIS,
    ]
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
    """They stand in score.json, which may leave the house; file names may contain a patient's."""
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
    shutil.copy(GOLDEN_OF_REGIONS_FILE / "asap.xml", copy)
    assert read_regions(copy).digest == read_regions(GOLDEN_OF_REGIONS_FILE / "asap.xml").digest


def named(held: Mapping[str, object], ring: list[Place] = NECROSIS) -> dict[str, object]:
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"type": "Feature", "geometry": geometry, "properties": held}


@pytest.mark.parametrize(
    "held",
    [
        {"objectType": "annotation", "name": "Necrosis"},
        {"type": "Necrosis"},
        {"class": "necrosis"},
        {"label": "Exclude"},
        {"classificationName": "Necrosis"},
    ],
)
def test_a_label_in_place_of_a_class_is_said(held: dict[str, object], tmp_path: Path) -> None:
    regions = read_regions(write(tmp_path, json.dumps([named(held)])))
    assert [area.use for area in regions.areas] == [RegionUse.INCLUDE]
    (warning,) = regions.warnings
    key = next(key for key in held if key != "objectType")
    assert warning.startswith(f"annotation 1 (no class) is named {held[key]!r} (in {key!r}) but has no class")
    assert "it is scored" in warning


@pytest.mark.parametrize(
    ("held", "key"),
    [
        ({"annotation": "Necrosis"}, "annotation"),
        ({"properties": {"class": "Exclude"}}, "class"),
        ({"author": "Jane Doe", "finding": " necrosis "}, "finding"),
        ({"name": "Jane Doe", "x": {"y": {"z": "Necrosis"}}}, "z"),
    ],
)
def test_a_known_class_is_found_in_whatever_property(
    held: dict[str, object], key: str, tmp_path: Path
) -> None:
    (warning,) = read_regions(write(tmp_path, json.dumps([named(held)]))).warnings
    assert f"(in {key!r}) but has no class: it is scored" in warning
    assert "Jane" not in warning


def test_a_label_that_is_no_class_is_said_without_its_words(tmp_path: Path) -> None:
    """It may name a person."""
    (warning,) = read_regions(write(tmp_path, json.dumps([named({"name": "Jane Doe"})]))).warnings
    assert "Jane" not in warning
    assert warning.startswith("annotation 1 (no class) is named (in 'name') but has no class: it is scored")


def test_a_name_that_contradicts_the_class_is_said(tmp_path: Path) -> None:
    held = {"classification": {"name": "Tumor"}, "name": "Necrosis"}
    regions = read_regions(write(tmp_path, json.dumps([named(held)])))
    (warning,) = regions.warnings
    assert "annotation 1 (Tumor) is named 'Necrosis' (in 'name'), unlike its class: it is scored" in warning
    alike = {"classification": {"name": "Tumor"}, "name": "Region of interest"}
    assert read_regions(write(tmp_path, json.dumps([named(alike)]))).warnings == ()


def test_names_in_xml_are_said_too(tmp_path: Path) -> None:
    asap = as_asap([("None", BED)]).replace("<Annotation Type", '<Annotation Name="Necrosis" Type')
    assert "is named 'Necrosis' (in 'Name')" in read_regions(write(tmp_path, asap)).warnings[0]
    numbered = as_asap([("None", BED)]).replace("<Annotation Type", '<Annotation Name="Annotation 0" Type')
    assert read_regions(write(tmp_path, numbered)).warnings == ()
    imagescope = as_imagescope([("Tumor", BED)]).replace("<Region Type", '<Region Text="Necrosis" Type')
    assert "unlike its class" in read_regions(write(tmp_path, imagescope)).warnings[0]


def test_many_labels_are_counted_after_the_first(tmp_path: Path) -> None:
    regions = read_regions(write(tmp_path, json.dumps([named({"name": f"n{n}"}) for n in range(9)])))
    assert regions.warnings[-1] == "4 more areas carry a name or label that their class does not"
    assert len(regions.warnings) == 6


def test_areas_deep_within_collections_are_kept_and_the_rest_is_named(tmp_path: Path) -> None:
    area = {"type": "MultiPolygon", "coordinates": [[[*BED, BED[0]]], [[*NECROSIS, NECROSIS[0]]]]}
    line = {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}
    inner = {"type": "GeometryCollection", "geometries": [area, line, line]}
    outer = {"type": "GeometryCollection", "geometries": [inner, {"type": "Point", "coordinates": [1, 1]}]}
    held = {"type": "Feature", "geometry": outer, "properties": {"classification": {"name": "Tumor"}}}
    regions = read_regions(write(tmp_path, json.dumps([held])))
    assert regions.areas[0].shape.area == 640_000
    assert any("1 Point within annotation 1 (Tumor)" in said for said in regions.warnings)
    assert any("2 LineString within annotation 1 (Tumor)" in said for said in regions.warnings)


@pytest.mark.parametrize("hole", ["[]", "{}", "null", "[[1,1]]"])
def test_an_empty_hole_is_one_line(hole: str, tmp_path: Path) -> None:
    """GEOS ended the program over it."""
    text = as_geojson([("Tumor", BED)]).replace("]]]}", f"]],{hole}]}}")
    with pytest.raises(RegionsFileError, match=r"annotation 1 \(Tumor\) is not a polygon"):
        read_regions(write(tmp_path, text), size_px=(2048, 2048))


def comb(teeth: int, *, upright: bool) -> list[Place]:
    across = [10 + 1000 * tooth / teeth for tooth in range(2 * teeth)]
    points = [(x, y) for n, x in enumerate(across) for y in ((100.0, 1900.0) if n % 2 else (1900.0, 100.0))]
    outline: list[Place] = [*points, (across[-1], 50), (10, 50)]
    return outline if upright else [(y, x) for x, y in outline]


@pytest.mark.parametrize("form", FORMS)
def test_outlines_that_cross_a_million_times_are_refused(form: str, tmp_path: Path) -> None:
    """A small file whose repair, or cutting out, would take gigabytes."""
    rng = np.random.default_rng(1)
    tangle = [(float(x), float(y)) for x, y in rng.random((3000, 2)) * 2000]
    with pytest.raises(RegionsFileError, match="crosses itself too often"):
        read_regions(write(tmp_path, FORMS[form]([("Tumor", tangle)])))
    combs = [("Tumor", comb(1000, upright=True)), ("Necrosis", comb(1000, upright=False))]
    with pytest.raises(RegionsFileError, match=r"cross(es)? (each other|itself) too often"):
        read_regions(write(tmp_path, FORMS[form](combs)))


def test_a_long_plain_outline_is_read(tmp_path: Path) -> None:
    turn = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    reach = 800 + 100 * np.sin(turn * 50)
    wave = [
        (1000 + float(r * np.cos(t)), 1000 + float(r * np.sin(t))) for r, t in zip(reach, turn, strict=True)
    ]
    regions = read_regions(write(tmp_path, as_geojson([("Tumor", wave)])))
    assert regions.areas[0].shape.area == pytest.approx(np.pi * (800**2 + 100**2 / 2), rel=1e-3)
    assert regions.warnings == ()


@pytest.mark.parametrize("name", ["Stroma", "Immune cells", "Other", "Positive", "Negative", "Necrosis"])
def test_any_class_can_be_left_out_by_name(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, as_geojson([("Tumor", BED), (name, NECROSIS)]))
    classes = RegionClasses().ignoring((f"{name.upper()}*",))
    regions = read_regions(path, classes=classes)
    assert [area.name for area in regions.areas] == ["Tumor"]
    assert any(f"{name!r} (1)" in warning for warning in regions.warnings)


@pytest.mark.parametrize("name", ["CIN 1", "CIN 2", "CIN 3", "CIN3", "Ignore*", "Region*", "Tumor"])
def test_default_classes_of_programs_have_a_meaning(name: str) -> None:
    assert RegionClasses().meaning(name) is not None


def test_areas_without_a_class_can_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps([named({}), named({"classification": {"name": "Tumor"}}, BED)]))
    regions = read_regions(path, classes=RegionClasses().ignoring(("(no class)",)))
    assert [area.name for area in regions.areas] == ["Tumor"]


WHOLE = (0, 0, 0, 0)
SQUARE = [[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]]
HOLE = [[20, 20], [40, 20], [40, 40], [20, 40], [20, 20]]


def _feature(classification: Any = None, geometry: Any = None, **properties: Any) -> dict[str, Any]:
    if classification is not None:
        properties["classification"] = classification
    geometry = geometry or {"type": "Polygon", "coordinates": [SQUARE]}
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation", **properties}}


def _content(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize("form", ["collection", "array", "single", "byte order mark"])
def test_all_forms_of_the_file(form: str) -> None:
    feature = _feature({"name": "Tumor", "color": [200, 0, 0]})
    forms: dict[str, Any] = {"array": [feature], "single": feature}
    content = _content(forms.get(form, {"type": "FeatureCollection", "features": [feature]}))
    if form == "byte order mark":
        content = b"\xef\xbb\xbf" + content
    (area,), warnings = regions_in_geojson(content, WHOLE, "a.geojson")
    assert (area.class_name, area.shape.area, area.where) == ("Tumor", 10_000, "annotation 1 (Tumor)")
    assert warnings == []


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        (None, UNCLASSIFIED),
        ({"name": None}, UNCLASSIFIED),
        ("roi", "roi"),
        ({"names": ["Region*"]}, "Region*"),
        ({"names": ["Tumor", "Positive"]}, "Tumor: Positive"),
    ],
)
def test_where_the_class_stands_of_regions_geojson(classification: Any, name: str) -> None:
    (area,), _ = regions_in_geojson(_content(_feature(classification)), WHOLE, "a.geojson")
    assert area.class_name == name


def test_holes_and_several_polygons_are_kept_of_regions_geojson() -> None:
    far = [[x + 500, y] for x, y in SQUARE]
    geometry = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [far]]}
    (area,), _ = regions_in_geojson(_content(_feature("Tumor", geometry)), WHOLE, "a.geojson")
    assert area.shape.area == 20_000 - 400
    assert area.shape.geom_type == "MultiPolygon"


def test_of_a_mixed_geometry_the_polygons_are_taken() -> None:
    """An area to leave out must not be lost because a stray point was merged with it."""
    parts = [{"type": "Point", "coordinates": [1, 1]}, {"type": "Polygon", "coordinates": [SQUARE]}]
    geometry = {"type": "GeometryCollection", "geometries": parts}
    (area,), _ = regions_in_geojson(_content(_feature("Necrosis", geometry)), WHOLE, "a.geojson")
    assert area.shape.area == 10_000


def test_positions_are_moved_out_of_qupaths_frame() -> None:
    (area,), _ = regions_in_geojson(_content(_feature("Tumor")), (1000, 50, 4000, 3000), "a.geojson")
    assert area.shape.bounds == (1000, 50, 1100, 150)


def test_other_geometries_and_objects_are_passed_over_aloud() -> None:
    document = [
        _feature("Tumor"),
        _feature("Tumor", {"type": "Point", "coordinates": [1, 1]}),
        _feature("Stroma", {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}),
        _feature("Positive", objectType="cell"),
        _feature("Positive", objectType="cell"),
        {"type": "Feature", "geometry": None, "properties": None},
    ]
    areas, (warning,) = regions_in_geojson(_content(document), WHOLE, "a.geojson")
    assert len(areas) == 1
    assert warning.endswith(
        "were passed over: 1 LineString (Stroma), 1 Point (Tumor), 2 cell (Positive), "
        "1 no geometry (no class)"
    )


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            [_feature("Tumor", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})],
            "annotation 1 \\(Tumor\\) is not a polygon",
        ),
        ([_feature("Tumor", {"type": "Polygon", "coordinates": "?"})], "is not a polygon"),
        ([_feature("Tumor", {"type": "Polygon"})], "is not a polygon"),
        ([_feature("Tumor", {"type": "Polygon", "coordinates": []})], "is empty"),
        ([_feature("Tumor", {"type": "GeometryCollection", "geometries": []})], "is empty"),
        (
            [_feature("CIN", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]})],
            "annotation 1 \\(CIN\\) has no area",
        ),
        (
            [
                _feature(
                    "CIN", {"type": "Polygon", "coordinates": [[[0, 0], [9, 9], [9, float("nan")], [0, 0]]]}
                )
            ],
            "coordinates that are not pixels",
        ),
        (
            [_feature("CIN", {"type": "Polygon", "coordinates": [[[0, 0], [1e300, 0], [0, 1e300], [0, 0]]]})],
            "coordinates that are not pixels",
        ),
    ],
)
def test_unusable_areas_are_one_line(document: Any, problem: str) -> None:
    with pytest.raises(RegionsFileError, match=problem) as caught:
        regions_in_geojson(_content(document), WHOLE, "a.geojson")
    assert "a.geojson" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_deep_nesting_is_one_line() -> None:
    with pytest.raises(RegionsFileError, match="not valid JSON"):
        regions_in_geojson(b"[" * 200_000, WHOLE, "a.geojson")


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))


def test_plain_xml_is_read_in_any_encoding() -> None:
    text = '<?xml version="1.0" encoding="{}"?><Annotations Name="Nekrose µ"/>'
    for encoding in ("utf-8", "utf-16", "iso-8859-1"):
        assert parse_xml(text.format(encoding).encode(encoding), "a.xml").get("Name") == "Nekrose µ"


@pytest.mark.parametrize(
    "declared",
    [
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE a [<!ENTITY file SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a SYSTEM "http://localhost:1/a.dtd">',
        "<!DOCTYPE a>",
    ],
)
def test_a_declaration_is_refused_before_it_does_anything(declared: str) -> None:
    with pytest.raises(RegionsFileError, match="document type declaration") as caught:
        parse_xml(f"<?xml version='1.0'?>{declared}<a>&l29;&file;</a>".encode(), Path("bad.xml"))
    assert "bad.xml" in caught.value.message


@pytest.mark.parametrize("content", [b"<a>", b"<a></b>", b"<a>&unknown;</a>", b"<a/><b/>", b"\x00<a/>"])
def test_what_is_not_well_formed_is_one_line(content: bytes) -> None:
    with pytest.raises(RegionsFileError, match="not readable XML") as caught:
        parse_xml(content, "bad.xml")
    assert "\n" not in str(caught.value)


Areas = list[tuple[str, list[Place]]]


def _warned(folder: Path, areas: Areas, form: str = "QuPath GeoJSON") -> str:
    return "; ".join(read_regions(write(folder, FORMS[form](areas))).warnings)


def test_a_frame_without_a_class_next_to_areas_with_one_is_named(tmp_path: Path) -> None:
    frame, tumour = ("", _square(0, 0, 900)), ("Tumor", _square(100, 100, 300))
    for form in ("ASAP XML", "ImageScope XML"):
        said = _warned(tmp_path, [frame, tumour], form)
        assert "1 area without a class is scored, too, next to areas with one" in said
        assert "next to areas" not in _warned(tmp_path, [frame, ("Necrosis", tumour[1])], form)
        assert "next to areas" not in _warned(tmp_path, [frame], form)


def test_an_area_to_score_within_one_that_is_left_out_is_named(tmp_path: Path) -> None:
    out, island = ("Exclude", _square(0, 0, 900)), ("Tumor", _square(100, 100, 300))
    free = ("Tumor", _square(2000, 2000, 300))
    lost = "annotation 2 (Tumor) lies wholly within areas that are left out"
    assert lost in _warned(tmp_path, [out, island, free])
    assert "left out" not in _warned(tmp_path, [("Exclude", _square(150, 150, 50)), island])


@pytest.mark.parametrize(("side", "named"), [(0.4, True), (40, False)])
def test_an_area_smaller_than_a_cell_is_named(tmp_path: Path, side: float, named: bool) -> None:
    said = _warned(tmp_path, [("Tumor", _square(0.1, 0.1, side))])
    assert ("smaller than a cell: are its coordinates in pixels?" in said) == named


def _vertices(*places: Place) -> str:
    return "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in places)


@pytest.mark.parametrize(
    ("corners", "kind", "right"),
    [
        ([(100, 100), (500, 500)], "2", pi * 100 * 400),
        ([(100, 100), (500, 100), (500, 500), (100, 500)], "2", pi * 100 * 400),
        ([(100, 100), (100, 500), (500, 500), (500, 100)], "2", pi * 100 * 400),
        ([(100, 100), (500, 100), (500, 500), (100, 500)], "1", 400 * 400),
        ([(100, 100), (500, 150), (500, 500), (100, 500)], "2", 400 * 375),
    ],
)
def test_an_ellipse_by_the_corners_of_its_box_is_an_ellipse(
    corners: list[Place], kind: str, right: float
) -> None:
    root = _root_of_imagescope_xml(_vertices(*corners), region=f'Type="{kind}"')
    (area,), _ = regions_in_imagescope(root, "a.xml")
    assert area.shape.area == pytest.approx(right, rel=0.002)


def test_a_region_that_is_not_to_be_analysed_and_one_with_an_odd_attribute_are_named() -> None:
    square = _vertices((100, 100), (500, 100), (500, 500))
    root = _root_of_imagescope_xml(square, region='Type="0" Analyze="0"')
    assert "not to be analysed (Analyze=0)" in regions_in_imagescope(root, "a.xml")[1][0]
    odd = _root_of_imagescope_xml(square, layer='Name=""', attributes='<Attribute Name="Necrosis" Value=""/>')
    (area,), _ = regions_in_imagescope(odd, "a.xml")
    assert (area.class_name, area.label_key, area.label) == (UNCLASSIFIED, "Attribute", "Necrosis")
