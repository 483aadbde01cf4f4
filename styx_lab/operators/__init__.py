"""What each step means: the operators, one for each step spec."""
