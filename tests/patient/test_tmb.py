from __future__ import annotations

from itertools import pairwise

import pytest

from cxpath.app.tmb import list_presets
from cxpath.data.settings import bundled, read_settings
from cxpath.data.variants import Consequence, GenomeIntervals, Known, SampleVariants, Variant
from cxpath.documents.patient import SampleBurden
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
    found = mutational_burden(sample(variant(1)), preset(name), 2.0)
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


def test_the_same_change_spelt_in_two_ways_counts_once() -> None:
    spelt = [
        variant(100, reference="A", alternate="T"),
        variant(99, reference="GA", alternate="GT"),
        variant(200, reference="CA", alternate="C"),
        variant(200, reference="CAA", alternate="CA"),
        variant(201, reference="A", alternate=""),
    ]
    assert count("msk_like", *spelt) == 2


def test_a_padded_exchange_of_one_base_is_no_multi_nucleotide_one() -> None:
    assert count("tso500_like", variant(1, reference="GA", alternate="GT")) == 1


@pytest.mark.parametrize(
    "facts", [{"alternate": "<DEL>"}, {"alternate": "A[chr2:100["}, {"structural": True}]
)
def test_structural_variants_never_count(facts: dict[str, object]) -> None:
    for name in list_presets():
        assert count(name, variant(1, **facts), variant(2)) == 1


@pytest.mark.parametrize(
    ("position", "reference", "alternate", "inside"),
    [
        (100, "CA", "C", True),  # the first base after the anchor is the target's first
        (200, "CA", "C", False),  # only the anchor lies in the target
        (98, "CAGTT", "C", True),
        (200, "C", "CT", True),
        (100, "C", "CT", True),
        (99, "C", "CT", False),
        (201, "C", "CT", False),
        (99, "CA", "CT", False),
    ],
)
def test_targets_are_asked_about_the_changed_bases(
    position: int, reference: str, alternate: str, inside: bool
) -> None:
    panel = GenomeIntervals.merged([("chr1", 100, 200)])
    found = mutational_burden(
        sample(variant(position, reference=reference, alternate=alternate)), preset("msk_like"), 1, panel
    )
    assert found.variants == int(inside)


def test_what_is_not_somatic_is_a_step_of_its_own() -> None:
    statuses = [True] * 5 + [False] * 20 + [None]
    variants = tuple(variant(n, somatic=status) for n, status in enumerate(statuses))
    stated = SampleVariants("tumour", variants, ALL, matched_normal=True, status_field="Mutation_Status")
    found = mutational_burden(stated, preset("msk_like"), 1.0)
    (step,) = [step for step in found.funnel if step.step == "somatic (Mutation_Status)"]
    assert (found.variants, step.removed, step.unknown) == (6, 20, 1)
    assert "somatic (Mutation_Status) (1 of 26)" in found.warnings[0]


def test_what_was_left_out_is_warned_of_before_anything_else() -> None:
    bare = variant(1, depth=None, alternate_reads=None, allele_fraction=None)
    known = frozenset({Known.CONSEQUENCE, Known.FILTER})
    cautioned = SampleVariants("tumour", (bare,), known, cautions=("a word is not known",))
    warnings = mutational_burden(cautioned, preset("wes_nonsyn"), 1.0).warnings
    assert warnings[0] == "a word is not known"
    assert "not applied" in warnings[1]
    assert "depth ≥ 25; alternate reads ≥ 3; allele fraction ≥ 0.05" in warnings[1]
    assert warnings[2].startswith("WES-non-synonymous-like")


def test_a_variant_kept_for_want_of_a_field_is_warned_of() -> None:
    warnings = mutational_burden(
        sample(variant(1, depth=None), variant(2)), preset("wes_nonsyn"), 1.0
    ).warnings
    assert "depth ≥ 25 (1 of 2)" in warnings[0]


def test_variants_without_a_consequence_are_named_and_refused_when_none_has_one() -> None:
    some = sample(variant(1, consequence=None), variant(2))
    assert "1 variant carries no consequence" in mutational_burden(some, preset("msk_like"), 1.0).warnings[0]
    require_annotation(some, preset("msk_like"), "a.vcf")
    with pytest.raises(VariantsFileError, match="carry no consequence"):
        require_annotation(sample(variant(1, consequence=None)), preset("msk_like"), "a.vcf")


@pytest.mark.parametrize("step", [1, -1])
def test_of_a_variant_s_rows_any_that_passes_is_enough_in_any_order(step: int) -> None:
    rows = [variant(1, consequence=Consequence.NON_CODING), variant(1), variant(1, depth=3), variant(1)]
    assert count("wes_nonsyn", *rows[::step]) == 1


def test_more_reads_of_an_allele_than_in_all_are_warned_of() -> None:
    warnings = mutational_burden(sample(variant(1, depth=20)), preset("msk_like"), 1.0).warnings
    assert warnings[0] == "1 variant states more reads of the allele than reads in all"


def test_a_filter_that_leaves_no_variant_is_named() -> None:
    """A burden of 0 because every variant has a FILTER other than PASS was printed without a word."""
    rejected = [variant(n, passed=False) for n in range(10)]
    said = mutational_burden(sample(*rejected), preset("wes_nonsyn"), 1.0).warnings
    assert any("no variant is left after" in one and "removed 10 of 10" in one for one in said)
    some = mutational_burden(sample(*rejected, variant(20)), preset("wes_nonsyn"), 1.0).warnings
    assert not any("no variant is left" in one for one in some)


def test_a_sample_without_any_variant_is_said() -> None:
    said = mutational_burden(sample(), preset("wes_nonsyn"), 1.0).warnings
    assert any("contains no variant of the sample" in one for one in said)


@pytest.mark.parametrize(("megabases", "said"), [(1.0, False), (0.001, True)])
def test_a_burden_that_no_tumour_has_doubts_the_megabases(megabases: float, said: bool) -> None:
    found = mutational_burden(sample(*map(variant, range(10))), preset("msk_like"), megabases)
    assert said == any("check the megabases" in one for one in found.warnings)


@pytest.mark.parametrize(("fraction", "named"), [(0.75, True), (0.25, False)])
def test_a_fraction_that_its_reads_do_not_give_is_warned_of(fraction: float, named: bool) -> None:
    one = variant(1, depth=200, alternate_reads=40, allele_fraction=fraction)
    warnings = mutational_burden(sample(one), preset("msk_like"), 1.0).warnings
    assert ("1 variant states an allele fraction that its reads and depth do not give" in warnings) == named
