"""A user's own Python as a step: the machine that runs it."""
