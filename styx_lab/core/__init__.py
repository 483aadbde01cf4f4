"""The vocabulary: batches, events, time, keys, state, the operator protocol and the ports."""
