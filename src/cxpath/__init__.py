"""cxpath: PD-L1 combined positive scores that a pathologist can check. Research use only.

The public names are listed in `__init__.pyi`, for type checkers and at run time alike. Each is loaded when it
is first used, so that `import cxpath` is instant; the packages below have their faces in the same way.
"""

from __future__ import annotations

import lazy_loader as lazy

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
__all__ += ["__version__"]
