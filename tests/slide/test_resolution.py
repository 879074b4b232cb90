from __future__ import annotations

import logging
import math

import pytest
from hypothesis import given, strategies as st

from cxpath.errors import ResolutionError
from cxpath.slide.resolution import (
    StatedResolution,
    also_stated_by_aperio,
    of_magnification,
    resolve,
    stated_in_ome,
    stated_in_openslide,
    stated_in_tag_values,
    stated_in_tags,
)


def _stated(x_mpp: float, y_mpp: float | None = None) -> StatedResolution:
    return StatedResolution(x_mpp, x_mpp if y_mpp is None else y_mpp, "openslide.mpp-x")


@given(st.floats(0.05, 5))
def test_a_plausible_file_is_believed(mpp: float) -> None:
    resolution = resolve(None, _stated(mpp), "a.svs")
    assert (resolution.mpp, resolution.source, resolution.warnings) == (mpp, "openslide.mpp-x", ())


@pytest.mark.parametrize("mpp", [352.8, 0.0499, 5.01, 0.0, -0.25, math.nan, math.inf])
def test_an_absurd_file_is_not_believed(mpp: float) -> None:
    with pytest.raises(ResolutionError) as caught:
        resolve(None, _stated(mpp), "a.svs")
    assert caught.value.message.startswith("a.svs: ")
    assert f"{mpp:.4g} µm" in caught.value.message
    assert "--mpp 0.25" in caught.value.hint


def test_a_missing_number_is_an_error_that_never_uses_the_objective() -> None:
    with pytest.raises(ResolutionError) as caught:
        resolve(None, None, "a.svs", objective="40")
    assert "does not say" in caught.value.message
    assert "objective 40, often about 0.25" in caught.value.hint


@pytest.mark.parametrize("objective", ["", "forty", "0", "-10"])
def test_a_useless_objective_is_not_mentioned(objective: str) -> None:
    with pytest.raises(ResolutionError) as caught:
        resolve(None, None, "a.svs", objective=objective)
    assert "objective" not in caught.value.hint


def test_pixels_must_be_square_within_two_percent() -> None:
    assert resolve(None, _stated(0.25, 0.2549), "a.svs").mpp == pytest.approx(0.25245)
    with pytest.raises(ResolutionError, match=r"not square, 0\.25 by 0\.256"):
        resolve(None, _stated(0.25, 0.256), "a.svs")


def test_the_user_wins(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        near = resolve(0.26, _stated(0.25), "a.svs")
        far = resolve(0.5, _stated(0.25), "a.svs")
    assert (near.mpp, near.source, near.warnings) == (0.26, "user", ())
    assert (far.mpp, far.source) == (0.5, "user")
    assert far.warnings == (
        "0.5 µm per pixel was given by the user, but the file says 0.25 (openslide.mpp-x)",
    )
    assert [record.message for record in caplog.records] == [f"a.svs: {far.warnings[0]}"]


def test_an_absurd_file_does_not_contradict_the_user() -> None:
    assert resolve(0.25, _stated(352.8), "a.tif").warnings == ()


@pytest.mark.parametrize("mpp", [0.01, 40, 0, -1, math.nan])
def test_an_absurd_user_is_refused(mpp: float) -> None:
    with pytest.raises(ResolutionError, match="was asked for"):
        resolve(mpp, _stated(0.25), "a.svs")


TAGS = {"tiff.XResolution": "40000", "tiff.YResolution": "39000", "tiff.ResolutionUnit": "centimeter"}


def picture_of_set(mpp: float, uuid: str = "", page: int = 0, size: tuple[int, int] = (70, 50)) -> str:
    """One picture of an OME-XML, stored in the file of a UUID at a page."""
    stored = f'<UUID FileName="x.ome.tif">urn:uuid:{uuid}</UUID>' if uuid else ""
    return (
        f'<Image><Pixels SizeX="{size[0]}" SizeY="{size[1]}" PhysicalSizeX="{mpp}">'
        f'<TiffData IFD="{page}">{stored}</TiffData></Pixels></Image>'
    )


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
        f'<Image><Pixels SizeX="7" SizeY="5" PhysicalSizeX="9"/></Image>'
        f'<Image><Pixels SizeX="70" SizeY="50" {attributes}/></Image></OME>'
    )
    stated = stated_in_ome(xml, (70, 50), 0)
    assert stated is not None
    assert stated.source == "ome.PhysicalSizeX"
    assert (stated.x_mpp, stated.y_mpp) == pytest.approx((mpp, mpp))


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<OME",
        "<OME/>",
        '<OME><Image><Pixels SizeX="70" SizeY="50"/></Image></OME>',
        '<OME><Image><Pixels SizeX="70" SizeY="51" PhysicalSizeX="1"/></Image></OME>',
        "<OME>"
        + picture_of_set(1.0).replace('PhysicalSizeX="', 'PhysicalSizeXUnit="pixel" PhysicalSizeX="')
        + "</OME>",
    ],
)
def test_ome_without_a_number(xml: str) -> None:
    assert stated_in_ome(xml, (70, 50), 0) is None


