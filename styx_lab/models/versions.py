"""Training is refused before it starts when the installed versions would refuse the export after it.

Law: a check of versions reads metadata only; it imports neither scikit-learn nor sklearn2pmml and starts no Java.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

from packaging.version import Version

from styx_lab.errors import MissingDependencyError, ModelError

__all__ = ["check_expiry", "check_training_versions", "check_versions"]

_HINT: Final = "pip install 'styx-lab[train]'"
_OLDEST_SKLEARN2PMML: Final = Version("0.133.1")
_PINNED_LINE: Final = Version("0.134")
_SCIKIT_LEARN: Final = Version("1.9.0")
_LIFETIME: Final = timedelta(days=360)  # written into sklearn2pmml's Main


def check_training_versions() -> dict[str, str]:
    """Check what is installed for training; gives the versions.

    >>> sorted(check_training_versions())
    ['scikit-learn', 'sklearn2pmml']

    Raises:
        MissingDependencyError: when a package is missing, of a version that cannot export, or has expired.
    """
    found = {}
    for package in ("scikit-learn", "sklearn2pmml"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            raise MissingDependencyError(f"training needs {package}", where=package, hint=_HINT) from None
    check_versions(scikit_learn=found["scikit-learn"], sklearn2pmml=found["sklearn2pmml"])
    built = _built()
    if built is not None:
        check_expiry(built, datetime.now(UTC))
    return found


def check_versions(*, scikit_learn: str, sklearn2pmml: str) -> None:
    """Check a pair of versions: `check_versions(scikit_learn="1.9.0", sklearn2pmml="0.133.1")`.

    sklearn2pmml 0.133 converts models of scikit-learn 1.9.0 and refuses newer ones, but only after the training.

    Raises:
        MissingDependencyError: when they do not go together.
    """
    if Version(sklearn2pmml) < _OLDEST_SKLEARN2PMML:
        raise MissingDependencyError(
            f"training needs sklearn2pmml {_OLDEST_SKLEARN2PMML} or newer",
            where="sklearn2pmml",
            got=sklearn2pmml,
            hint=_HINT,
        )
    installed = Version(scikit_learn)
    if (installed > _SCIKIT_LEARN and Version(sklearn2pmml) < _PINNED_LINE) or installed < _SCIKIT_LEARN:
        raise MissingDependencyError(
            f"sklearn2pmml {sklearn2pmml} exports models of scikit-learn {_SCIKIT_LEARN}",
            where="scikit-learn",
            got=scikit_learn,
            hint=f"pip install 'scikit-learn=={_SCIKIT_LEARN}'",
        )


def check_expiry(built: datetime, now: datetime) -> None:
    """Check that sklearn2pmml still exports: it refuses 360 days after it was built.

    Raises:
        MissingDependencyError: when it has expired.
    """
    if now > built + _LIFETIME:
        raise MissingDependencyError(
            f"this sklearn2pmml was built on {built:%Y-%m-%d} and exports nothing after {built + _LIFETIME:%Y-%m-%d}",
            where="sklearn2pmml",
            hint="pip install --upgrade sklearn2pmml",
        )


def _built() -> datetime | None:
    """When the installed sklearn2pmml was built, by the manifest of its jar; `None` where it does not say."""
    folder = Path(str(distribution("sklearn2pmml").locate_file("sklearn2pmml/resources")))
    for jar in sorted(folder.glob("sklearn2pmml-*.jar")):
        try:
            with ZipFile(jar) as archive:
                manifest = archive.read("META-INF/MANIFEST.MF").decode("utf-8", "replace")
        except (BadZipFile, KeyError, OSError) as error:
            raise ModelError("the package is damaged", where=f"sklearn2pmml ({jar.name})", hint=_HINT) from error
        for line in manifest.splitlines():
            if line.startswith("Build-Timestamp:"):
                return datetime.fromisoformat(line.partition(":")[2].strip())
    return None
