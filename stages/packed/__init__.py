"""A batch as one sequence: no padding, and what rows have in common is computed once."""
