"""Intervals, tests and planning: thin calls into scipy and statsmodels."""
