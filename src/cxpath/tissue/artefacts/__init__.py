"""Pen, blur, folds, bubbles, edges and dark spots: one module a kind."""
