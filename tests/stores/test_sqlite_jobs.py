"""Jobs in a SQLite store: their states, their epochs, and when one is held for lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.errors import NotFoundError, StoreError
from styx_lab.stores import JobRecord, SqliteStore
from styx_lab.stores.jobs import this_host

MOMENT = "2024-01-01T00:00:00.000Z"
LATER = "2024-01-01T00:00:05.000Z"
COUNTERS = {"payments": {"in": 10, "late": 1}}


def test_a_job_from_its_beginning_to_its_end(store: SqliteStore, clock: Any) -> None:
    began = store.register_job("j1", bundle="card-fraud@3", folder=Path("jobs") / "j1")
    assert began == JobRecord(
        "j1",
        "card-fraud@3",
        this_host(),
        os.getpid(),
        str(Path("jobs") / "j1"),
        1,
        "running",
        "",
        MOMENT,
        MOMENT,
        None,
        {},
        None,
    )
    assert store.get_job("j1") == began
    clock.now += 5_000
    store.heartbeat("j1", COUNTERS, 1_704_067_199_999, epoch=began.epoch)
    beaten = replace(began, heartbeat=LATER, counters=COUNTERS, watermark=1_704_067_199_999)
    assert store.get_job("j1") == beaten
    ended = store.finish_job("j1", "finished", "end of input", epoch=began.epoch)
    assert ended == replace(beaten, state="finished", reason="end of input", ended=LATER)
    clock.now += 1_000_000
    assert store.list_jobs() == [ended]


@pytest.mark.parametrize("state", ["stopped", "failed", "finished"])
def test_a_job_ends_once(store: SqliteStore, state: Any) -> None:
    store.register_job("j1", bundle="b@1", folder="f")
    assert store.finish_job("j1", state, "caf\udce9").reason == "caf?"
    for again in (
        lambda: store.finish_job("j1", state, ""),
        lambda: store.heartbeat("j1", {}, None),
    ):
        with pytest.raises(StoreError, match=f"job 'j1' has ended already \\({state}, {MOMENT}\\)"):
            again()
    assert store.get_job("j1").reason == "caf?"


@pytest.mark.parametrize("state", ["running", "lost", "", None])
def test_a_job_ends_in_no_other_state(store: SqliteStore, state: Any) -> None:
    store.register_job("j1", bundle="b@1", folder="f")
    with pytest.raises(StoreError, match=r"a job does not end so.*stopped, failed, finished"):
        store.finish_job("j1", state, "")
    assert store.get_job("j1").state == "running"


@pytest.mark.parametrize("watermark", [MIN_WATERMARK, MAX_WATERMARK, None, -1])
def test_any_watermark_is_kept(store: SqliteStore, watermark: int | None) -> None:
    store.register_job("j1", bundle="b@1", folder="f")
    store.heartbeat("j1", {}, watermark)
    assert store.get_job("j1").watermark == watermark


def test_what_no_job_can_say_is_refused(store: SqliteStore, path: Path) -> None:
    with pytest.raises(StoreError, match="not the name of a job"):
        store.register_job("j 1", bundle="b@1", folder="f")
    for pid in (0, -1, 2**31, "7", True):
        with pytest.raises(StoreError, match="not a process id"):
            store.register_job("j1", bundle="b@1", folder="f", pid=pid)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="job 'j1': text that has no UTF-8"):
        store.register_job("j1", bundle="b@1", folder="caf\udce9")
    assert not path.parent.exists()
    store.register_job("j1", bundle="b@1", folder="f")
    for watermark in (2**63, 1.5, "1", True):
        with pytest.raises(StoreError, match="a watermark is epoch ms"):
            store.heartbeat("j1", {}, watermark)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="job 'j1', counters, 'rate': JSON has no such number"):
        store.heartbeat("j1", {"rate": float("inf")}, None)


def test_an_unknown_job_is_not_found_and_makes_no_file(store: SqliteStore, path: Path) -> None:
    for ask in (
        lambda: store.get_job("j1"),
        lambda: store.heartbeat("j1", {}, None),
        lambda: store.finish_job("j1", "failed", ""),
    ):
        with pytest.raises(NotFoundError, match="no such job; got 'j1'"):
            ask()
    assert store.list_jobs() == []
    assert not path.parent.exists()
    store.register_job("card-1", bundle="b@1", folder="f")
    with pytest.raises(NotFoundError, match="did you mean 'card-1'"):
        store.get_job("card1")
    with pytest.raises(StoreError, match="no UTF-8"):
        store.get_job("\udce9")
    with pytest.raises(StoreError, match="not a thing that the store can keep or find"):
        store.get_job(["j1"])  # type: ignore[arg-type]


def test_jobs_are_listed_as_they_started(store: SqliteStore, clock: Any) -> None:
    store.register_job("b", bundle="b@1", folder="f")
    store.register_job("a", bundle="b@1", folder="f")
    clock.now -= 1
    store.register_job("c", bundle="b@1", folder="f")
    assert [one.job for one in store.list_jobs()] == ["c", "a", "b"]


def test_a_silent_job_is_lost_until_it_beats_again(path: Path, clock: Any) -> None:
    with SqliteStore(path, clock=clock, lost_after="10s") as store:
        began = store.register_job("j1", bundle="b@1", folder="f", host="elsewhere.example", pid=7)
        assert store.get_job("j1", now=clock.now + 10_000) == began
        lost = store.get_job("j1", now=clock.now + 10_001)
        assert lost == replace(began, state="lost", reason="no heartbeat for 10s1ms")
        clock.now += 10_001
        assert store.list_jobs() == [lost]
        store.heartbeat("j1", {}, None)
        assert store.get_job("j1").state == "running"
        assert store.list_jobs(now=clock.now + 10_001)[0].state == "lost"
        assert store.get_job("j1", now=0).state == "running"


def test_a_job_whose_process_is_gone_is_lost_at_once(store: SqliteStore, process: Callable[..., Any]) -> None:
    child = process("input()")
    began = store.register_job("j1", bundle="b@1", folder="f", pid=child.running.pid)
    away = store.register_job("j2", bundle="b@1", folder="f", host="elsewhere.example", pid=child.running.pid)
    assert store.list_jobs() == [began, away]
    child.running.kill()
    os.waitid(os.P_PID, child.running.pid, os.WEXITED | os.WNOWAIT)
    gone = replace(began, state="lost", reason=f"process {child.running.pid} is gone")
    if Path("/proc/self/stat").exists():
        assert store.get_job("j1") == gone  # Killed, and its end not yet fetched.
    child.end()
    assert store.list_jobs() == [gone, away]


def test_only_one_process_runs_a_job(store: SqliteStore, clock: Any) -> None:
    store.register_job("j1", bundle="b@1", folder="f", host="one.example", pid=7)
    with pytest.raises(
        StoreError, match=r"job 'j1' runs already, as process 7 on one.example, last heard of 2024"
    ) as caught:
        store.register_job("j1", bundle="b@1", folder="f", host="two.example", pid=7)
    assert "styx stop j1" in str(caught.value)
    assert store.register_job("j1", bundle="b@2", folder="f", host="one.example", pid=7).epoch == 2
    store.finish_job("j1", "stopped", "asked to")
    third = store.register_job("j1", bundle="b@3", folder="g", host="two.example", pid=8)
    assert (third.epoch, third.state, third.reason, third.ended, third.bundle) == (3, "running", "", None, "b@3")


def test_a_lost_job_that_wakes_up_cannot_write_over_its_successor(store: SqliteStore, clock: Any) -> None:
    old = store.register_job("j1", bundle="b@1", folder="f", host="one.example", pid=7)
    clock.now += 60_000
    new = store.register_job("j1", bundle="b@1", folder="f", host="two.example", pid=8)
    for speak in (
        lambda: store.heartbeat("j1", COUNTERS, 1, epoch=old.epoch),
        lambda: store.finish_job("j1", "failed", "woke up", epoch=old.epoch),
    ):
        with pytest.raises(StoreError, match=r"started again, as process 8 on two.example in epoch 2; got 1"):
            speak()
    assert store.get_job("j1") == new


def test_a_heartbeat_thread_beside_the_main_thread(store: SqliteStore) -> None:
    store.register_job("j1", bundle="b@1", folder="f")
    failures: list[BaseException] = []

    def beat() -> None:
        try:
            for number in range(40):
                store.heartbeat("j1", {"step": {"in": number}}, number)
        except BaseException as error:  # A thread's error must reach the test.
            failures.append(error)

    threads = [threading.Thread(target=beat) for _ in range(2)]
    for thread in threads:
        thread.start()
    versions = [store.put_bundle("b", b"%d" % number) for number in range(40)]
    for thread in threads:
        thread.join()
    assert failures == []
    assert versions == list(range(1, 41))
    assert store.get_job("j1").counters == {"step": {"in": 39}}
