"""Results produced elsewhere, measured and stored as a run."""
