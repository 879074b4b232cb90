from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxpath.exchange.asap_xml import drawn_in_asap
from cxpath.exchange.class_names import UNCLASSIFIED
from cxpath.values.errors import RegionsFileError

GOLDEN = Path(__file__).parent / "golden" / "asap.xml"


def _root(coordinates: str, kind: str = "Polygon", group: str = "Tumor") -> Element:
    return fromstring(
        f'<ASAP_Annotations><Annotations><Annotation Type="{kind}" PartOfGroup="{group}">'
        f"<Coordinates>{coordinates}</Coordinates></Annotation></Annotations></ASAP_Annotations>"
    )


def test_a_file_as_asap_writes_it() -> None:
    areas, warnings = drawn_in_asap(fromstring(GOLDEN.read_text()), "asap.xml")
    assert [area.class_name for area in areas] == ["Tumor bed", "Necrosis", UNCLASSIFIED]
    assert [*areas[0].shape.bounds] == [100.5, 100.5, 1000, 900]
    assert [round(area.shape.area) for area in areas] == [round(899.5 * 799.5), 5000, 10_000]
    assert any("annotation 2 (Necrosis) is a spline" in warning for warning in warnings)
    assert any("annotation 4 was passed over: a Dot" in warning for warning in warnings)
    assert len(warnings) == 2


def test_points_follow_their_order_and_not_their_place() -> None:
    """Read as they stand, the four corners would cross each other and lose half of the area."""
    areas, _ = drawn_in_asap(fromstring(GOLDEN.read_text()), "asap.xml")
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
    (area,), _ = drawn_in_asap(_root(written), "a.xml")
    assert area.shape.bounds == (min(numbers), 0.0, max(numbers), 1000.25)


@pytest.mark.parametrize(
    ("coordinates", "said"),
    [
        ("", "annotation 1 \\(Tumor\\) has 0 points"),
        ('<Coordinate X="1" Y="1"/><Coordinate X="2" Y="2"/>', "has 2 points, which enclose nothing"),
        ('<Coordinate X="1" Y="1"/><Coordinate X="2" Y="2"/><Coordinate X="3" Y="3"/>', "has no area"),
        ('<Coordinate X="one" Y="1"/>', "'one' is no coordinate"),
        ('<Coordinate Y="1"/>', "None is no coordinate"),
        ('<Coordinate Order="nan" X="1" Y="1"/>', "'nan' is no coordinate"),
        ('<Coordinate X="1e12" Y="1"/><Coordinate X="2" Y="2"/><Coordinate X="3" Y="9"/>', "no pixels"),
        (
            '<Coordinate X="nan" Y="1"/><Coordinate X="2" Y="2"/><Coordinate X="3" Y="9"/>',
            "'nan' is no coordinate",
        ),
    ],
)
def test_what_encloses_nothing_is_refused_by_name(coordinates: str, said: str) -> None:
    with pytest.raises(RegionsFileError, match=said) as caught:
        drawn_in_asap(_root(coordinates), "a.xml")
    assert "a.xml" in str(caught.value)
