"""Which model, and what is asked of it."""
