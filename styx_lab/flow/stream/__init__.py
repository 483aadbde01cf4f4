"""The stream builder: what a user writes. Each verb gives a new stream with one more step; nothing runs.

Law: streams are values. A verb never changes the stream it is called on, so a stream can be used twice.

One file a family of verbs; `stream.py` puts them together.
"""

from __future__ import annotations

from styx_lab.flow.stream.source import source
from styx_lab.flow.stream.stream import Stream

__all__ = ["Stream", "source"]
