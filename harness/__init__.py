"""The conductor: recipe -> plan -> run."""
