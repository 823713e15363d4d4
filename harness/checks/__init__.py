"""What a regression check compares, and blessed baselines."""