@pytest.mark.parametrize(
    ("pictures", "mpp"),
    [
        ([picture_of_set(0.5, "a", size=(9, 9)), picture_of_set(0.25, "b")], 0.25),  # by size and UUID
        ([picture_of_set(0.5, "a"), picture_of_set(0.25, "b")], 0.25),  # of the same size: by UUID
        ([picture_of_set(0.5, "A"), picture_of_set(0.25, "B")], 0.25),  # in whatever case
        ([picture_of_set(0.5, "b", page=3), picture_of_set(0.25, "b")], 0.25),  # and by page
        ([picture_of_set(0.5, page=1), picture_of_set(0.25)], 0.25),
        ([picture_of_set(0.5, "a")], None),  # the picture of another file
        ([picture_of_set(0.5, "b", size=(50, 70))], None),
        ([picture_of_set(0.5, "b"), picture_of_set(0.25, "b")], None),  # which of them, nobody can say
    ],
)
def test_the_resolution_is_that_of_the_files_own_picture(pictures: list[str], mpp: float | None) -> None:
    xml = f'<OME UUID="urn:uuid:b">{"".join(pictures)}</OME>'
    stated = stated_in_ome(xml, (70, 50), 0)
    assert (stated and stated.x_mpp) == mpp


# What a file says in two places.


@pytest.mark.parametrize(("also", "warned"), [(0.2749, False), (0.2251, False), (0.2755, True), (0.2, True)])
def test_two_numbers_of_a_file_may_differ_by_a_tenth(also: float, *, warned: bool) -> None:
    other = StatedResolution(also, also, "tiff.XResolution")
    found = resolve(None, _stated(0.25), "a.svs", also=other)
    assert (found.mpp, found.source) == (0.25, "openslide.mpp-x")
    assert bool(found.warnings) is warned
    if warned:
        (warning,) = found.warnings
        assert warning.startswith(
            "the file contradicts itself: 0.25 µm per pixel (openslide.mpp-x, which is used)"
        )
        assert f"{also:.4g} (tiff.XResolution)" in warning


def test_the_tags_of_an_aperio_file_may_contradict_its_description() -> None:
    properties = {"tiff.XResolution": "20000", "tiff.ResolutionUnit": "centimeter", "aperio.AppMag": "40"}
    found = also_stated_by_aperio(properties, _stated(0.25))
    assert found is not None
    assert (found.mean_mpp, found.source) == (0.5, "tiff.XResolution")
    usual = also_stated_by_aperio(properties, _stated(0.5))
    assert usual is not None
    assert usual.source == "usual at magnification 40"
    assert also_stated_by_aperio(properties | {"tiff.XResolution": "72"}, _stated(0.25)) is None


def test_an_absurd_second_number_contradicts_nothing() -> None:
    """72 dpi, which programs write unasked, is 353 µm per pixel."""
    assert resolve(None, _stated(0.25), "a.svs", also=StatedResolution(352.8, 352.8, "tags")).warnings == ()


@pytest.mark.parametrize(
    ("magnification", "mpp", "usual"),
    [
        ("40", 0.25, None),
        ("20", 0.5, None),
        ("40", 0.27, None),
        ("40", 0.399, None),
        ("40", 0.401, 0.25),
        ("20", 0.25, 0.5),
        ("40", 0.5, 0.25),
        ("", 0.25, None),
        ("20x", 0.25, 0.5),
        (" 20 X", 0.25, 0.5),
        ("forty", 0.25, None),
        ("0", 0.25, None),
        ("-20", 0.25, None),
        ("40", 352.8, None),
    ],
)
def test_a_magnification_speaks_up_only_where_it_is_far_from_the_number(
    magnification: str, mpp: float, usual: float | None
) -> None:
    found = of_magnification(magnification, _stated(mpp))
    assert (found and found.mean_mpp) == usual
    assert found is None or found.source == f"usual at magnification {magnification}"


def test_a_magnification_alone_is_no_resolution() -> None:
    assert of_magnification("40", None) is None
