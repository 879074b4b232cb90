"""What VEP and snpEff say of a variant: allele names, transcripts, consequences."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cxpath.data import Consequence, Known, Variant
from cxpath.errors import VariantsFileError
from cxpath.io.variant_terms import (
    KNOWN_TERMS,
    NON_CODING_TRANSCRIPT_TERMS,
    consequence_of_terms,
    unknown_terms,
)

# Under which names files keep what a preset asks for, and how such an entry is read.


GERMLINE_FREQUENCY = ("MAX_AF", "gnomAD_AF", "gnomADe_AF", "gnomADg_AF", "ExAC_AF", "EXAC_AF")
GERMLINE_COUNT = ("gnomAD_AC", "gnomADe_AC", "gnomADg_AC", "ExAC_AC", "EXAC_AC")
COSMIC_COUNT = ("COSMIC_CNT", "COSMIC_COUNT", "cosmic_count")
DRIVER = ("HOTSPOT", "Hotspot", "hotspot", "DRIVER", "ONCOGENIC")
ASKED = (*GERMLINE_FREQUENCY, *GERMLINE_COUNT, *COSMIC_COUNT, *DRIVER)
"""Every name that is looked for."""

NAMES = {
    Known.GERMLINE_FREQUENCY: GERMLINE_FREQUENCY,
    Known.GERMLINE_COUNT: GERMLINE_COUNT,
    Known.COSMIC_COUNT: COSMIC_COUNT,
    Known.DRIVER: DRIVER,
}
_YES = frozenset({"1", "true", "yes", "y", "oncogenic", "likely oncogenic", "likely_oncogenic"})
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,4})?|[+-]?inf(inity)?")
NOT_STATED = frozenset({"", ".", "-", "na", "n/a", "#n/a", "nan", "null", "none"})
"""How tables write that there is no entry, in lower case."""

_SOMATIC = {
    "somatic": True,
    "likelysomatic": True,
    "strongsomatic": True,
    "germline": False,
    "loh": False,
    "likelyloh": False,
    "strongloh": False,
    "none": False,
    "wildtype": False,
    "posttranscriptionalmodification": False,
    "germlinedb": False,
    "germlineproxi": False,
    "germlineproximity": False,
    "somaticdb": True,
    "somaticproxi": True,
    "somaticproximity": True,
}
"""`Mutation_Status` of MAF, of which cBioPortal loads neither LOH nor None nor Wildtype, VarDict's `STATUS`
and DRAGEN's `GermlineStatus`."""
_SOMATIC_NUMBERS = {"0": False, "1": False, "2": True, "3": False}
"""SS of VarScan, SomaticSniper and TCGA's VCF: wild type, germline, somatic, loss of heterozygosity."""
_STATUS_FIELDS = (("INFO", "SS"), ("FORMAT", "SS"), ("INFO", "STATUS"), ("INFO", "GermlineStatus"))
NO_STATUS = frozenset({"", ".", "-", "na", "n/a", "nan", "null", "unknown", "5"})
"""How files write that it is not known whether a variant is somatic; "None" is a status of MAF."""


def known_by(names: Iterable[str]) -> frozenset[Known]:
    """Return what columns or fields of these names say about variants."""
    present = frozenset(names)
    return frozenset(what for what, candidates in NAMES.items() if present & frozenset(candidates))


def with_databases(variant: Variant, named: Mapping[str, Sequence[str]], place: str) -> Variant:
    """Return a variant with what databases say of it, read from all entries of each name.

    Parameters
    ----------
    variant : Variant
    named : mapping of str to sequence of str
    place : str
        File and position or sample, for an error.

    Raises
    ------
    VariantsFileError
        When an entry is not a number, or a frequency is not between 0 and 1.
    """
    return replace(
        variant,
        germline_frequency=_largest(GERMLINE_FREQUENCY, named, place, "frequency", most=1.0),
        germline_count=_whole(_largest(GERMLINE_COUNT, named, place, "count")),
        cosmic_count=_whole(_largest(COSMIC_COUNT, named, place, "count")),
        driver=_is_driver(entry for name in DRIVER for entry in named.get(name, ())),
    )


