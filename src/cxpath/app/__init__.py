"""The stories that the command line and the Python API tell: each joins the packages below into one task."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
