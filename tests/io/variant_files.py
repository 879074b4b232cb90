"""VCF files as callers and annotators write them, as text."""

from __future__ import annotations

from pathlib import Path

CSQ = (
    '##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequence annotations from Ensembl VEP. '
    'Format: Allele|Consequence|SYMBOL|gnomADe_AF">'
)
ANN = (
    '##INFO=<ID=ANN,Number=.,Type=String,Description="Functional annotations: '
    "'Allele | Annotation | Annotation_Impact | Gene_Name'\">"
)
FORMATS = (
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads">\n'
    '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">'
)


def csq(*columns: str, name: str = "CSQ") -> str:
    """Return the header line of VEP's field with these columns after the allele and the consequence."""
    described = "Consequence annotations from Ensembl VEP. Format: " + "|".join(
        ("Allele", "Consequence", *columns)
    )
    return f'##INFO=<ID={name},Number=.,Type=String,Description="{described}">'


def vcf(
    folder: Path,
    lines: list[str],
    *,
    header: tuple[str, ...] = (CSQ,),
    samples: tuple[str, ...] = ("T",),
    formats: str = FORMATS,
) -> Path:
    """Write a VCF; each line goes from CHROM to the last sample, blanks for tabs."""
    fixed = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
    columns = [*fixed, "FORMAT", *samples] if samples else fixed
    head = [
        "##fileformat=VCFv4.2",
        '##FILTER=<ID=weak,Description="weak">',
        "##contig=<ID=chr1,length=248956422>",
        "##contig=<ID=chr2,length=242193529>",
        '##INFO=<ID=COSMIC_CNT,Number=1,Type=Integer,Description="COSMIC">',
        '##INFO=<ID=gnomAD_AC,Number=A,Type=Integer,Description="gnomAD">',
        '##INFO=<ID=HOTSPOT,Number=0,Type=Flag,Description="hotspot">',
        *header,
        formats,
    ]
    path = folder / "calls.vcf"
    rows = ["\t".join(line.split(" ")) for line in lines]
    path.write_text("\n".join([*head, "\t".join(columns), *rows]) + "\n", encoding="utf-8")
    return path
