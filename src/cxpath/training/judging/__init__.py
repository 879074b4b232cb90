"""Judging a packed model on tissue it never saw: real labelled images and drawn slides, against targets."""
