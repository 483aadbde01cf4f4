"""Any pattern, compiled: tables and program (the automaton as data), kernel, matcher (its state), operator.

Beside them arrivals (what waits for the watermark), functions (users' conditions), heap and texts. The passes: kernel
(events and watermarks in order), exploring (what an event makes of a partial match), ending (matches and timeouts),
memory (where all lies), layout (the names of columns).
"""
