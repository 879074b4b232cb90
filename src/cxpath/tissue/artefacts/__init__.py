"""Pen, blur, folds, bubbles, edges and dark spots: of the section, and of what lies on it."""
