"""What people say of pairs of responses, and what it makes of a judge's win rate."""
