"""The headless runner: journal, checkpoints and outputs in one job folder, exactly once."""
