"""The contract of a store: versions are numbered, never change, and are found by reference.

Law: what was kept comes back as it was, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from styx_lab.core.ports import Store
from styx_lab.errors import NotFoundError

__all__ = ["check_store"]


def check_store(make: Callable[[], Store]) -> None:
    """Try a store against its contract; returns when it keeps it.

    >>> from tempfile import TemporaryDirectory
    >>> from styx_lab.stores import SqliteStore
    >>> with TemporaryDirectory() as folder:
    ...     check_store(lambda: SqliteStore(f"{folder}/store.db"))

    Args:
        make: opens the store, empty the first time; the second time what the first one kept is in it.

    Raises:
        AssertionError: naming the rule that is broken.
    """
    store = make()
    assert isinstance(store, Store), f"a store has the methods of `core.ports.Store`; {type(store).__name__} has not"
    _check_missing(store, "fraud")
    meta = {"auc": 0.97, "features": ["amount", "é"], "note": None}
    first = store.put_model("fraud", b"<PMML>1</PMML>", meta=meta)
    assert (first.name, first.version) == ("fraud", 1), (
        f"versions are numbered from 1; got {first.name}@{first.version}"
    )
    assert first.pmml == b"<PMML>1</PMML>", "a model's bytes come back as they were"
    assert first.sha256 == sha256(first.pmml).hexdigest(), "sha256 is that of the bytes"
    assert first.meta == meta, f"meta comes back as it was; got {first.meta}"
    same = store.put_model("fraud", b"<PMML>1</PMML>")
    assert same.version == 1, f"the newest version's bytes kept again are that version; got {same.version}"
    second = store.put_model("fraud", b"<PMML>2</PMML>")
    assert second.version == 2, f"other bytes are the next version; got {second.version}"
    third = store.put_model("fraud", b"<PMML>1</PMML>")
    assert third.version == 3, "only the newest version's bytes are recognised: going back is a new version"
    other = store.put_model("churn", b"<PMML>2</PMML>")
    assert other.version == 1, "each name has its own versions"
    one, two = b"PK\x03\x04 one", b"PK\x03\x04 two \x00\xff"
    assert store.put_bundle("card-fraud", one) == 1, "the versions of bundles are numbered from 1"
    assert store.put_bundle("card-fraud", two) == 2, "another bundle is the next version"
    _check_kept(store, one, two)
    again = make()
    _check_kept(again, one, two)
    for opened in (store, again):
        # The protocol leaves closing to those stores that have something to close.
        with suppress(AttributeError):
            opened.close()  # type: ignore[attr-defined]


def _check_kept(store: Store, one: bytes, two: bytes) -> None:
    assert store.get_model("fraud").version == 3, "a name alone is the newest version"
    assert store.get_model("fraud@2").pmml == b"<PMML>2</PMML>", "name@2 is the second version"
    assert store.get_model("fraud@1").meta["auc"] == 0.97, "a version keeps the meta it was kept with"
    assert store.get_bundle("card-fraud") == (2, two), "a bundle's name alone is the newest version, as it was"
    assert store.get_bundle("card-fraud@1") == (1, one), "name@1 is the first bundle, as it was"
    for missing in ("fraud@4", "fraud@champion", "credit"):
        _check_missing(store, missing)
    try:
        store.get_bundle("card-fraud@9")
    except NotFoundError:
        return
    raise AssertionError("a bundle that is not there is a NotFoundError")


def _check_missing(store: Store, reference: str) -> None:
    error: Exception | None = None
    try:
        store.get_model(reference)
    except NotFoundError as raised:
        error = raised
    assert error is not None, f"a model that is not there is a NotFoundError; get_model({reference!r}) gave one"
    assert reference.partition("@")[0] in str(error), f"the error names what is missing; it says {error}"
