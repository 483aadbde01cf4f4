"""Servers: started once, ready before they are called up, ended by their own pids alone, and clear where one fails."""

from __future__ import annotations

import os
import signal
import socket
import sys
import uuid
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
import yaml
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from styx_lab.errors import NotFoundError, RunError
from styx_lab.services import SERVERS, Cluster, cluster

ROOT = Path(__file__).resolve().parents[2]

# A server of one process in Python: it says when it listens, answers, and ends when it is asked to.
SERVING = """
import sys
from http.server import HTTPServer, SimpleHTTPRequestHandler

server = HTTPServer(("127.0.0.1", int(sys.argv[1])), SimpleHTTPRequestHandler)
print("listening", flush=True)
server.serve_forever()
"""


class Small:
    """A server that starts at once."""

    name = "small"
    version = "1"
    ports = {"client": 0}
    main_port = "client"

    def __init__(self, program: str = SERVING, processes: int = 1) -> None:
        self.program, self.processes = program, processes

    def prepare(self, folder, ports):
        (folder / "data").mkdir(exist_ok=True)
        serve = [[sys.executable, "-c", self.program, str(ports["client"])]]
        return serve + [[sys.executable, "-c", "import signal; signal.pause()"]] * (self.processes - 1)

    def ready(self, log):
        return "listening" in log


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A cluster that knows a small server alone; gives a way to set which."""

    def know(*arguments, **named):
        monkeypatch.setattr(cluster, "SERVERS", {"small": Small(*arguments, **named)})
        return Cluster(tmp_path / "servers")

    yield know
    Cluster(tmp_path / "servers").down()


def test_up_is_ready_and_once(small):
    servers = small(processes=2)
    (first,) = servers.up()
    assert first.state == "up"
    assert len(first.pids) == 2
    assert urlopen(f"http://{first.address}/").status == 200
    assert servers.up()[0].pids == first.pids
    assert Cluster(servers.folder).status()[0].pids == first.pids  # as another process sees it
    assert "listening" in servers.log("small")


def test_down_ends_what_up_started_and_keeps_data(small):
    servers = small()
    (up,) = servers.up()
    (servers.folder / "small" / "data" / "kept").write_text("x")
    (down,) = servers.down()
    assert (down.state, down.pids, down.address) == ("down", (), up.address)
    assert not psutil.pid_exists(up.pids[0])
    assert (servers.folder / "small" / "data" / "kept").exists()
    assert servers.up()[0].address == up.address  # the port of before
    servers.down(remove=True)
    assert not (servers.folder / "small").exists()
    assert servers.down()[0].state == "down"


def test_another_program_with_the_same_pid_is_left_alone(small):
    servers = small()
    (up,) = servers.up()
    (kept,) = [servers._kept(server) for server in cluster.SERVERS.values()]
    process = cluster.Running(kept.processes[0].pid, kept.processes[0].born - 60.0)
    assert not process.alive()
    process.end()
    assert servers.status()[0].pids == up.pids


def test_a_server_that_is_killed_is_lost_and_comes_back(small):
    servers = small(processes=2)
    (up,) = servers.up()
    os.kill(up.pids[0], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(up.pids[0])], timeout=10)
    assert servers.status()[0].state == "lost"
    (again,) = servers.up()
    assert again.state == "up"
    assert not set(again.pids) & set(up.pids)
    assert not psutil.pid_exists(up.pids[1])  # the rest of the lost one was ended


def test_a_server_that_ends_says_why(small):
    servers = small("raise SystemExit('ERROR no room left')")
    with pytest.raises(RunError, match="it ended while it was started: ERROR no room left") as raised:
        servers.up()
    assert "server.log" in raised.value.hint
    assert servers.status()[0].state == "lost"


def test_a_server_that_is_never_ready_is_ended(small):
    servers = small("import signal; print('starting', flush=True); signal.pause()")
    with pytest.raises(RunError, match=r"it is not ready after 0\.2 s: starting"):
        servers.up(wait=0.2)
    assert servers.status()[0].state == "lost"


def test_a_port_that_is_taken_is_said(small):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=f"port {port} of 127.0.0.1 cannot be listened on") as raised:
            small().up(ports={"small": port})
    assert "--port small=" in raised.value.hint


def test_names_are_checked(tmp_path):
    servers = Cluster(tmp_path)
    for call in (servers.up, servers.down, servers.status):
        with pytest.raises(NotFoundError, match="no such server; got 'kafak'"):
            call(["kafak"])
    with pytest.raises(NotFoundError, match="never started"):
        servers.log("kafka")


def test_compose_has_the_same_versions():
    composed = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    images = {
        name.partition("-")[0]: one["image"].partition(":")[2].partition("-")[0] for name, one in composed.items()
    }
    assert images == {name: server.version for name, server in SERVERS.items()}
    # Nothing is offered to other machines.
    assert all(port.startswith("127.0.0.1:") for one in composed.values() for port in one.get("ports", ()))


def test_kafka_keeps_what_it_was_given_through_a_kill(tmp_path):
    servers = Cluster(tmp_path)
    topic = f"kept-{uuid.uuid4().hex[:8]}"
    try:
        (up,) = servers.up(["kafka"], ports={"kafka": 0})
        make_topic(up.address, topic)
        produce(up.address, topic, [b"one", b"two"])
        os.kill(up.pids[0], signal.SIGKILL)
        psutil.wait_procs([psutil.Process(up.pids[0])], timeout=10)
        (again,) = servers.up(["kafka"])
        assert again.address == up.address
        produce(again.address, topic, [b"three"])
        assert consume(again.address, topic, 3) == [b"one", b"two", b"three"]
    finally:
        servers.down()


def test_the_shared_broker_serves(kafka):
    topic = f"shared-{uuid.uuid4().hex[:8]}"
    make_topic(kafka, topic)
    produce(kafka, topic, [b"one"])
    assert consume(kafka, topic, 1) == [b"one"]


@pytest.mark.slow
def test_flink_has_slots(tmp_path):
    servers = Cluster(tmp_path)
    try:
        (up,) = servers.up(["flink"], ports={"flink": 0})
        assert b'"slots-available":2' in urlopen(f"http://{up.address}/overview").read()
    finally:
        servers.down()


@pytest.mark.slow
def test_cassandra_keeps_rows(tmp_path):
    from cassandra.cluster import Cluster as Client

    servers = Cluster(tmp_path)
    try:
        (up,) = servers.up(["cassandra"], ports={"cassandra": 0})
        client = Client(["127.0.0.1"], port=int(up.address.partition(":")[2]))
        session = client.connect()
        session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v text)")
        session.execute("INSERT INTO k.t (id, v) VALUES (1, 'one')")
        assert [row.v for row in session.execute("SELECT v FROM k.t")] == ["one"]
        client.shutdown()
    finally:
        servers.down()


def make_topic(address: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, 1)])[topic].result(30)


def produce(address: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": address})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0


def consume(address: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found = []
    while len(found) < count and (event := consumer.poll(30)) is not None:
        assert event.error() is None
        found.append(event.value())
    consumer.close()
    return found
