"""Windows and joins tried on neutral cases: `python -m styx_lab.testing.windows CASES.jsonl[.gz]`.

A case says in plain JSON which operator, which events and which watermarks; the answer says, in the same plain way,
what came out, so that it can be laid beside the answer of another system.

Law (oracle): the operators here are those that flows use, built by the same verbs.
"""
