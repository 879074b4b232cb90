from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.exchange.safe_xml import parse_xml
from cxpath.values.errors import RegionsFileError

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
