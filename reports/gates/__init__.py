"""The rule of the regression check, and its answer."""
