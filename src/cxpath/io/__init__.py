"""Other people's files: cells, regions, reads, variants and tables, read and written."""
