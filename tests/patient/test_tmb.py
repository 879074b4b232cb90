from __future__ import annotations

from itertools import pairwise

import pytest

from cxpath.app.tmb import list_presets
from cxpath.data.settings import bundled, read_settings
from cxpath.data.variants import Consequence, GenomeIntervals, Known, SampleVariants, Variant
from cxpath.documents.tmb import SampleBurden
from cxpath.errors import VariantsFileError
from cxpath.patient.tmb import Circumstances, Preset, mutational_burden, require_annotation

ALL = frozenset(Known)


def preset(name: str) -> Preset:
    return read_settings(Preset, bundled("configs") / "tmb" / f"{name}.toml", "")


def variant(position: int, **facts: object) -> Variant:
    stated: dict[str, object] = {
        "reference": "A",
        "alternate": "G",
        "passed": True,
        "consequence": Consequence.NON_SYNONYMOUS,
        "depth": 100,
        "alternate_reads": 30,
        "allele_fraction": 0.3,
    }
    return Variant(chromosome="1", position=position, **(stated | facts))  # type: ignore[arg-type]


def sample(*variants: Variant, known: frozenset[Known] = ALL, matched: bool | None = True) -> SampleVariants:
    return SampleVariants("tumour", variants, known, matched)


def count(name: str, *variants: Variant) -> int:
    return mutational_burden(sample(*variants), preset(name), 1.0).variants


def test_eight_variants_on_0_8_mb_are_10_with_an_interval_from_4_3_to_19_7() -> None:
    found = mutational_burden(sample(*map(variant, range(8))), preset("msk_like"), 0.8)
    assert found.value == pytest.approx(10.0)
    assert found.interval == pytest.approx((4.3, 19.7), abs=0.05)
    assert any("less than 1 Mb" in warning for warning in found.warnings)


def test_the_brief_s_other_intervals() -> None:
    panel = mutational_burden(sample(*map(variant, range(12))), preset("msk_like"), 1.2)
    assert panel.interval == pytest.approx((5.2, 17.5), abs=0.05)
    exome = mutational_burden(sample(*map(variant, range(333))), preset("wes_nonsyn"), 33.28)
    assert exome.interval == pytest.approx((9.0, 11.1), abs=0.1)


@pytest.mark.parametrize("name", list_presets())
def test_no_variant_is_a_burden_of_0_with_an_interval(name: str) -> None:
    found = mutational_burden(sample(), preset(name), 1.0)
    assert found.value == 0.0
    assert found.interval == pytest.approx((0.0, 3.69), abs=0.01)


@pytest.mark.parametrize(
    ("name", "facts", "counts"),
    [
        ("msk_like", {"consequence": Consequence.SYNONYMOUS}, 0),
        ("f1cdx_like", {"consequence": Consequence.SYNONYMOUS}, 1),
        ("f1cdx_like", {"consequence": Consequence.NON_CODING}, 0),
        ("f1cdx_like", {"consequence": None}, 0),
        ("f1cdx_like", {"driver": True}, 0),
        ("f1cdx_like", {"germline_frequency": 0.001}, 0),
        ("f1cdx_like", {"germline_frequency": 0.0009}, 1),
        ("f1cdx_like", {"allele_fraction": 0.049}, 0),
        ("msk_like", {"allele_fraction": 0.049}, 0),
        ("msk_like", {"allele_fraction": 0.02, "driver": True}, 1),
        ("msk_like", {"allele_fraction": 0.019, "driver": True}, 0),
        ("msk_like", {"passed": False}, 0),
        ("wes_nonsyn", {"depth": 24}, 0),
        ("wes_nonsyn", {"alternate_reads": 2}, 0),
        ("wes_nonsyn", {"depth": 25, "alternate_reads": 3, "allele_fraction": 0.05}, 1),
        ("tso500_like", {"depth": 49}, 0),
        ("tso500_like", {"germline_count": 10}, 0),
        ("tso500_like", {"germline_count": 9}, 1),
        ("tso500_like", {"cosmic_count": 51}, 0),
        ("tso500_like", {"cosmic_count": 50}, 1),
        ("tso500_like", {"reference": "AC", "alternate": "GT"}, 0),
        ("tso500_like", {"reference": "AC", "alternate": "A"}, 1),
        ("msk_like", {"reference": "AC", "alternate": "GT"}, 1),
    ],
)
def test_each_filter_of_each_preset(name: str, facts: dict[str, object], counts: int) -> None:
    assert count(name, variant(1, **facts)) == counts


