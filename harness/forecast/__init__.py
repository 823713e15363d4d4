"""`stagelift plan`: what a run would do, cost and be able to show."""
