"""Whether a training is ill, by what it logs."""
