"""Topics as a source, on a real broker: the contract of every source, bounds, order, and what is refused."""

from __future__ import annotations

import random
import time
import uuid

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from styx_lab.connectors.kafka import KafkaProfile, KafkaSource, Topics
from styx_lab.errors import DataError, NotFoundError, RunError
from styx_lab.testing import check_source


def drained(source: KafkaSource, most: int = 1_000) -> list[tuple[int, int, bytes]]:
    found = []
    while (arrivals := source.read(most)) is not None:
        found += zip(arrivals.partition.tolist(), arrivals.offset.tolist(), arrivals.payloads, strict=True)
    source.close()
    return found


@pytest.fixture
def at(kafka):
    """A source of topics on the broker."""

    def open_source(*names, **more):
        whole = more.pop("whole", False)
        return KafkaSource(Topics(names, brokers=kafka, **more), whole=whole)

    return open_source


def test_a_topic_that_is_read_to_its_end_keeps_the_contract_of_a_source(topic, produce, at):
    name = topic(3)
    rng = random.Random(1)
    produce(name, [(rng.randrange(3), 1_000 + rng.randrange(50), b'{"i": %d}' % i) for i in range(60)])
    check_source(lambda: at(name))


def test_the_order_is_that_of_timestamps_whatever_comes_first(topic, produce, at):
    name = topic(2)
    # Partition 1 is written first; within a partition the order stays, disordered or not.
    produce(name, [(1, 20, b"b20"), (1, 10, b"b10"), (1, 40, b"b40")])
    produce(name, [(0, 5, b"a5"), (0, 20, b"a20"), (0, 30, b"a30")])
    source = at(name)
    arrivals = source.read(100)
    assert arrivals.payloads == [b"a5", b"a20", b"b20", b"b10", b"a30", b"b40"]
    assert arrivals.arrival.tolist() == [5, 20, 20, 20, 30, 40]
    assert arrivals.timestamp.tolist() == [5, 20, 20, 10, 30, 40]
    assert source.read(1) is None
    source.close()


def test_two_topics_are_one_source(topic, produce, at):
    first, second = topic(), topic(2)
    produce(first, [(0, 1, b"a"), (0, 4, b"d")])
    produce(second, [(0, 2, b"b"), (1, 3, b"c")])
    source = at(first, second)
    assert source.partitions == (0, 10_000, 10_001)
    pinned = str(source.pinned())
    assert drained(source) == [(0, 0, b"a"), (10_000, 0, b"b"), (10_001, 0, b"c"), (0, 1, b"d")]
    # What comes later is not in it.
    produce(first, [(0, 3, b"later")])
    again = KafkaSource(Topics.parse(pinned))
    assert drained(again) == [(0, 0, b"a"), (10_000, 0, b"b"), (10_001, 0, b"c"), (0, 1, b"d")]


def test_a_pattern_says_topics(topic, produce, kafka):
    name = topic()
    produce(name, [(0, 1, b"a")])
    source = KafkaSource(Topics(pattern=f"{name[:6]}.*{name[-3:]}", brokers=kafka))
    assert source.topics == (name,)
    assert drained(source) == [(0, 0, b"a")]
    with pytest.raises(NotFoundError, match="no topic fits the pattern"):
        KafkaSource(Topics(pattern="nothing-[0-9]", brokers=kafka))


def test_bounds(topic, produce, at, kafka):
    name = topic(2)
    produce(name, [(part, 1_000 * i + part + 1, b"%d.%d" % (part, i)) for i in range(5) for part in range(2)])

    def values(**bounds):
        return [payload for _, _, payload in drained(at(name, **bounds))]

    assert values(start="0:3,1:4") == [b"0.3", b"0.4", b"1.4"]
    assert values(start="latest") == []
    assert values(stop="0:1,1:2") == [b"0.0", b"1.0", b"1.1"]
    assert values(start="1970-01-01T00:00:03Z", stop="1970-01-01T00:00:04Z") == [b"0.3", b"1.3"]
    assert values(start="1970-01-01T01:00:00Z") == []
    committer = Consumer({"bootstrap.servers": kafka, "group.id": "styx-lab"})
    committer.commit(offsets=[TopicPartition(name, 0, 4)], asynchronous=False)
    committer.close()
    assert values(start="committed") == [b"1.0", b"1.1", b"1.2", b"1.3", b"0.4", b"1.4"]


def test_what_was_aborted_is_not_read_and_a_control_record_at_the_end_is_no_wait(topic, produce, at, kafka):
    name = topic()
    produce(name, [(0, 1, b"kept")], **{"transactional.id": f"tx-{name}"})
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": f"tx2-{name}"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"aborted", partition=0)
    producer.flush(30)
    producer.abort_transaction(30)
    source = at(name)
    assert drained(source) == [(0, 0, b"kept")]
    # The commit's and the abort's records stand behind the last event.
    live = at(name, stop="never")
    until(lambda: len(live.read(10)) == 1)
    live.close()