def _largest(
    names: Sequence[str],
    named: Mapping[str, Sequence[str]],
    place: str,
    what: str,
    most: float = math.inf,
) -> float | None:
    """Return the largest number among entries such as "0.001&0.0002"; None where there is none."""
    numbers = []
    for name in names:
        for entry in named.get(name, ()):
            stated = [_stated_number(part, most) for part in re.split("[&,]", entry)]
            if None in stated:
                raise VariantsFileError(
                    f"{place}: {name} {printable(entry)!r} is no {what}",
                    "write numbers with a decimal point" + (", from 0 to 1" if most == 1 else ""),
                )
            numbers += [number for number in stated if number is not None]
    return max((number for number in numbers if math.isfinite(number)), default=None)


def _stated_number(part: str, most: float) -> float | None:
    """Return a number of a list, NaN where none is stated; None for what is not a number up to `most`.

    The allele in front, as in "T:0.001", is passed over. "001" is what a decimal comma leaves of "0,001".
    """
    plain = part.rpartition(":")[2].strip().lower()
    if plain in NOT_STATED:
        return math.nan
    if _NUMBER.fullmatch(plain) is None:
        return None
    number = float(plain)
    return number if 0 <= number <= most or math.isinf(number) else None


def _whole(number: float | None) -> int | None:
    """Return a count."""
    return None if number is None else int(number)


def _is_driver(entries: Iterable[str]) -> bool | None:
    """Say whether an entry calls the variant a driver; None where nothing is said."""
    said = [entry.strip().lower() for entry in entries if entry.strip().lower() not in NOT_STATED]
    return any(entry in _YES for entry in said) if said else None


def is_somatic(entry: str) -> bool | None:
    """Return what a status in words or numbers says; None where it says nothing that is known."""
    plain = entry.strip().lower()
    return _SOMATIC_NUMBERS.get(plain, _SOMATIC.get(re.sub(r"[^a-z]", "", plain)))


def status_field(header: Any) -> tuple[str, str] | None:
    """Return the field of a VCF's header, and its section, that says which lines are somatic."""
    sections = {"INFO": header.info, "FORMAT": header.formats}
    for section, name in _STATUS_FIELDS:
        if name in sections[section]:
            described = str(sections[section][name].description).lower()
            if name == "GermlineStatus" or ("somatic" in described and "germline" in described):
                return section, name
    return None


# Consequences in a VCF: the entries of VEP or snpEff, for the right allele and the right transcripts.
#
# **Allele.** VEP names an allele without the first base that *all* alleles of the line share, when one
# of them
# is an indel (ensembl-vep, Parser/VCF.pm); snpEff names it as the VCF does; with `--minimal` VEP trims each
# allele by itself, and a file may have been split or trimmed after it was annotated. `ALLELE_NUM`
# decides where
# it is given; then the names are tried in the order of the program that wrote them.
#
# **Transcripts.** Only protein-coding ones count (`BIOTYPE`, `Transcript_BioType`; without it, the terms that
# stand at non-coding transcripts only). The methods that the presets follow report one transcript a gene, so
# within each gene the transcript flagged by `PICK` decides, else by `MANE_SELECT` (`MANE`), else by
# `CANONICAL`; where none is flagged, all of the gene's coding transcripts do. The gravest consequence
# over the
# genes counts, as in vcf2maf.


