"""The documents that a run leaves, as classes: the only place that knows their keys."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
