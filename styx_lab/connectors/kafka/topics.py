"""What to read of Kafka: topics, from where, to where, as a value that is also a text.

Law: the text says the same as the value, so that a command line, a notebook and a job say it alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode

from styx_lab.errors import DataError

__all__ = ["SCHEME", "Topics"]

SCHEME: Final = "kafka:"
_WORDS: Final = {"start": ("earliest", "latest", "committed"), "stop": ("latest", "never")}
_OFFSET: Final = r"([a-zA-Z0-9._-]+/)?\d+:\d+"
_OFFSETS: Final = re.compile(rf"{_OFFSET}(,{_OFFSET})*")
_HINT: Final = "kafka:TOPIC?start=earliest&stop=latest"


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics to read, as one source: `Topics.parse("kafka:payments?start=earliest&stop=latest")`.

    >>> Topics.parse("kafka:payments?stop=never")
    Topics(names=('payments',), pattern=None, start='earliest', stop='never', profile=None, brokers=None)
    >>> str(Topics(("payments", "logins"), start="2026-06-01T00:00:00Z"))
    'kafka:payments,logins?start=2026-06-01T00%3A00%3A00Z'

    Args:
        names: of the topics; empty where a pattern says them.
        pattern: a regular expression that the whole name of a topic fits, in place of names.
        start: `earliest`, `latest`, `committed` (by the group `styx-lab`; earliest where nothing is committed), a time
            (ISO 8601: the first event whose timestamp is that or later), or offsets (`0:17,1:4`, of several topics
            `payments/0:17,logins/0:4`; a partition that is not named has all it has).
        stop: `latest` (what is there when it is opened), `never`, a time (the first event that is not before it), or
            offsets (the first ones that are not read).
        profile: how to reach the cluster, by name; see `load_profile`.
        brokers: where it is, in place of what the profile says.

    Raises:
        DataError: when it says nothing that can be meant.
    """

    names: tuple[str, ...] = ()
    pattern: str | None = None
    start: str = "earliest"
    stop: str = "latest"
    profile: str | None = None
    brokers: str | None = None

    def __post_init__(self) -> None:
        where = self._where()
        if bool(self.names) == (self.pattern is not None):
            raise DataError("topics are said by names or by a pattern", where=where, hint=_HINT)
        if not all(re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name) for name in self.names):
            raise DataError("this is no name of a topic", where=where, got=",".join(self.names), hint=_HINT)
        if len(set(self.names)) < len(self.names):
            raise DataError("a topic is named twice", where=where, got=",".join(self.names))
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise DataError(f"this is no regular expression ({error})", where=where, got=self.pattern) from error
        for bound, text in (("start", self.start), ("stop", self.stop)):
            if text in _WORDS[bound]:
                continue
            if _OFFSETS.fullmatch(text):
                self.offsets(text)
                continue
            if time_of(text) is None:
                raise DataError(
                    f"this is no {bound}",
                    where=where,
                    got=text,
                    hint=f"{', '.join(_WORDS[bound])}, a time (2026-06-01T00:00:00Z), or offsets (0:17,1:4)",
                )

    @classmethod
    def parse(cls, text: str) -> Topics:
        """What a text says: `kafka:TOPIC,TOPIC?start=...&stop=...&profile=...&brokers=...`, or `kafka:?pattern=...`.

        Raises:
            DataError: when it says nothing that can be meant.
        """
        names, _, query = text.removeprefix(SCHEME).partition("?")
        options: Mapping[str, str] = dict(parse_qsl(query, keep_blank_values=True))
        known = ("pattern", "start", "stop", "profile", "brokers")
        for option in options:
            if option not in known:
                raise DataError("topics have no such option", where=text, got=option, hint=", ".join(known))
        return cls(tuple(name for name in names.split(",") if name), **options)

    @property
    def live(self) -> bool:
        """Whether it is read for ever."""
        return self.stop == "never"

    def offsets(self, text: str) -> dict[tuple[str, int], int] | None:
        """The offsets that a start or stop says by topic and partition; None where it says something else.

        Raises:
            DataError: when it does not say of which topic.
        """
        if not _OFFSETS.fullmatch(text):
            return None
        found = {}
        for one in text.split(","):
            place, _, offset = one.partition(":")
            topic, _, partition = place.rpartition("/")
            if not topic and len(self.names) != 1:
                raise DataError("of which topic is this offset?", where=self._where(), got=one, hint="TOPIC/0:17")
            if topic and self.names and topic not in self.names:
                raise DataError("an offset is of another topic", where=self._where(), got=one)
            found[topic or self.names[0], int(partition)] = int(offset)
        return found

    def __str__(self) -> str:
        said = [("pattern", self.pattern), ("start", self.start), ("stop", self.stop)]
        said += [("profile", self.profile), ("brokers", self.brokers)]
        usual = {"start": "earliest", "stop": "latest"}
        query = urlencode([(name, value) for name, value in said if value is not None and value != usual.get(name)])
        return f"{SCHEME}{','.join(self.names)}" + (f"?{query}" if query else "")

    def _where(self) -> str:
        return f"{SCHEME}{','.join(self.names)}"


def time_of(text: str) -> int | None:
    """Epoch ms of a time in ISO 8601, without an offset UTC; None where it is none.

    >>> time_of("1970-01-01T00:00:01")
    1000
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return int(found.timestamp() * 1_000)
