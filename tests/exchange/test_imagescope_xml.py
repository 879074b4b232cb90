from __future__ import annotations

from math import pi
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from cxpath.exchange.class_names import UNCLASSIFIED
from cxpath.exchange.imagescope_xml import drawn_in_imagescope
from cxpath.values.errors import RegionsFileError

GOLDEN = Path(__file__).parent / "golden" / "imagescope.xml"
TRIANGLE = '<Vertex X="0" Y="0"/><Vertex X="10" Y="0"/><Vertex X="0" Y="10"/>'


def _root(vertices: str = TRIANGLE, layer: str = "", region: str = "", attributes: str = "") -> Element:
    return fromstring(
        f"<Annotations><Annotation {layer}><Attributes>{attributes}</Attributes><Regions>"
        f"<Region {region}><Vertices>{vertices}</Vertices></Region></Regions></Annotation></Annotations>"
    )


def test_a_file_as_imagescope_writes_it() -> None:
    areas, warnings = drawn_in_imagescope(fromstring(GOLDEN.read_text()), "imagescope.xml")
    assert [(area.class_name, area.negative) for area in areas] == [
        ("Tumor", False), ("Tumor", True), ("Necrosis", False), ("Necrosis", True), ("pen", False),
    ]  # fmt: skip
    assert areas[0].shape.area == 1_000_000
    assert areas[2].shape.bounds == pytest.approx((600, 600, 800, 700))
    assert areas[2].shape.area == pytest.approx(pi * 100 * 50, rel=2e-3)
    assert warnings == ["layer 1, region 3 was passed over: a ruler encloses no area"]


def test_a_rectangle_of_two_corners_is_a_box() -> None:
    (area,), _ = drawn_in_imagescope(
        _root('<Vertex X="30" Y="5"/><Vertex X="10" Y="25"/>', region='Type="1"'), "a.xml"
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
    (area,), _ = drawn_in_imagescope(_root(layer=layer, region=region, attributes=attributes), "a.xml")
    assert area.class_name == name


@pytest.mark.parametrize(
    ("vertices", "region", "said"),
    [
        ("", "", "layer 1, region 1 \\(no class\\)|has 0 points"),
        ('<Vertex X="0" Y="0"/><Vertex X="9" Y="9"/>', 'Type="0"', "has 2 points"),
        ('<Vertex X="0" Y="0"/><Vertex X="0" Y="9"/>', 'Type="2"', "has no area"),
        ('<Vertex X="?" Y="0"/>', "", "is no coordinate"),
    ],
)
def test_what_encloses_nothing_is_refused_by_name(vertices: str, region: str, said: str) -> None:
    with pytest.raises(RegionsFileError, match=said) as caught:
        drawn_in_imagescope(_root(vertices, region=region), "a.xml")
    assert "layer 1, region 1" in caught.value.message
