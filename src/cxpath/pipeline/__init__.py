"""From a slide to its cells: tiles, stages, measurements."""
