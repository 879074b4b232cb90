"""A database of cohorts, SQLite or PostgreSQL. A copy for asking questions: the files remain the truth."""
