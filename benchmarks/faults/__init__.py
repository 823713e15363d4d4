"""Every fault that a run should survive, done to a tiny one: `python -m benchmarks.faults`."""
