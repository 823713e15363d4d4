"""What rewards pay for, tried before a run is paid for."""
