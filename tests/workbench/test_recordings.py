"""Recording a topic, on a real broker: everything is kept once, whatever ends it, and what was cut off is salvaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import uuid

import psutil
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

import styx_lab as styx
from styx_lab.connectors import Recording, RecordingWriter
from styx_lab.connectors.kafka import Topics
from styx_lab.connectors.recording_salvage import cut_off, salvage
from styx_lab.core.schema import Schema
from styx_lab.engines.result import digest_lines
from styx_lab.errors import DataError, NotFoundError
from styx_lab.services import Cluster
from styx_lab.workbench.jobs import read_job_output
from styx_lab.workbench.producing import produce as write_recording
from styx_lab.workbench.recordings import record


def payment(index: int, part: int = 0) -> tuple[int, int, bytes]:
    return part, 1_000 + index, b'{"ts": %d, "card": "c%d", "amount": %d.5}' % (1_000 + index, index % 3, index)


def flow():
    payments = styx.source(
        "payments", schema={"ts": "int", "card": "str", "amount": "float"}, time="ts", key="card", max_delay="1s"
    )
    return styx.flow("large", payments.filter("amount > 3").notify("tell", message="{card}: {amount}").to("told"))


def test_a_topic_becomes_a_recording_with_all_it_has(topic, produce, kafka, tmp_path):
    name = topic(2)
    produce(name, [payment(0), payment(1, 1), payment(2)])
    produce(
        name, [(0, 1_010, b'{"ts": 5, "card": "x", "amount": 1}', b"k", [("h", b"1"), ("h", None)]), (1, 1_020, None)]
    )
    made = record(Topics((name,), brokers=kafka), tmp_path / "a.recording.parquet", time_column="ts", key=["card"])
    assert made.ended == "end"
    assert made.notes == ()
    recording = Recording.open(made.recording.path)
    recording.verify()
    assert recording.schema == Schema({"ts": "int", "card": "str", "amount": "float"})
    (rows,) = recording.blocks()
    assert rows["partition"].to_list() == [0, 1, 0, 0, 1]
    assert rows["timestamp"].to_list() == [1_000, 1_001, 1_002, 1_010, 1_020]
    assert rows["key"].to_list() == [None, None, None, b"k", None]
    assert rows["headers"].to_list()[3] == [{"key": "h", "value": b"1"}, {"key": "h", "value": None}]
    assert rows["payload"].to_list()[4] is None


def test_the_topic_and_its_recording_give_the_same_bytes_in_the_notebook_and_in_a_job(topic, produce, kafka, tmp_path):
    name = topic(3)
    produce(name, [payment(index, index % 3) for index in range(200)])
    text = f"kafka:{name}?brokers={kafka}"
    record(text, tmp_path / "a.recording.parquet")
    replayed = flow().replay(tmp_path / "a.recording.parquet")
    direct = flow().replay(text)
    assert direct.notifications.height == 197
    assert direct.digest("told") == replayed.digest("told")
    store = tmp_path / "store.db"
    styx.promote(flow(), golden=tmp_path / "a.recording.parquet", store=store)
    report = styx.run_bundle("large", text, store=store)
    assert report.outcome.state == "finished"
    assert digest_lines(read_job_output("large", "told", store=store)) == direct.digest("told")
    # What comes later is not this job's: it reads what it began with.
    produce(name, [payment(500)])
    again = styx.run_bundle("large", text, store=store)
    assert again.outcome.count == 200


def test_a_recording_that_is_written_to_a_topic_is_the_same_when_it_is_recorded_again(topic, produce, kafka, tmp_path):
    name = topic(2)
    produce(name, [payment(index, index % 2) for index in range(50)])
    produce(name, [(1, 2_000, None, b"k", [("h", b"1")])])
    first = record(Topics((name,), brokers=kafka), tmp_path / "a.recording.parquet").recording
    again = f"{name}-again"
    made = write_recording(first, again, brokers=kafka)
    assert (made.events, made.partitions) == (51, 2)
    second = record(Topics((again,), brokers=kafka), tmp_path / "b.recording.parquet").recording
    assert second.about.content_sha256 == first.about.content_sha256
    with pytest.raises(DataError, match="the topic has no such partition, but the recording has; got 1"):
        write_recording(first, topic(1), brokers=kafka)


def test_limits(topic, produce, kafka, tmp_path):
    name = topic()
    produce(name, [payment(index) for index in range(100)])
    live = Topics((name,), stop="never", brokers=kafka)
    file = tmp_path / "a.recording.parquet"
    assert (record(live, file, max_events=7).ended, len(Recording.open(file))) == ("events", 7)
    found = record(live, file, max_bytes=100)
    assert found.ended == "size"
    assert len(found.recording) >= 3
    ticks = iter(range(10_000))
    found = record(live, file, seconds=300.0, clock=lambda: float(next(ticks)))
    assert found.ended == "time"
    stop = threading.Event()
    found = record(live, file, stop=stop, progress=lambda progress: stop.set() if progress.events == 100 else None)
    assert (found.ended, len(found.recording)) == ("stop", 100)


def test_nothing_is_no_recording(topic, kafka, tmp_path):
    name = topic()
    with pytest.raises(DataError, match="nothing came, so nothing was recorded"):
        record(Topics((name,), brokers=kafka), tmp_path / "a.recording.parquet")
    with pytest.raises(DataError, match="nothing came"):
        record(Topics((name,), brokers=kafka), tmp_path / "a.recording.parquet", schema=Schema({"a": "int"}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_broker_that_is_killed_and_comes_back_costs_nothing(tmp_path):
    servers = Cluster(tmp_path / "servers")
    name = f"t-{uuid.uuid4().hex[:8]}"
    try:
        (up,) = servers.up(["kafka"], ports={"kafka": 0})
        admin = AdminClient({"bootstrap.servers": up.address})
        admin.create_topics([NewTopic(name, 2)])[name].result(30)
        write(up.address, name, range(500))
        killed = threading.Event()
        troubles = []

        def watch(progress):
            if progress.events >= 100 and not killed.is_set():
                os.kill(up.pids[0], signal.SIGKILL)
                killed.set()
            if progress.trouble:
                troubles.append(progress.trouble)

        def bring_back():
            killed.wait(60)
            psutil.wait_procs([psutil.Process(pid) for pid in up.pids if psutil.pid_exists(pid)], timeout=30)
            servers.up(["kafka"])
            write(up.address, name, range(500, 1_000))

        helper = threading.Thread(target=bring_back)
        helper.start()
        live = Topics((name,), stop="never", brokers=up.address)
        made = record(live, tmp_path / "a.recording.parquet", max_events=1_000, seconds=120, progress=watch)
        helper.join()
        rows = next(made.recording.blocks())
        assert sorted(rows["payload"].to_list()) == sorted(b'{"i": %d}' % index for index in range(1_000))
        places = rows.select("partition", "offset").rows()
        assert len(set(places)) == 1_000
        assert troubles  # it was said why nothing came
    finally:
        servers.down()


def write(address: str, name: str, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True})
    for index in numbers:
        producer.produce(name, b'{"i": %d}' % index, partition=index % 2)
    assert producer.flush(60) == 0


def test_a_recording_that_was_cut_off_is_salvaged(tmp_path):
    file = tmp_path / "cut.recording.parquet"
    program = """
        import os, sys
        from styx_lab.connectors import RecordingWriter
        from styx_lab.core.schema import Schema

        writer = RecordingWriter(sys.argv[1], name="cut", schema=Schema({"i": "int"}), time="i", truth="a note")
        for index in range(5):
            writer.write([b'{"i": %d}' % index], partition=[0], offset=[index], arrival=[index])
            if index == 2:
                writer.idle(0, at=9)
            if index == 3:
                writer.flush()
        print("ready", flush=True)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"ready\n"
    assert cut_off(file) == []  # its writer lives
    with pytest.raises(NotFoundError, match="its writer may still be at work"):
        salvage(file)
    process.kill()
    process.wait()
    assert len(cut_off(file)) == 1
    recording = salvage(file)
    recording.verify()
    assert len(recording) == 4  # the fifth was in memory alone
    assert recording.about.truth == "a note; cut off: its writer was killed"
    assert recording.about.time == "i"
    assert recording.about.idle == [{"row": 3, "partition": 0, "at": 9}]
    assert cut_off(file) == []
    with pytest.raises(NotFoundError):
        salvage(file)


def test_what_is_there_is_not_overwritten_by_a_salvage(tmp_path):
    file = tmp_path / "a.recording.parquet"
    with RecordingWriter(file, name="a", schema=Schema({"i": "int"})) as writer:
        writer.write([b'{"i": 1}'], partition=[0], offset=[0], arrival=[1])
    left = tmp_path / f".{file.name}.gone"
    left.mkdir()
    (left / "about.json").write_text("{}")
    with pytest.raises(DataError, match="there is a recording of that name"):
        salvage(file)
