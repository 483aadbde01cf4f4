"""The jars of a server, fetched from Maven Central once and kept in a cache; neither Maven nor Docker is needed.

Law: what is asked for is a name with a version, so that the same request gives the same jars on every machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from styx_lab.errors import MissingDependencyError, RunError

__all__ = ["artifact_cache", "fetch_jars"]


def artifact_cache() -> Path:
    """Where fetched artifacts are kept: `styx-lab/artifacts` in the folder XDG_CACHE_HOME names, else in `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser().absolute() / "styx-lab" / "artifacts"


def fetch_jars(artifacts: Sequence[str], *, where: str) -> list[Path]:
    """The jars of some artifacts with all they depend on; from the cache where it has them.

    Each artifact is resolved by itself: resolved together, a library of one is brought down to the older version that
    the other asks for.

    Args:
        artifacts: Maven coordinates `group:artifact:version`.
        where: what they are for, as errors name it.

    Raises:
        MissingDependencyError: when the extra `cluster` is not installed.
        RunError: when an artifact can be found neither in the cache nor in Maven Central.
    """
    try:
        import jgo
    except ImportError as error:
        raise MissingDependencyError(
            "local servers are fetched with the package jgo", where=where, hint="pip install 'styx-lab[cluster]'"
        ) from error
    found: dict[str, Path] = {}
    for artifact in artifacts:
        try:
            jars = jgo.build(artifact, cache_dir=artifact_cache()).all_jars
        except Exception as error:  # what jgo and the libraries under it raise is not told
            raise RunError(
                f"the artifact {artifact} cannot be fetched ({_reason(error)})",
                where=where,
                hint="fetch it once with Maven Central in reach; it is kept from then on",
            ) from error
        for jar in jars:
            found.setdefault(jar.name, jar)
    return list(found.values())


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
