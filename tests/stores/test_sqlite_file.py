"""The file of a SQLite store: made late, damaged, too new, on a full disk."""

from __future__ import annotations

import sqlite3
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from styx_lab.errors import FlowError, OutputError, StoreError
from styx_lab.stores import SqliteStore

GOLDEN = Path(__file__).parent / "store-format-1.sql"


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(statement)
    connection.close()


def test_nothing_is_made_before_the_first_write(store: SqliteStore, path: Path) -> None:
    assert store.list_models() == store.list_config() == store.list_jobs() == []
    assert not path.parent.exists()
    store.put_config("a", 1)
    assert path.exists()


def test_a_store_that_another_made_in_the_meantime_is_seen(store: SqliteStore, path: Path) -> None:
    assert store.list_config() == []
    with SqliteStore(path) as other:
        other.put_config("a", 1)
    assert store.get_config("a") == 1


def test_the_file_has_its_mark_its_format_and_wal(store: SqliteStore, path: Path) -> None:
    store.put_config("a", 1)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA application_id").fetchone() == (0x53545958,)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_what_was_put_is_there_after_opening_again(path: Path) -> None:
    with SqliteStore(path) as store:
        store.put_model("fraud", b"<one/>")
    with SqliteStore(path) as store:
        assert store.get_model("fraud").pmml == b"<one/>"
    assert [one.name for one in path.parent.iterdir()] == ["store.db"]


def test_a_closed_store_says_so(path: Path) -> None:
    store = SqliteStore(path)
    store.put_config("a", 1)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        store.list_config()
    with pytest.raises(StoreError, match="the store is closed"):
        store.put_config("a", 2)


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with SqliteStore(path) as store:
        assert store.list_config() == []
        assert path.stat().st_size == 0
        store.put_config("a", 1)
        assert store.get_config("a") == 1


def test_a_store_whose_making_was_cut_short_is_made_anew(path: Path) -> None:
    path.parent.mkdir()
    change(path, "PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    with SqliteStore(path) as store:
        assert store.list_config() == []
        store.put_config("a", 1)
    with SqliteStore(path) as store:
        assert store.get_config("a") == 1


@pytest.mark.parametrize(
    "content", [b"x", b"x" * 511, b"\0" * 512, b"not a store\n" * 500, b"SQLite format 3\0" + b"\xff" * 5_000]
)
def test_a_file_that_is_no_store_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"the file is no Styx store, or is damaged.*STYX_HOME"):
        SqliteStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("extra", ["", "; PRAGMA user_version = 1"])
def test_the_database_of_another_program_is_refused_and_left_alone(path: Path, extra: str) -> None:
    path.parent.mkdir()
    change(path, "CREATE TABLE versions (a)" + extra)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="no Styx store"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_newer_format_is_refused_and_left_alone(path: Path) -> None:
    with SqliteStore(path) as store:
        store.put_config("a", 1)
    change(path, "PRAGMA user_version = 2")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer format; got 2. Try: install a newer styx-lab"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="a folder is no store"):
        SqliteStore(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with SqliteStore(tmp_path / "file" / "home" / "store.db") as store:
        assert store.list_config() == []
        with pytest.raises(OutputError, match=r"the folder of the store cannot be made.*STYX_HOME"):
            store.put_config("a", 1)


def test_a_time_out_is_a_duration(path: Path) -> None:
    with pytest.raises(FlowError, match="busy_timeout"):
        SqliteStore(path, busy_timeout="soon")
    with pytest.raises(FlowError, match="lost_after"):
        SqliteStore(path, lost_after="0s")


@pytest.mark.parametrize("kind", ["model", "rules", "bundle"])
def test_damaged_content_is_named_and_the_rest_can_be_read(path: Path, kind: str) -> None:
    with SqliteStore(path) as store:
        for content in ("first-content", "other-content"):
            store.put_model("fraud", content.encode())
            store.put_rules("fraud", [content])
            store.put_bundle("fraud", content.encode())
    change(path, f"UPDATE versions SET data = CAST(replace(data, 'first', 'f1rst') AS BLOB) WHERE kind = '{kind}'")
    with SqliteStore(path) as store:
        get = getattr(store, f"get_{kind}")
        with pytest.raises(StoreError, match=f"{kind} 'fraud@1': the store is damaged.*sha256"):
            get("fraud@1")
        get("fraud@2")
        assert store.put_bundle("fraud", b"third") == 3


def test_flipped_bytes_in_the_file_are_noticed(path: Path) -> None:
    content = b"\xa5" * 20_000
    with SqliteStore(path) as store:
        store.put_bundle("fraud", content)
        store.put_bundle("other", b"whole")
    data = path.read_bytes()
    at = data.rindex(content[:500])
    path.write_bytes(data[:at] + b"\x5a" + data[at + 1 :])
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="bundle 'fraud@1': the store is damaged"):
            store.get_bundle("fraud")
        assert store.get_bundle("other") == (1, b"whole")


