"""Profiles: how to reach a Kafka cluster, with its secrets, kept out of flows, notebooks and bundles.

Law: a value that may be secret is shown nowhere: not by `repr`, not in an error.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from styx_lab.errors import DataError, NotFoundError

__all__ = ["KafkaProfile", "load_profile", "profile_file"]

_USUAL: Final = "127.0.0.1:9092"
_PREFIX: Final = "STYX_KAFKA_"
_SHOWN: Final = frozenset({"security.protocol", "sasl.mechanism", "sasl.mechanisms", "client.id"})
_PLACES: Final = "{ env = NAME } or { file = PATH }"


@dataclass(frozen=True, slots=True)
class KafkaProfile:
    """How to reach a cluster: `KafkaProfile("127.0.0.1:9092")`.

    >>> KafkaProfile("b1:9093", {"security.protocol": "SASL_SSL", "sasl.password": "secret"})
    KafkaProfile('b1:9093', security.protocol='SASL_SSL', sasl.password=...)

    Args:
        brokers: hosts with ports, separated by commas.
        options: further settings by librdkafka's names: `security.protocol`, `sasl.*`, `ssl.*`.
    """

    brokers: str = _USUAL
    options: Mapping[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """The settings for a client, secrets included."""
        return {"bootstrap.servers": self.brokers, **self.options}

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" if name in _SHOWN else f"{name}=..." for name, value in self.options.items()]
        return f"KafkaProfile({', '.join([repr(self.brokers), *shown])})"


def profile_file() -> Path:
    """Where profiles are kept: `kafka.toml` in the folder `STYX_HOME` names, else in `~/.config/styx-lab`."""
    home = os.environ.get("STYX_HOME")
    return (Path(home) if home else Path("~/.config/styx-lab")).expanduser().absolute() / "kafka.toml"


def load_profile(name: str | None = None, *, file: str | Path | None = None) -> KafkaProfile:
    """The profile of a name, from the file of profiles; then what the environment says.

    A profile is a table of the file: `brokers`, and settings by librdkafka's names. A secret is best named by where it
    is: `"sasl.password" = { env = "PASSWORD" }` or `{ file = "/run/secrets/password" }`. The environment wins:
    `STYX_KAFKA_BROKERS`, and `STYX_KAFKA_SASL_PASSWORD` for `sasl.password`.

    Args:
        name: of the profile. Where none is named: `default` if the file has it, else a broker on this machine.
        file: the file of profiles; the usual one where none is named.

    Raises:
        NotFoundError: when there is no such profile, or a secret is not where it should be.
        DataError: when the file is no TOML, or a profile is of no use.
    """
    path = Path(file) if file is not None else profile_file()
    profiles = _read(path)
    if name is not None and name not in profiles:
        raise NotFoundError(
            "there is no such profile",
            where=str(path),
            got=name,
            hint=", ".join(profiles) or f'write it there: [{name}] with brokers = "HOST:9092"',
        )
    kept = profiles.get(name or "default", {})
    where = f"{path}, profile {name or 'default'!r}"
    if not isinstance(kept, dict):
        raise DataError("a profile is a table", where=where, hint='[name] with brokers = "HOST:9092"')
    said = {option: _value(value, f"{where}, {option!r}") for option, value in kept.items()}
    for variable, value in os.environ.items():
        if variable.startswith(_PREFIX):
            said[variable.removeprefix(_PREFIX).lower().replace("_", ".")] = value
    return KafkaProfile(said.pop("brokers", _USUAL), said)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"the file of profiles cannot be read ({error})", where=str(path)) from error


def _value(value: Any, where: str) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case {"env": str() as variable, **rest} if not rest:
            if variable not in os.environ:
                raise NotFoundError("the environment variable is not set", where=where, got=variable)
            return os.environ[variable]
        case {"file": str() as path, **rest} if not rest:
            try:
                return Path(path).expanduser().read_text().rstrip("\n")
            except OSError as error:
                raise NotFoundError(f"the file cannot be read ({error.strerror})", where=where, got=path) from error
    raise DataError("this is no value of a setting", where=where, hint=f"text, a number, or {_PLACES}")
