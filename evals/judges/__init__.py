"""Ways to prefer one response over another, one file each."""