def test_damaged_pages_are_said(path: Path) -> None:
    with SqliteStore(path) as store:
        store.put_bundle("fraud", b"x" * 20_000)
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xee" * (len(data) - 4096))
    with SqliteStore(path) as store, pytest.raises(StoreError, match=r"the store is damaged.*backup"):
        store.list_bundles()


@pytest.mark.parametrize("meta", ["'{'", "x'ff'", "CAST(x'ff' AS TEXT)"])
def test_damaged_meta_is_said(path: Path, meta: str) -> None:
    with SqliteStore(path) as store:
        store.put_model("fraud", b"<one/>")
    change(path, f"UPDATE versions SET meta = {meta}")
    with SqliteStore(path) as store, pytest.raises(StoreError, match="the store is damaged"):
        store.get_model("fraud")


def test_a_missing_table_is_damage(path: Path) -> None:
    with SqliteStore(path) as store:
        store.put_config("a", 1)
    change(path, "DROP TABLE jobs")
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match=r"the store is damaged.*no such table: jobs"):
            store.list_jobs()
        assert store.get_config("a") == 1


def test_a_file_that_goes_away_is_noticed(store: SqliteStore, path: Path) -> None:
    store.put_config("a", 1)
    path.rename(path.with_name("moved.db"))
    with pytest.raises(StoreError, match="removed or replaced while it was open"):
        store.put_config("a", 2)
    path.touch()
    with pytest.raises(StoreError, match="removed or replaced while it was open"):
        store.get_config("a")


def test_a_write_that_raises_keeps_nothing(store: SqliteStore) -> None:
    store.put_config("a", 1)

    def interrupted() -> None:
        with store._file.write() as connection:
            connection.execute("DELETE FROM config")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.get_config("a") == 1
    store.put_config("a", 2)


def test_a_full_disk_keeps_nothing_of_the_write_and_all_that_was(store: SqliteStore) -> None:
    store.put_bundle("fraud", b"small")
    connection = store._file._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(OutputError, match=r"the disk is full; nothing of this write was kept.*free some space"):
        store.put_bundle("fraud", b"x" * 1_000_000)
    assert [one.version for one in store.list_bundles()] == [1]
    assert store.get_bundle("fraud") == (1, b"small")
    connection.execute("PRAGMA max_page_count = 1000000")
    assert store.put_bundle("fraud", b"x" * 1_000_000) == 2


def test_content_that_is_too_large_is_said(store: SqliteStore) -> None:
    store.put_bundle("fraud", b"small")
    connection = store._file._connection
    assert connection is not None
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
    with pytest.raises(StoreError, match="too large for a SQLite store"):
        store.put_bundle("fraud", b"x" * 20_000)
    assert store.get_bundle("fraud") == (1, b"small")


def test_a_file_that_the_system_lets_grow_no_more(path: Path, process: Callable[..., Any]) -> None:
    code = """
        import resource, sys
        from styx_lab.errors import OutputError
        from styx_lab.stores import SqliteStore
        with SqliteStore(sys.argv[1]) as store:
            store.put_bundle("fraud", b"small")
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
            try:
                store.put_bundle("fraud", b"x" * 1_000_000)
            except OutputError as error:
                print(error)
            assert store.get_bundle("fraud") == (1, b"small")
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            print(store.put_bundle("fraud", b"x" * 1_000_000))
    """
    said = process(textwrap.dedent(code), str(path)).end().splitlines()
    assert "nothing of a write was kept" in said[0]
    assert "look at the free space" in said[0]
    assert said[1:] == ["2"]
    with SqliteStore(path) as store:
        assert len(store.get_bundle("fraud@2")[1]) == 1_000_000


def test_a_store_of_format_1_reads_for_ever(path: Path) -> None:
    path.parent.mkdir()
    change(path, GOLDEN.read_text(encoding="utf-8"))
    with SqliteStore(path) as store:
        assert store.get_model("fraud@champion").meta == {"auc": 0.97}
        assert [(one.kind, one.name, one.version) for one in store.list_models()] == [
            ("model", "fraud", 1),
            ("model", "fraud", 2),
        ]
        assert store.get_rules("fraud").rules == ("amount > 500", {"sql": "status = 'declined'"})
        assert store.get_bundle("card-fraud@live") == (1, b"bundle \x00\xff")
        assert store.get_config("alerts") == {"mail": ["ana@example.org"]}
        assert store.get_job("j1", now=0).counters == {"payments": {"in": 10}}
        assert store.get_job("j2").reason == "end of input"
        store.put_model("fraud", b"<three/>")
        assert store.get_model("fraud").version == 3
