"""Where jobs run: worker processes here, launchers, a Ray cluster."""