def test_a_variant_that_stands_twice_counts_once() -> None:
    assert count("msk_like", variant(1), variant(1), variant(2)) == 2


def test_what_lies_outside_the_panel_does_not_count() -> None:
    panel = GenomeIntervals.merged([("chr1", 9, 20)])
    found = mutational_burden(
        sample(variant(9), variant(10), variant(20), variant(21)), preset("msk_like"), 1, panel
    )
    assert found.variants == 2


def test_a_filter_whose_field_is_absent_is_listed_as_not_applied() -> None:
    known = frozenset({Known.CONSEQUENCE})
    bare = variant(1, depth=None, alternate_reads=None, allele_fraction=None, passed=None)
    burden = mutational_burden(sample(bare, known=known), preset("wes_nonsyn"), 1.0)
    found = SampleBurden.of_burden(burden)
    assert found.variants == 1
    assert found.not_applied == (
        "in the panel",
        "passed the caller's filters",
        "depth ≥ 25",
        "alternate reads ≥ 3",
        "allele fraction ≥ 0.05",
    )
    assert all(step.why_not for step in found.funnel if not step.applied)


def test_a_variant_without_the_field_is_kept_and_counted_as_unknown() -> None:
    steps = mutational_burden(sample(variant(1, depth=None)), preset("wes_nonsyn"), 1.0).funnel
    assert [step.unknown for step in steps if step.step == "depth ≥ 25"] == [1]


@pytest.mark.parametrize(
    ("name", "need"),
    [
        ("msk_like", Known.CONSEQUENCE),
        ("wes_nonsyn", Known.CONSEQUENCE),
        ("f1cdx_like", Known.GERMLINE_FREQUENCY),
        ("tso500_like", Known.GERMLINE_COUNT),
        ("tso500_like", Known.COSMIC_COUNT),
    ],
)
def test_a_preset_that_needs_what_the_file_lacks_is_refused(name: str, need: Known) -> None:
    require_annotation(sample(), preset(name), "a.vcf")
    with pytest.raises(VariantsFileError, match=f"^a.vcf: preset {name} is refused"):
        require_annotation(sample(known=ALL - {need}), preset(name), "a.vcf")


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_prints_like(name: str) -> None:
    found = mutational_burden(sample(), preset(name), 2.0)
    assert found.preset.title.endswith("-like")
    assert found.warnings[0].startswith(found.preset.title)
    assert found.preset.source
    assert found.preset.certainty


def test_the_funnel_adds_up() -> None:
    variants = [variant(n, depth=n, passed=n % 3 != 0) for n in range(100)]
    steps = mutational_burden(sample(*variants), preset("wes_nonsyn"), 1.0).funnel
    applied = [step for step in steps if step.applied]
    for before, after in pairwise(applied):
        assert before.left - after.removed == after.left


@pytest.mark.parametrize(
    ("matched", "circumstances", "words"),
    [
        (None, Circumstances(), "matched normal was used is not stated"),
        (None, Circumstances(matched_normal=False), "tumour-only"),
        (True, Circumstances(purity=0.1), "only 10% tumour cells"),
        (True, Circumstances(), "share of tumour cells is not stated"),
    ],
)
def test_doubts_are_said(matched: bool | None, circumstances: Circumstances, words: str) -> None:
    found = mutational_burden(sample(matched=matched), preset("msk_like"), 2.0, circumstances=circumstances)
    assert any(words in warning for warning in found.warnings)


def test_faint_c_to_t_is_told_as_formalins_and_other_changes_are_not() -> None:
    strong = [variant(n) for n in range(40)]
    formalin = [variant(100 + n, reference="C", alternate="T", allele_fraction=0.07) for n in range(30)]
    other = [variant(100 + n, allele_fraction=0.07) for n in range(30)]
    warned = mutational_burden(sample(*strong, *formalin), preset("msk_like"), 2.0).warnings
    assert any("formalin" in warning for warning in warned)
    calm = mutational_burden(sample(*strong, *other), preset("msk_like"), 2.0).warnings
    assert not any("formalin" in warning for warning in calm)
