"""The number that a response states: `reading` reads it, the other files are its steps."""
