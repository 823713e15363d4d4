"""What a response to a user's own task is worth, by built-in scorers or functions."""
