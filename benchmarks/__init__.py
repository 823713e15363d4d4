"""What takes how long, and beside what. `make benchmarks` runs all that need no GPU."""
