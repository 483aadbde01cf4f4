"""The slow, obvious reading of an automaton: reading (one key), keyed (event time), heap, trace (what happened)."""
