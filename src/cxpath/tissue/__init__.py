"""Where there is tissue on a slide, how it is stained, and what makes it unreadable."""
