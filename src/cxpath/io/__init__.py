"""Other people's files: cells, regions, reads, variants and tables, read and written."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
