"""The stories that the command line and the Python API tell: each joins the packages below into one task."""
