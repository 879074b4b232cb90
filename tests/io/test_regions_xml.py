"""Regions drawn in ASAP and ImageScope, element by element; what is not understood is named, not guessed."""

from __future__ import annotations

from contextlib import suppress
from xml.etree.ElementTree import Element, fromstring

import numpy as np
import pytest
from hypothesis import given, strategies as st
from shapely.geometry import box

from cxpath.errors import RegionsFileError
from cxpath.io.geojson import UNCLASSIFIED
from cxpath.io.regions_xml import (
    halo_origin_warnings,
    imagescope_scale_warnings,
    parse_xml,
    regions_in_asap,
    regions_in_imagescope,
)

SQUARE = ((10, 20), (110, 20), (110, 220), (10, 220))


def asap(
    points: tuple[tuple[float, float], ...] = SQUARE, order: tuple[int, ...] = (), **attributes: str
) -> Element:
    """Return an ASAP file of one annotation."""
    stated = {"Name": "Annotation 0", "Type": "Polygon", "PartOfGroup": "Tumour"} | attributes
    keys = " ".join(f'{name}="{value}"' for name, value in stated.items())
    corners = "".join(
        f'<Coordinate Order="{place}" X="{x}" Y="{y}"/>'
        for place, (x, y) in zip(order or range(len(points)), points, strict=True)
    )
    return fromstring(
        f"<ASAP_Annotations><Annotations><Annotation {keys}><Coordinates>{corners}</Coordinates></Annotation>"
        "</Annotations></ASAP_Annotations>"
    )


def imagescope(
    points: tuple[tuple[float, float], ...] = SQUARE,
    layer: str = 'Name="Tumour"',
    region: str = "",
    inner: str = "",
) -> Element:
    """Return an ImageScope file of one region."""
    corners = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in points)
    return fromstring(
        f"<Annotations><Annotation {layer}>{inner}<Regions><Region {region}><Vertices>{corners}</Vertices>"
        "</Region></Regions></Annotation></Annotations>"
    )


# ASAP.


def test_an_area_of_asap_is_its_corners_and_its_group() -> None:
    (area,), warnings = regions_in_asap(asap(), "a.xml")
    assert area.shape.equals(box(10, 20, 110, 220))
    assert area.class_name == "Tumour"
    assert warnings == []


@pytest.mark.parametrize("group", ["", "None", "none", "  "])
def test_no_group_is_no_class(group: str) -> None:
    (area,), _ = regions_in_asap(asap(PartOfGroup=group), "a.xml")
    assert area.class_name == UNCLASSIFIED


@given(st.permutations(range(4)))
def test_corners_are_taken_in_their_stated_order(order: list[int]) -> None:
    shuffled = tuple(SQUARE[place] for place in order)
    (area,), _ = regions_in_asap(asap(shuffled, tuple(order)), "a.xml")
    assert area.shape.equals(box(10, 20, 110, 220))


def test_a_spline_is_read_as_a_polygon_and_says_so() -> None:
    (area,), (warning,) = regions_in_asap(asap(Type="Spline"), "a.xml")
    assert area.shape.area == 100 * 200
    assert "is a spline and was read as the polygon through its points" in warning


@pytest.mark.parametrize(
    ("kind", "said"), [("Dot", "a Dot"), ("Measurement", "a Measurement"), ("", "a nameless type")]
)
def test_what_encloses_no_area_is_passed_over_and_named(kind: str, said: str) -> None:
    areas, (warning,) = regions_in_asap(asap(Type=kind), "a.xml")
    assert areas == []
    assert warning == f"annotation 1 (Tumour) was passed over: {said} encloses no area"


def test_annotations_elsewhere_are_counted_not_lost() -> None:
    root = asap()
    root.append(fromstring("<Annotation Type='Polygon'/>"))
    areas, (warning,) = regions_in_asap(root, "a.xml")
    assert len(areas) == 1
    assert warning == "annotations in other places of the file than usual, not read: 1"


@pytest.mark.parametrize(
    "points", [(), SQUARE[:1], SQUARE[:2], ((0, 0), (5, 5), (10, 10))], ids=["none", "one", "two", "a line"]
)
def test_an_area_that_encloses_nothing_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(RegionsFileError, match=r"a\.xml") as refused:
        regions_in_asap(asap(points), "a.xml")
    assert "annotation 1" in str(refused.value)


