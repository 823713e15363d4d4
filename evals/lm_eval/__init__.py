"""lm-eval's tasks and scoring, run by lm-eval."""
