"""The grid of tiles with its halo, and threads that read ahead. Does not know what a cell is."""
