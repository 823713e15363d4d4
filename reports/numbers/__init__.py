"""Records -> numbers: differences, gains, rankings, studies."""
