"""Explanations: what became of every partial match, told from the trace of the slow reading.

- `programs` and `leaves` tell whether a condition holds, as the operators tell it; `follow` runs the reading.
- `lives` are the partial matches with how each ended; `unmet`, `causes` and `misses` say what was missing, in words.
- `explanation` is what a user gets; `as_text` and `as_svg` show it.
"""