_CONSEQUENCE = ("Consequence", "Annotation")
"""What VEP and snpEff call the column."""
_BIOTYPE = ("BIOTYPE", "Transcript_BioType")
_CODING_BIOTYPES = re.compile(r"protein_coding(_lof)?|coding|mrna|(ig|tr)_[a-z]+_gene")
"""snpEff writes "Coding" where its database knows no more than that, RefSeq's files "mRNA"; the genes of
immunoglobulins and T cell receptors have coding sequences, too."""
_OTHER_BIOTYPES = re.compile(
    r".*(pseudogene|rna|decay|_intron|_overlapping|_flank|_region|_site)|.*(antisense|ribozyme|tec|enhancer)"
    r"|processed_transcript|protein_coding_cds_not_defined|(artifact|ctcf|disrupted|vault|non_?coding|motif)"
    r".*|promoter.*|.*chromatin.*|.*transcript|tfbs|open|epigenetic.*"
)
"""Those of Ensembl, GENCODE and RefSeq that make no protein, and of regulatory features."""
_GENE = ("Gene", "Gene_ID", "SYMBOL", "Gene_Name")
_FLAGS: tuple[tuple[str, ...], ...] = (("PICK",), ("MANE_SELECT", "MANE"), ("CANONICAL",))
_MOST_WORDS = 8
_LONGEST_WORD = 60
_USUAL_FIELDS = ("CSQ", "ANN")
_HOW_TO_ANNOTATE = "annotate with VEP (CSQ) or snpEff (ANN) again"

Entry = Mapping[str, str]
Naming = Callable[[str, Sequence[str]], Sequence[str]]


@dataclass
class Misfits:
    """What did not fit while a file was read, for its cautions."""

    lines_without_own_entry: int = 0
    disagreeing: int = 0
    biotypes: Counter[str] = field(default_factory=Counter)
    terms: Counter[str] = field(default_factory=Counter)
    understood: int = 0

    def cautions(self, name: str) -> Iterator[str]:
        """Yield what a user has to know of it."""
        if self.lines_without_own_entry:
            alleles = counted(self.lines_without_own_entry, "allele has", "alleles have")
            yield f"{alleles} entries of {name} under other names only, so that the consequence is not known"
        if self.disagreeing:
            variants = counted(self.disagreeing, "variant", "variants")
            yield f"INFO CSQ and ANN state different consequences of {variants}; {name} counts"
        if self.biotypes:
            yield (
                f"{name} contains biotypes that are not known, and treats them as protein-coding: "
                f"{counted_words(self.biotypes)}"
            )
        if self.terms:
            yield (
                f"{name} contains terms that are no known consequence, and counts them as non-coding: "
                f"{counted_words(self.terms)}"
            )


