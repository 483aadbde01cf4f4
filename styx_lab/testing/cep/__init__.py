"""Patterns tried on neutral cases: `python -m styx_lab.testing.cep CASES.jsonl[.gz]`.

A case says in plain JSON which pattern, which events and which watermarks; the answer says, in the same plain way, what
came out, so that it can be laid beside the answer of another system.
"""
