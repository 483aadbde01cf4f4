"""Where compiled passes get `njit` from: what Numba keeps of one is used only while all it is made of is the same.

Law: no stale code. Numba keeps compiled code beside a file, and asks that file alone whether it still holds; but a
pass has in it the passes and constants of other files, too. So here a file's stamp is a hash of that file and of all
files of this package that it imports, directly or not; nothing else of this package can be in it.

The files are read when a module with a pass is loaded, each once; the passes are compiled when they are first called.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache, partial
from hashlib import sha256
from typing import Any, Final

from numba import njit
from numba.core import caching

__all__ = ["njit", "njit_uncounted", "sources_of"]

njit_uncounted: Final[Any] = partial(njit, _nrt=False)
"""`njit` without Numba's counting of who holds an array, an atomic operation each time one gets a name; a pass that
gives arrays names in its loop is a fifth faster so. It may make no array: what would does not compile."""

_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_IMPORT: Final = re.compile(
    rb"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(?:\(([^)]*)\)|(.*))|^[ \t]*import[ \t]+([\w.]+)", re.M
)
_NAME: Final = re.compile(r"\w+")


def sources_of(path: str, package: str = _PACKAGE) -> dict[str, bytes]:
    """A file and the files of its package that it imports, directly or not, with their contents.

    >>> from styx_lab.core import time
    >>> [os.path.basename(path) for path in sources_of(time.__file__)]
    ['time.py', 'errors.py']

    Args:
        path: the file.
        package: the folder of the package; what is imported from elsewhere does not count.
    """
    found: dict[str, bytes] = {}
    waiting = [os.path.realpath(path)]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found[one], imported = _read(one, package)
            waiting += imported
    return dict(sorted(found.items()))


@cache
def _files(package: str) -> frozenset[str]:
    """The files of a package; to ask the system about each name would take longer than to read what there is."""
    folders = os.walk(package)
    return frozenset(os.path.join(folder, name) for folder, _, names in folders for name in names if name[-3:] == ".py")


@cache
def _read(path: str, package: str) -> tuple[bytes, list[str]]:
    """A file's contents, and the files of the package that it names in imports, wherever in it."""
    with open(path, "rb") as opened:
        content = opened.read()
    files, name = _files(package), os.path.basename(package)
    imported: dict[str, None] = {}
    for module, several, one, plain in _IMPORT.findall(content):
        head, *rest = (module or plain).decode().split(".")
        if head != name:
            continue
        # What is imported may be a name in the module, or a module in the package.
        folder = os.path.join(package, *rest)
        for place in ("", *_NAME.findall((several or one).decode())):
            at = f"{folder}{os.sep}{place}" if place else folder
            for file in (f"{at}.py", f"{at}{os.sep}__init__.py"):
                if file in files:
                    imported[file] = None
    return content, list(imported)


@cache
def _stamp(path: str) -> str:
    digest = sha256()
    for file, content in sources_of(path).items():
        digest.update(f"{file[len(_PACKAGE) :]}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _stamped(locator: type[Any]) -> type[Any]:
    """A locator of Numba's for the files of this package alone, with that stamp."""

    def from_function(cls: type[Any], function: Callable[..., Any], file: str) -> Any:
        inside = os.path.realpath(file).startswith(_PACKAGE + os.sep)
        return locator.from_function.__func__(cls, function, file) if inside else None

    def get_source_stamp(self: Any) -> str:
        return _stamp(os.path.realpath(self._py_file))

    body = {"from_function": classmethod(from_function), "get_source_stamp": get_source_stamp}
    return type(f"Stamped{locator.__name__}", (locator,), body)


_KINDS: Final[tuple[type[Any], ...]] = (
    caching.UserProvidedCacheLocator,
    caching.InTreeCacheLocator,
    caching.UserWideCacheLocator,
)
_locators: list[type[Any]] = caching.CacheImpl._locator_classes
_locators[:0] = [_stamped(kind) for kind in _KINDS]
