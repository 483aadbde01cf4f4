"""Our lookups keep the public contract, and the contract refuses lookups that do not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from styx_lab.connectors import MemoryLookup, SqliteLookup
from styx_lab.errors import DataError, InputMissingError
from styx_lab.testing import check_lookup

SCHEMA = {"card": "str", "day": "int", "most": "float", "blocked": "bool", "since": "datetime"}
ROWS = [("a", 1, 5, 0, 0), ("b", 1, 2.5, 1, 86_400_000), ("b", 2, None, None, None)]
KEYS = pl.DataFrame({"card": ["a", "c", "b", "b"], "day": [1, 1, 2, 1]})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "cards.db") as made:
        made.execute('create table "the limits" (card text, day int, most, blocked int, since int, more text)')
        made.executemany('insert into "the limits" values (?, ?, ?, ?, ?, null)', ROWS)
    made.close()
    return tmp_path / "cards.db"


def test_a_sqlite_table_keeps_the_contract(file: Path) -> None:
    check_lookup(lambda: SqliteLookup(file, "the limits", SCHEMA), KEYS)
    lookup = SqliteLookup(file, "the limits", SCHEMA)
    assert sorted(lookup.find(KEYS).rows()) == [
        ("a", 1, 5.0, False, datetime(1970, 1, 1, tzinfo=UTC)),
        ("b", 1, 2.5, True, datetime(1970, 1, 2, tzinfo=UTC)),
        ("b", 2, None, None, None),
    ]
    many = pl.DataFrame({"card": [f"c{number}" for number in range(2_000)] + ["a"]})
    assert lookup.find(many)["card"].to_list() == ["a"]
    lookup.close()


def test_what_another_writes_is_seen(file: Path) -> None:
    lookup = SqliteLookup(file, "the limits", SCHEMA)
    key = KEYS[:1]
    assert lookup.find(key)["most"].to_list() == [5.0]
    with sqlite3.connect(file) as other:
        other.execute("update \"the limits\" set most = 7 where card = 'a'")
    other.close()
    assert lookup.find(key)["most"].to_list() == [7.0]
    lookup.close()


def test_a_value_of_another_type_is_an_error(file: Path) -> None:
    with sqlite3.connect(file) as other:
        other.execute("update \"the limits\" set most = 'lots', blocked = 2 where card = 'a'")
    other.close()
    for column in ("most", "blocked"):
        lookup = SqliteLookup(file, "the limits", {"card": "str", column: SCHEMA[column]})
        with pytest.raises(DataError, match=column):
            lookup.find(pl.DataFrame({"card": ["a"]}))
        lookup.close()


def test_what_is_not_there_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        SqliteLookup(tmp_path / "none.db", "limits", SCHEMA)
    with pytest.raises(DataError, match="no such table"):
        SqliteLookup(file, "limits", SCHEMA)
    with pytest.raises(DataError, match="no such column"):
        SqliteLookup(file, "the limits", {"card": "str", "owner": "str"})
    (tmp_path / "text.db").write_text("no database, whatever it is called, but a text that is long enough" * 20)
    with pytest.raises(DataError, match="no SQLite file"):
        SqliteLookup(tmp_path / "text.db", "limits", SCHEMA)


def test_memory_keeps_the_contract() -> None:
    rows = [{"card": "a", "most": 5.0}, {"card": "b", "most": None}]
    check_lookup(
        lambda: MemoryLookup(rows, {"card": "str", "most": "float"}, key="card"),
        pl.DataFrame({"card": ["b", "c", "a"]}),
    )
    with pytest.raises(DataError, match="no such column"):
        MemoryLookup(rows, {"card": "str"}, key="owner")
    with pytest.raises(DataError, match="does not fit"):
        MemoryLookup([{"card": 5}], {"card": "str"}, key="card")


class _Broken(MemoryLookup):
    """A lookup with one thing wrong."""

    def __init__(self, fault: str) -> None:
        schema = {"card": "str", "most": "float"}
        super().__init__([{"card": "a", "most": 5.0}, {"card": "b", "most": 1.0}], schema, key="card")
        self._fault = fault
        self._asked = 0

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        found = super().find(keys)
        self._asked += 1
        match self._fault:
            case "twice":
                return pl.concat([found, found])
            case "all":
                return super().find(pl.DataFrame({"card": ["a", "b"]}))
            case "state":
                return found.with_columns(pl.col("most") + self._asked)
            case "beside":
                return found.with_columns(pl.col("most") * keys.height)
            case "type":
                return found.with_columns(pl.col("most").cast(pl.Float32))
        return found


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("twice", "one row at most"),
        ("all", "keys that were asked for"),
        ("state", "the same keys"),
        ("beside", "keys beside it"),
        ("type", "columns of the schema"),
    ],
)
def test_the_contract_refuses_a_broken_lookup(fault: str, rule: str) -> None:
    make: Callable[[], MemoryLookup] = lambda: _Broken(fault)  # noqa: E731
    with pytest.raises(AssertionError, match=rule):
        check_lookup(make, pl.DataFrame({"card": ["a", "c"]}))
