"""A SQLite store that several processes and threads use at once, are killed in, or fork with."""

from __future__ import annotations

import sqlite3
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from styx_lab.errors import StoreError
from styx_lab.stores import SqliteStore


def test_a_store_that_another_process_holds_is_said(path: Path) -> None:
    with SqliteStore(path, busy_timeout="5ms") as store:
        store.put_config("a", 1)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"another process has held the store for more than 0.005 s"):
            store.put_config("a", 2)
        assert store.get_config("a") == 1  # A reader does not wait for a writer.
        holder.execute("ROLLBACK")
        holder.close()
        store.put_config("a", 2)
        assert store.get_config("a") == 2


def test_two_processes_make_and_fill_one_store(path: Path, process: Callable[..., Any]) -> None:
    code = """
        import sys
        from styx_lab.stores import SqliteStore
        with SqliteStore(sys.argv[1]) as store:
            print("ready", flush=True)
            input()
            for number in range(30):
                mine = f"{sys.argv[2]} {number}".encode()
                version = store.put_bundle("shared", mine)
                assert store.get_bundle(f"shared@{version}") == (version, mine)
                print(version)
    """
    both = [process(textwrap.dedent(code), str(path), name) for name in ("one", "two")]
    assert [one.line() for one in both] == ["ready", "ready"]
    for one in both:
        one.go()
    given = [[int(line) for line in one.end().split()] for one in both]
    assert [one.running.returncode for one in both] == [0, 0]
    assert given == [sorted(one) for one in given]
    assert sorted(given[0] + given[1]) == list(range(1, 61))
    with SqliteStore(path) as store:
        contents = [store.get_bundle(f"shared@{number}")[1].decode() for number in range(1, 61)]
    for name in ("one", "two"):
        assert [text for text in contents if text.startswith(name)] == [f"{name} {number}" for number in range(30)]


def test_many_that_make_one_store_together_all_write(tmp_path: Path) -> None:
    for turn in range(15):
        path = tmp_path / str(turn) / "store.db"
        together = threading.Barrier(6)

        def put(number: int, path: Path = path, together: threading.Barrier = together) -> int:
            with SqliteStore(path) as store:
                together.wait()
                return store.put_bundle("shared", b"%d" % number)

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(put, range(6))) == [1, 2, 3, 4, 5, 6]


def test_only_one_of_two_processes_gets_a_job(path: Path, process: Callable[..., Any]) -> None:
    code = """
        import sys
        from styx_lab.errors import StoreError
        from styx_lab.stores import SqliteStore
        with SqliteStore(sys.argv[1]) as store:
            print("ready", flush=True)
            input()
            try:
                store.register_job("j1", bundle="b@1", folder="f")
                print("mine", flush=True)
            except StoreError as error:
                print("runs already" if "runs already" in str(error) else error, flush=True)
            input()
    """
    both = [process(textwrap.dedent(code), str(path)) for _ in range(2)]
    assert [one.line() for one in both] == ["ready", "ready"]
    for one in both:
        one.go()
    assert sorted(one.line() for one in both) == ["mine", "runs already"]


def test_a_kill_at_any_moment_keeps_what_was_answered(path: Path, process: Callable[..., Any]) -> None:
    code = """
        import sys
        from styx_lab.stores import SqliteStore
        store = SqliteStore(sys.argv[1])
        while True:
            version = len(store.list_bundles()) + 1
            print(store.put_bundle("b", b"%d" % version * 20_000), flush=True)
    """
    last = 0
    for _ in range(3):
        child = process(textwrap.dedent(code), str(path))
        answered = [int(child.line()) for _ in range(5)]
        child.running.kill()
        answered += [int(line) for line in child.end().splitlines() if line.isdigit()]
        assert answered[0] == last + 1
        with SqliteStore(path) as store:
            versions = [one.version for one in store.list_bundles()]
            assert versions == list(range(1, len(versions) + 1))
            assert answered[-1] <= len(versions) <= answered[-1] + 1
            for number in versions[last:]:
                assert store.get_bundle(f"b@{number}") == (number, b"%d" % number * 20_000)
        last = len(versions)


def test_a_store_is_not_carried_over_a_fork(path: Path, process: Callable[..., Any]) -> None:
    code = """
        import os, sys
        from styx_lab.errors import StoreError
        from styx_lab.stores import SqliteStore
        store = SqliteStore(sys.argv[1])
        store.put_config("a", 1)
        if (child := os.fork()) == 0:
            try:
                store.get_config("a")
            except StoreError as error:
                store.close()
                os._exit(7 if "over a fork" in str(error) else 8)
            os._exit(9)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), store.get_config("a"))
    """
    assert process(textwrap.dedent(code), str(path)).end().split() == ["7", "1"]
