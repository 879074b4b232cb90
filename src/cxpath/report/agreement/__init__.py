"""The report of an agreement study: page, tables and figures, all from `agreement.json`."""
