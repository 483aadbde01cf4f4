"""The evaluator of PMML in NumPy and Numba: a file compiled once to operations on columns.

Law: it gives for a row what the reference evaluator gives, or refuses the file when it is loaded; it never
approximates, and opens neither a file nor a socket.
"""

from styx_lab.models.native.document import Document, load

__all__ = ["Document", "load"]