@dataclass(frozen=True)
class Annotation:
    """Which field contains the annotation, and what stands where in it."""

    info_field: str
    names: tuple[str, ...]
    consequence: str
    misfits: Misfits = field(default_factory=Misfits)
    other: Annotation | None = None
    """A second one that the file carries, to be compared with."""

    def read(self, record: Any, index: int) -> tuple[Consequence | None, Mapping[str, Sequence[str]]]:
        """Return an allele's consequence, and the other entries of all its transcripts by name.

        A variant that the annotator passed over has no consequence: None.
        """
        entries = [self._entry(text) for text in _texts(record.info.get(self.info_field))]
        own = self._own(entries, record.ref, record.alleles[1:], index)
        if entries and not own:
            self.misfits.lines_without_own_entry += 1
        named: dict[str, list[str]] = defaultdict(list)
        for entry in own:
            for name, value in entry.items():
                named[name].append(value)
        consequence = self._consequence(own)
        if self.other is not None:
            self.misfits.disagreeing += _differ(consequence, self.other.read(record, index)[0])
        return consequence, named

    def _entry(self, text: str) -> Entry:
        values = (value.strip() for value in text.split("|"))
        return dict(zip(self.names, values, strict=False))

    def _own(
        self, entries: Sequence[Entry], reference: str, alternates: Sequence[str], index: int
    ) -> list[Entry]:
        """Return the entries of one allele."""
        numbers = [entry.get("ALLELE_NUM", "") for entry in entries]
        if numbers and all(n.isascii() and n.isdigit() and 1 <= int(n) <= len(alternates) for n in numbers):
            return [entry for entry, n in zip(entries, numbers, strict=True) if int(n) == index]
        if "Allele" not in self.names:
            return list(entries) if len(alternates) == 1 else []
        written = {entry.get("Allele", "").upper() for entry in entries}
        if len(alternates) == 1 and len(written) == 1:
            return list(entries)  # whatever it is called, there is no other
        name = self._name(written, reference.upper(), [one.upper() for one in alternates], index - 1)
        return [entry for entry in entries if entry.get("Allele", "").upper() == name]

    def _name(self, written: set[str], reference: str, alternates: Sequence[str], at: int) -> str | None:
        """Return how the entries call an allele, by the naming that explains most of the line's entries."""
        namings = _NAMINGS if self.consequence == "Consequence" else (_as_written, *_NAMINGS)
        named = [naming(reference, alternates) for naming in namings]
        best = max(named, key=lambda names: len(written & set(names)))
        return best[at] if best.count(best[at]) == 1 else None

    def _consequence(self, own: Sequence[Entry]) -> Consequence | None:
        terms = [term for entry in own for term in self._terms(entry)]
        strange = unknown_terms(terms)
        self.misfits.terms.update(strange)
        self.misfits.understood += len(set(terms) & KNOWN_TERMS)
        if not terms:
            return None
        chosen = _one_a_gene([entry for entry in own if self._is_coding(entry)])
        return consequence_of_terms(term for entry in chosen for term in self._terms(entry))

    def _terms(self, entry: Entry) -> list[str]:
        return [term for term in entry.get(self.consequence, "").split("&") if term]

    def _is_coding(self, entry: Entry) -> bool:
        biotype = _first(entry, _BIOTYPE)
        plain = re.sub(r"[ -]", "_", biotype.lower())
        if biotype.lower() not in NOT_STATED and not _CODING_BIOTYPES.fullmatch(plain):
            if _OTHER_BIOTYPES.fullmatch(plain):
                return False
            self.misfits.biotypes[biotype] += 1
        return not NON_CODING_TRANSCRIPT_TERMS & set(self._terms(entry))


def annotation_of(header: Any, file: object) -> Annotation | None:
    """Return the annotation that the header declares; None in a file without any.

    Any INFO field counts whose description lists columns with a consequence among them, whatever VEP's
    `--vcf_info_field` called it; `CSQ` comes first, then `ANN`.

    Raises
    ------
    VariantsFileError
        When CSQ or ANN is declared without such columns or not as text, or several other fields could be
        meant.
    """
    declared = {name: _columns(str(info.description)) for name, info in header.info.items()}
    usual = [name for name in _USUAL_FIELDS if name in declared]
    usable = {name: found for name, columns in declared.items() if (found := _consequence_of(columns))}
    first, *more = [name for name in usual if name in usable] or [""]
    if first:
        others = [Annotation(name, declared[name], usable[name]) for name in more if _is_text(header, name)]
        own = _annotation(header, first, declared[first], usable[first], file)
        return replace(own, other=others[0] if others else None)
    if usual:
        problem = f"INFO {usual[0]} does not declare in its description where the consequence is"
        raise VariantsFileError(f"{file}: {problem}", _HOW_TO_ANNOTATE)
    if len(usable) > 1:
        raise VariantsFileError(
            f"{file}: several INFO fields could contain the consequence: {', '.join(usable)}",
            "keep one of them, with the name CSQ",
        )
    return next((_annotation(header, name, declared[name], usable[name], file) for name in usable), None)


def _differ(one: Consequence | None, other: Consequence | None) -> bool:
    """Say whether two annotations contradict each other; one that says nothing contradicts none."""
    return None not in {one, other} and one is not other


def counted_words(words: Mapping[str, int]) -> str:
    """Return words with how often each occurs, the commonest first: "missense (6), stopgain (1)"."""
    ordered = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{printable(word) or 'no entry'} ({count})" for word, count in ordered[:_MOST_WORDS]]
    return ", ".join([*shown, *(["…"] if len(ordered) > len(shown) else [])])


