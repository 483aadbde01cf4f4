"""Pattern detection: which of two operators runs a pattern; both give the same matches.

- `chain` runs patterns whose partial matches never fork: begin, next, followed_by, times, consecutive, within.
- `compiled` runs every pattern, as an `automaton`.
- `reading` says slowly what an automaton means: explanations are made with it, and the others tried against it.
"""

from styx_lab.operators.cep.choice import detect_operator

__all__ = ["detect_operator"]
