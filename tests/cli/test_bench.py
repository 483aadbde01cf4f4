"""`styx bench windows`: every case beside its limit, as JSON and as a table."""

from __future__ import annotations

import json

import pytest


@pytest.mark.slow
def test_windows_as_json(styx):
    done = styx("bench", "windows", "--events", "2000", "--repeats", "1", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)["windows"]
    assert list(told) == ["W2, batches of 10,000", "W2, batches of 100", "sessions of 5 min", "many keys"]
    assert {case["answer"] for report in told.values() for case in report["cases"]} == {"right"}


@pytest.mark.slow
def test_windows_as_a_table_with_the_memory_of_many_keys(styx):
    done = styx("bench", "windows", "--events", "1000", "--repeats", "1")
    assert done.code == 0, done.err
    assert "peak MB" in done.out
    assert "sessions of 5 min by hand, batches of 10,000" in done.out
    assert "sliding windows, 500 keys" in done.out
