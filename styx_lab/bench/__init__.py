"""The benchmarks behind `styx bench`: the work, plain references, hand-written limits, a peer, and the measuring.

Law: no figure is given for an answer that was not checked, and no test depends on a figure.
"""

__all__: list[str] = []