def test_tombstones_keys_and_headers_are_kept(topic, produce, at):
    name = topic()
    headers = [("trace", b"1"), ("trace", b"2"), ("none", None)]
    produce(name, [(0, 1, b"v", b"k", headers), (0, 2, None, b"gone"), (0, 3, b"", None, None)])
    source = at(name, whole=True)
    arrivals = source.read(10)
    assert arrivals.keys == [b"k", b"gone", None]
    assert arrivals.headers == [headers, [], []]
    assert arrivals.payloads == [b"v", b"", b""]
    assert arrivals.broken == {1: "tombstone"}
    source.close()


def test_a_live_topic_gives_what_comes_and_its_partitions_as_they_are_made(topic, produce, at, kafka, monkeypatch):
    monkeypatch.setattr("styx_lab.connectors.kafka.source._LOOK_SECONDS", 0.0)
    name = topic()
    source = at(name, stop="never", start="latest")
    assert source.live
    assert len(source.read(10)) == 0
    produce(name, [(0, 5, b"first")])
    found = []
    until(lambda: found.extend(source.read(10).payloads) or found == [b"first"])
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_partitions([NewPartitions(name, 2)])[name].result(30)
    until(lambda: source.read(10) is not None and source.partitions == (0, 1))
    produce(name, [(1, 6, b"second")])
    until(lambda: found.extend(source.read(10).payloads) or found == [b"first", b"second"])
    assert source.position()["next"] == [[0, 1, -1], [1, 1, -1]]
    assert source.lag() == 0
    source.close()


def test_an_arrival_is_the_time_of_fetching_where_a_topic_is_live(topic, produce, kafka):
    name = topic()
    produce(name, [(0, 5, b"old")])
    source = KafkaSource(Topics((name,), stop="never", brokers=kafka), wall=lambda: 1_700_000_000_000)
    found = []

    def read():
        arrivals = source.read(9)
        found.extend(zip(arrivals.arrival.tolist(), arrivals.timestamp.tolist(), strict=True))
        return found

    until(read)
    assert found == [(1_700_000_000_000, 5)]
    source.close()


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ({"start": "0:9"}, "the partition has the offsets 0 to 2; got 9"),
        ({"start": "7:0"}, "the topic has no such partition; got 7. Try: it has 0"),
        ({"stop": "0:9"}, "the partition ends at 2; got 9"),
    ],
)
def test_an_offset_that_is_not_there_is_said(topic, produce, at, bounds, says):
    name = topic()
    produce(name, [(0, 1, b"a"), (0, 2, b"b")])
    with pytest.raises(DataError, match=says):
        at(name, **bounds)


def test_an_offset_that_retention_took_is_said_with_what_is_there(topic, produce, at, kafka):
    name = topic()
    produce(name, [(0, 1, b"a"), (0, 2, b"b"), (0, 3, b"c")])
    source = at(name)
    position = source.position()
    admin = AdminClient({"bootstrap.servers": kafka})
    (gone,) = admin.delete_records([TopicPartition(name, 0, 2)]).values()
    gone.result(30)
    with pytest.raises(DataError, match=r"the partition has the offsets 2 to 3; got 0\. Try: retention has deleted"):
        at(name, start="0:0")
    source.seek(position)
    with pytest.raises(RunError, match="offset 0 is not there: the partition has 2 to 3"):
        drained(source)


def test_a_position_of_other_topics_is_refused(topic, produce, at):
    first, second = topic(), topic()
    produce(first, [(0, 1, b"a")])
    produce(second, [(0, 1, b"a")])
    source, other = at(first), at(second)
    for wrong in (other.position(), {"row": 3}, None, {"topics": [first], "next": [[5, 0, 0]]}):
        with pytest.raises(DataError, match="this is no position in these topics"):
            source.seek(wrong)
    source.close()
    source.close()
    other.close()


def test_a_topic_that_is_not_there_is_said_with_what_is_alike(topic, at, kafka):
    name = topic()
    began = time.monotonic()
    with pytest.raises(NotFoundError, match=f"there is no such topic; got '{name}x'.*{name}"):
        at(f"{name}x")
    with pytest.raises(RunError, match=r"no broker listens there .*Try: start it \(styx cluster up kafka\)"):
        KafkaSource(Topics((name,), brokers="127.0.0.1:1"))
    assert time.monotonic() - began < 30  # a hang, not a measure: each is given five seconds


def test_a_setting_that_is_refused_is_named_and_its_value_is_not(kafka):
    profile = KafkaProfile(kafka, {"sasl.pasword": "very-secret"})
    with pytest.raises(DataError, match=r"sasl\.pasword") as raised:
        KafkaSource(Topics((uuid.uuid4().hex,)), profile=profile)
    assert "very-secret" not in str(raised.value)
    assert "very-secret" not in repr(profile)


def until(true, seconds: float = 30.0) -> None:
    """Wait for a condition; reading a source waits for some milliseconds by itself."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
