"""Runs in the layouts of other tools, as texts by file name; pure functions of the records."""
