"""What stages of imported results may be called."""

STAGE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
