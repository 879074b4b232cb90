"""Tests of cxpath; a package, so that no other package that is installed as `tests` comes before it."""
