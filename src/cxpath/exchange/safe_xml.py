"""XML from elsewhere, read without trust: a document type declaration is refused before it is acted upon.

Entity bombs and references to other files both need a declaration (`<!DOCTYPE`), which no drawing tool
writes. Refusing it in the standard library's parser makes a further dependency needless.
"""

from __future__ import annotations

from xml.etree import ElementTree

from cxpath.values.errors import RegionsFileError

_HINT = "export the annotations again"


class _DeclaresTypes(Exception):  # noqa: N818  # a signal, not an error that anybody sees
    """The document begins with a document type declaration."""


class _PlainElements(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Stop: expat calls this before it reads what the declaration holds."""
        raise _DeclaresTypes


def parse_xml(content: bytes, file: object) -> ElementTree.Element:
    """Return the root element.

    Parameters
    ----------
    content : bytes
        In any encoding that the XML declaration or a byte order mark names.
    file : object
        Names the file in messages.

    Raises
    ------
    RegionsFileError
        When it is not well formed, or declares document types.
    """
    parser = ElementTree.XMLParser(target=_PlainElements())
    try:
        parser.feed(content)
        return parser.close()
    except _DeclaresTypes as error:
        message = f"{file}: holds a document type declaration (<!DOCTYPE), which is not read for safety"
        raise RegionsFileError(message, _HINT) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise RegionsFileError(f"{file}: not readable XML: {error}", _HINT) from error
