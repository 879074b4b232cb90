"""What spoils tissue for scoring: ink, blur, folds, bubbles, the cover slip's edge, dark spots."""
