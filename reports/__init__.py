"""Turn records into comparisons and comparisons into text. Renders without torch."""