@pytest.mark.parametrize("bad", ["nan", "inf", "", "12px", "1e400"])
def test_a_coordinate_that_is_none_is_refused(bad: str) -> None:
    root = asap()
    corner = root.find(".//Coordinate")
    assert corner is not None
    corner.set("X", bad)
    with pytest.raises(RegionsFileError, match=r"a\.xml"):
        regions_in_asap(root, "a.xml")
    del corner.attrib["X"]
    with pytest.raises(RegionsFileError, match=r"a\.xml"):
        regions_in_asap(root, "a.xml")


# ImageScope, and HALO, whose files differ from it in words.


def halo(
    points: tuple[tuple[float, float], ...] = SQUARE, kind: str = "Polygon", negative: str = "0"
) -> Element:
    """Return a HALO file of one region."""
    corners = "".join(f'<V X="{x}" Y="{y}"/>' for x, y in points)
    return fromstring(
        f'<Annotations><Annotation Name="Tumour" Visible="True"><Regions><Region Type="{kind}"'
        f' HasEndcaps="0" NegativeROA="{negative}"><Vertices>{corners}</Vertices><Comments/></Region>'
        "</Regions></Annotation></Annotations>"
    )


@pytest.mark.parametrize(("points", "kind"), [(SQUARE, "Polygon"), (SQUARE[:1] + SQUARE[2:3], "Rectangle")])
def test_a_layer_of_halo_is_a_class(points: tuple[tuple[float, float], ...], kind: str) -> None:
    (area,), warnings = regions_in_imagescope(halo(points, kind), "a.annotations")
    assert (area.class_name, area.negative, warnings) == ("Tumour", False, [])
    assert area.shape.equals(box(10, 20, 110, 220))


def test_an_ellipse_of_halo_fills_its_box() -> None:
    (area,), _ = regions_in_imagescope(halo(((110, 20), (10, 220)), "Ellipse"), "a.annotations")
    assert area.shape.bounds == pytest.approx((10, 20, 110, 220))
    assert area.shape.area == pytest.approx(np.pi * 50 * 100, rel=0.001)


@pytest.mark.parametrize("negative", ["1", "True"])
def test_a_negative_region_of_halo_is_to_be_cut_out(negative: str) -> None:
    (area,), _ = regions_in_imagescope(halo(negative=negative), "a.annotations")
    assert area.negative


@pytest.mark.parametrize(("kind", "said"), [("Ruler", "a ruler"), ("Pin", "a pin")])
def test_rulers_and_pins_of_halo_are_passed_over(kind: str, said: str) -> None:
    areas, (warning,) = regions_in_imagescope(halo(kind=kind), "a.annotations")
    assert areas == []
    assert f"{said} encloses no area" in warning


def test_where_the_places_of_halo_count_from_is_said_or_refused() -> None:
    (said,) = halo_origin_warnings(halo(), "a.annotations", at_corner=True)
    assert "check in the overview" in said
    for root, at_corner in ((halo(), False), (halo(((-30, 1), (9, 1), (9, 9))), True)):
        with pytest.raises(RegionsFileError, match="from elsewhere"):
            halo_origin_warnings(root, "a.annotations", at_corner=at_corner)
    assert halo_origin_warnings(imagescope(((-30, 1), (9, 1), (9, 9))), "a.xml", at_corner=False) == []


def test_a_layer_of_imagescope_is_a_class() -> None:
    (area,), warnings = regions_in_imagescope(imagescope(), "a.xml")
    assert (area.class_name, area.negative, warnings) == ("Tumour", False, [])
    assert area.shape.equals(box(10, 20, 110, 220))


@pytest.mark.parametrize(
    ("layer", "inner", "region", "expected"),
    [
        (
            'Name="Tumour"',
            '<Attributes><Attribute Name="Class" Value="CIN"/></Attributes>',
            'Text="x"',
            "Tumour",
        ),
        (
            'Name=" "',
            '<Attributes><Attribute Name="Description" Value="CIN"/></Attributes>',
            'Text="x"',
            "CIN",
        ),
        ("", '<Attributes><Attribute Name="Colour" Value="CIN"/></Attributes>', 'Text="x"', "x"),
        ("", '<Attributes><Attribute Name="class" Value=" "/></Attributes>', 'Text=""', UNCLASSIFIED),
    ],
)
def test_the_class_is_the_layers_name_then_its_attribute_then_the_text(
    layer: str, inner: str, region: str, expected: str
) -> None:
    (area,), _ = regions_in_imagescope(imagescope(layer=layer, inner=inner, region=region), "a.xml")
    assert area.class_name == expected


