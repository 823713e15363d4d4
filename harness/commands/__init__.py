"""The commands of `stagelift`, one file each."""
