"""Any pattern, compiled: tables and program (the automaton as data), kernel, matcher (its state), operator.

Beside them arrivals (what waits for the watermark), functions (users' conditions), heap and texts.
"""
