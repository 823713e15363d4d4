"""Numbers, verdicts and notes in words."""
