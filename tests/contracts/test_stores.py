"""Our store keeps the public contract, and the contract refuses stores that do not."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from styx_lab.core.ports import ModelRecord
from styx_lab.errors import NotFoundError
from styx_lab.stores import SqliteStore
from styx_lab.testing import FakeClock, check_store


def test_sqlite_keeps_the_contract(tmp_path: Path) -> None:
    clock = FakeClock(1_700_000_000_000, tick="1s")
    check_store(lambda: SqliteStore(tmp_path / "store.db", clock=clock.ms))


class _Store:
    """A store in memory, perhaps with one thing wrong."""

    def __init__(self, kept: dict[str, list[Any]], fault: str = "") -> None:
        self._kept = {} if fault == "forgets" else kept
        self._fault = fault

    def _versions(self, kind: str, name: str) -> list[Any]:
        return self._kept.setdefault(f"{kind} {name}", [])

    def _find(self, kind: str, reference: str) -> tuple[int, Any]:
        name, _, version = reference.partition("@")
        versions = self._versions(kind, name)
        number = int(version) if version.isdigit() else 0 if version else len(versions)
        if not 0 < number <= len(versions):
            if self._fault == "wrong error":
                raise KeyError(reference)
            raise NotFoundError("not there", where="store", got=reference)
        return number, versions[number - 1]

    def put_model(self, name: str, pmml: bytes, *, meta: Any = None) -> ModelRecord:
        versions = self._versions("model", name)
        same = versions and versions[-1].pmml == pmml
        if self._fault == "recognises old":
            same = next((one for one in versions if one.pmml == pmml), None)
            if same:
                return same
        if same and self._fault != "repeats":
            return versions[-1]
        number = len(versions) + (0 if self._fault == "from 0" else 1)
        record = ModelRecord(name, number, pmml, sha256(pmml).hexdigest(), "2024", dict(meta or {}))
        if self._fault == "meta":
            record = replace(record, meta={})
        versions.append(record)
        return record

    def get_model(self, reference: str) -> ModelRecord:
        return self._find("model", reference)[1]

    def put_bundle(self, name: str, data: bytes, *, meta: Any = None) -> int:
        versions = self._versions("bundle", name)
        versions.append(data.rstrip(b"\xff") if self._fault == "bytes" else data)
        return len(versions)

    def get_bundle(self, reference: str) -> tuple[int, bytes]:
        return self._find("bundle", reference)


def test_a_store_that_keeps_the_contract() -> None:
    kept: dict[str, list[Any]] = {}
    check_store(lambda: _Store(kept))


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("from 0", "numbered from 1"),
        ("repeats", "are that version"),
        ("recognises old", "going back is a new version"),
        ("meta", "meta comes back"),
        ("bytes", "newest version, as it was"),
    ],
)
def test_the_contract_refuses_a_broken_store(fault: str, rule: str) -> None:
    kept: dict[str, list[Any]] = {}
    with pytest.raises(AssertionError, match=rule):
        check_store(lambda: _Store(kept, fault))


def test_the_contract_refuses_a_store_that_forgets() -> None:
    with pytest.raises(NotFoundError):
        check_store(lambda: _Store({}, "forgets"))


def test_the_contract_refuses_another_error() -> None:
    with pytest.raises(KeyError):
        check_store(lambda: _Store({}, "wrong error"))
