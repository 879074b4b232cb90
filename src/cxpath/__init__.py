"""cxpath: PD-L1 combined positive scores that a pathologist can check. Research use only."""

from cxpath.version import __version__

__all__ = ["__version__"]