@pytest.mark.parametrize(
    ("stated", "negative"), [('NegativeROA="1"', True), ('NegativeROA="0"', False), ("", False)]
)
def test_a_negative_region_is_to_be_cut_out(stated: str, negative: bool) -> None:
    (area,), _ = regions_in_imagescope(imagescope(region=stated), "a.xml")
    assert area.negative is negative


@pytest.mark.parametrize(("kind", "said"), [("3", "an arrow"), ("4", "a ruler")])
def test_arrows_and_rulers_are_passed_over(kind: str, said: str) -> None:
    areas, (warning,) = regions_in_imagescope(imagescope(region=f'Type="{kind}"'), "a.xml")
    assert areas == []
    assert warning == f"layer 1, region 1 (Tumour) was passed over: {said} encloses no area"


@given(st.permutations([(10.0, 20.0), (110.0, 220.0)]), st.booleans())
def test_a_rectangle_may_be_any_two_opposite_corners(corners: list[tuple[float, float]], flip: bool) -> None:
    (left, top), (right, bottom) = corners
    points = ((left, bottom), (right, top)) if flip else ((left, top), (right, bottom))
    (area,), _ = regions_in_imagescope(imagescope(points, region='Type="1"'), "a.xml")
    assert area.shape.equals(box(10, 20, 110, 220))


def test_an_ellipse_fills_its_box() -> None:
    (area,), _ = regions_in_imagescope(imagescope(((10, 20), (110, 220)), region='Type="2"'), "a.xml")
    assert area.shape.bounds == pytest.approx((10, 20, 110, 220))
    assert area.shape.area == pytest.approx(3.14159 * 50 * 100, rel=0.01)


def test_two_points_of_a_freehand_region_enclose_nothing() -> None:
    with pytest.raises(RegionsFileError, match="layer 1, region 1"):
        regions_in_imagescope(imagescope(((10, 20), (110, 220)), region='Type="0"'), "a.xml")


def test_regions_elsewhere_are_counted_not_lost() -> None:
    root = imagescope()
    root.append(fromstring("<Region/>"))
    areas, (warning,) = regions_in_imagescope(root, "a.xml")
    assert len(areas) == 1
    assert warning == "regions in other places of the file than usual, not read: 1"


@given(st.floats(0.05, 5), st.floats(0.8, 1.25))
def test_another_scale_than_the_slides_is_said_beyond_five_percent(mpp: float, factor: float) -> None:
    root = fromstring(f'<Annotations MicronsPerPixel="{mpp * factor!r}"/>')
    said = imagescope_scale_warnings(root, mpp)
    assert bool(said) == (abs(mpp * factor / mpp - 1) > 0.05)
    assert all("may belong to another scan" in one for one in said)


@pytest.mark.parametrize(
    ("stated", "mpp", "said"),
    [
        ("", 0.5, []),
        ("0.5", None, []),
        ("half", 0.5, ['the file states no number of µm per pixel: "half"']),
        ("-0.5", 0.5, ["the file was drawn at -0.5 µm per pixel and the slide has 0.5"]),
        ("0", 0.5, ["the file was drawn at 0 µm per pixel and the slide has 0.5"]),
        ("nan", 0.5, ["the file was drawn at nan µm per pixel and the slide has 0.5"]),
    ],
)
def test_scales_that_are_missing_or_absurd(stated: str, mpp: float | None, said: list[str]) -> None:
    root = fromstring(f'<Annotations MicronsPerPixel="{stated}"/>')
    assert [
        one.split(":")[0] if "drawn" in one else one for one in imagescope_scale_warnings(root, mpp)
    ] == said


# XML without trust.


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<!DOCTYPE a><a/>",
    ],
)
def test_a_document_type_is_refused_whatever_it_declares(content: bytes) -> None:
    with pytest.raises(RegionsFileError, match="document type declaration"):
        parse_xml(content, "a.xml")


@pytest.mark.parametrize(
    "content", [b"", b"<a>", b"no xml", b"\xff\xfe\x00", b'<?xml version="1.0" encoding="klingon"?><a/>']
)
def test_what_is_no_xml_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(RegionsFileError, match=r"a\.xml: not readable XML") as refused:
        parse_xml(content, "a.xml")
    assert "export the annotations again" in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_that_a_file_names_are_read(encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    content = f'<?xml version="1.0" encoding="{name}"?><a b="é"/>'.encode(encoding)
    assert parse_xml(content, "a.xml").get("b") == "é"


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_read_or_refused(content: bytes) -> None:
    with suppress(RegionsFileError):  # any other error fails the test
        parse_xml(content, "a.xml")