def counted(number: int, one: str, several: str) -> str:
    """Return a number with the word that agrees with it."""
    return f"{number} {one if number == 1 else several}"


def printable(word: str) -> str:
    """Return the beginning of a word from a file, without what would break a line of the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in word[:_LONGEST_WORD])


def _annotation(
    header: Any, name: str, columns: tuple[str, ...], consequence: str, file: object
) -> Annotation:
    if not _is_text(header, name):
        raise VariantsFileError(
            f"{file}: INFO {name} is declared as {header.info[name].type}, not as text", _HOW_TO_ANNOTATE
        )
    return Annotation(name, columns, consequence)


def _is_text(header: Any, name: str) -> bool:
    return bool(header.info[name].type == "String")


def _columns(description: str) -> tuple[str, ...]:
    """Return the columns that a description lists, after "Format:" or the first colon; none without "|"."""
    _, found, after = description.rpartition("Format:")
    listed = after if found else description.partition(":")[2]
    names = (name.strip().strip("'\"").strip() for name in listed.strip().strip("'\"").split("|"))
    return tuple(names) if listed else ()


def _consequence_of(columns: Sequence[str]) -> str | None:
    """Return the column of the consequence; only next to an allele or an impact is it VEP's or snpEff's."""
    if len(columns) > 1 and not {"Allele", "IMPACT", "Annotation_Impact", "Gene", "SYMBOL"} & set(columns):
        return None
    return next((name for name in _CONSEQUENCE if name in columns), None)


def _one_a_gene(entries: Iterable[Entry]) -> Iterator[Entry]:
    genes: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        genes[_first(entry, _GENE)].append(entry)
    for of_gene in genes.values():
        yield from _flagged(of_gene)


def _flagged(entries: list[Entry]) -> list[Entry]:
    for names in _FLAGS:
        flagged = [entry for entry in entries if _is_flagged(_first(entry, names))]
        if flagged:
            return flagged
    return entries


def _is_flagged(value: str) -> bool:
    """Say whether a flag is set: "1", "YES", "MANE_Select" or the RefSeq transcript of MANE Select."""
    plain = value.lower()
    return plain not in NOT_STATED | {"0", "no"} and not plain.startswith("mane_plus")


def _first(entry: Entry, names: Sequence[str]) -> str:
    return next((entry[name] for name in names if entry.get(name)), "")


def _texts(value: Any) -> Sequence[str]:
    """Return the entries of the field, however many its header allows."""
    values = value if isinstance(value, tuple) else (value,)
    texts = [text for one in values if one is not None for text in str(one).split(",")]
    return [text for text in texts if text not in {"", "."}]


def _as_written(_reference: str, alternates: Sequence[str]) -> Sequence[str]:
    return alternates


def _as_vep(reference: str, alternates: Sequence[str]) -> Sequence[str]:
    """Return VEP's names: without the first base where one allele is an indel and all begin alike."""
    indel = any(len(one) != len(reference) for one in alternates)
    firsts = {allele[:1] for allele in (reference, *alternates) if "*" not in allele}
    if not indel or len(firsts) != 1:
        return alternates
    return [one if "*" in one else one[1:] or "-" for one in alternates]


def _each_as_vep(reference: str, alternates: Sequence[str]) -> Sequence[str]:
    """Return VEP's names of alleles that were on lines of their own when they were annotated."""
    return [_as_vep(reference, [one])[0] for one in alternates]


def _without_first(_reference: str, alternates: Sequence[str]) -> Sequence[str]:
    """Return the names of a line that VEP saw with other alleles, and that was split afterwards."""
    return [one[1:] or "-" for one in alternates]


def _minimal(reference: str, alternates: Sequence[str]) -> Sequence[str]:
    """Return VEP's names with `--minimal`: each allele without any base that it shares."""
    return [Variant("", 1, reference, one).trimmed().alternate or "-" for one in alternates]


_NAMINGS: tuple[Naming, ...] = (_as_vep, _as_written, _each_as_vep, _without_first, _minimal)
