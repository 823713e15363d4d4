"""Problems, preferences and where rows come from."""
