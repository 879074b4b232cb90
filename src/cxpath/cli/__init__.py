"""The command line: one module a group of commands; prints, and knows no science."""
