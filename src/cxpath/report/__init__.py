"""HTML, pictures and export files. Does not know how anything was computed."""
