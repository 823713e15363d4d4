"""Training rows: from what lies in a file to what a stage's trainer takes."""
