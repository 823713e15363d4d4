"""A batch as one sequence: outside attention nothing is padded, and what rows have in common is
computed once.
"""
