from __future__ import annotations

import pytest

from cxpath.slide.resolution import StatedResolution
from cxpath.slide.stated_resolution import (
    stated_in_ome,
    stated_in_openslide,
    stated_in_tag_values,
    stated_in_tags,
)

TAGS = {"tiff.XResolution": "40000", "tiff.YResolution": "39000", "tiff.ResolutionUnit": "centimeter"}


def test_openslide_comes_before_tags() -> None:
    properties = {"openslide.mpp-x": "0.25", "openslide.mpp-y": "0.251", "openslide.vendor": "aperio", **TAGS}
    assert stated_in_openslide(properties) == StatedResolution(0.25, 0.251, "openslide.mpp-x")


def test_tags_are_named_where_openslide_took_its_number_from_them() -> None:
    properties = {"openslide.mpp-x": "0.25", "openslide.vendor": "generic-tiff", **TAGS}
    stated = stated_in_openslide(properties)
    assert stated is not None
    assert stated.source == "tiff.XResolution"
    assert (stated.x_mpp, stated.y_mpp) == pytest.approx((0.25, 10_000 / 39_000))


def test_tags_stand_in_when_openslide_knows_nothing() -> None:
    stated = stated_in_openslide({"openslide.vendor": "aperio", "openslide.mpp-x": "unknown", **TAGS})
    assert stated is not None
    assert stated.source == "tiff.XResolution"
    assert stated_in_openslide({"openslide.vendor": "aperio"}) is None


def test_one_axis_stands_for_both() -> None:
    stated = stated_in_openslide({"openslide.mpp-x": "0.25"})
    assert stated == StatedResolution(0.25, 0.25, "openslide.mpp-x")


@pytest.mark.parametrize(
    ("per_unit", "unit", "mpp"),
    [
        (40_000, "centimeter", 0.25),
        (101_600, "inch", 0.25),
        (72, "inch", 352.78),
        (28.35, "centimeter", 352.73),
    ],
)
def test_units_of_tags(per_unit: float, unit: str, mpp: float) -> None:
    stated = stated_in_tags(per_unit, per_unit, unit)
    assert stated is not None
    assert stated.x_mpp == pytest.approx(mpp, rel=1e-4)


@pytest.mark.parametrize(
    ("per_unit", "unit"), [(1, ""), (1, "none"), (0, "inch"), (None, "inch"), (-2, "inch")]
)
def test_tags_without_meaning(per_unit: float | None, unit: str) -> None:
    assert stated_in_tags(per_unit, per_unit, unit) is None


def test_raw_tag_values_may_be_fractions() -> None:
    assert stated_in_tag_values((80_000, 2), (40_000, 1), 3) == StatedResolution(
        0.25, 0.25, "tiff.XResolution"
    )
    assert stated_in_tag_values((1, 0), None, 3) is None
    assert stated_in_tag_values(None, None, None) is None


@pytest.mark.parametrize(
    ("attributes", "mpp"),
    [
        ('PhysicalSizeX="0.25" PhysicalSizeXUnit="µm"', 0.25),
        ('PhysicalSizeX="0.25" PhysicalSizeXUnit="μm"', 0.25),
        ('PhysicalSizeX="0.25"', 0.25),
        ('PhysicalSizeX="250" PhysicalSizeXUnit="nm"', 0.25),
        ('PhysicalSizeX="0.00025" PhysicalSizeXUnit="mm"', 0.25),
    ],
)
def test_units_of_ome(attributes: str, mpp: float) -> None:
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image><Pixels PhysicalSizeX="9"/></Image><Image><Pixels {attributes}/></Image></OME>'
    )
    stated = stated_in_ome(xml, 1)
    assert stated is not None
    assert stated.source == "ome.PhysicalSizeX"
    assert (stated.x_mpp, stated.y_mpp) == pytest.approx((mpp, mpp))


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<OME",
        "<OME/>",
        "<OME><Image><Pixels/></Image></OME>",
        '<OME><Image><Pixels PhysicalSizeX="1" PhysicalSizeXUnit="pixel"/></Image></OME>',
    ],
)
def test_ome_without_a_number(xml: str) -> None:
    assert stated_in_ome(xml, 0) is None
