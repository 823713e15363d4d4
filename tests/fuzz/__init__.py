"""Fuzzing: what comes from outside, changed at random, and the laws that hold whatever it is.

`tests/test_fuzz.py` tries a few hundred cases, `python -m benchmarks.fuzz` as many as
are asked for.
"""
