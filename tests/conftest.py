"""What every test may use: the hypothesis profiles, real servers, and a page in a real browser.

Law: a test that needs a browser or a server and finds none fails; it does not skip.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from styx_lab.services import Cluster

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent

# Nothing is timed: a deadline would fail on a busy machine. `ci` is the same on every run; `fast` is not.
settings.register_profile(
    "fast", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("ci", settings.get_profile("fast"), max_examples=100, derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("STYX_HYPOTHESIS", "fast"))


def _tool(name: str) -> ModuleType:
    """A module of tools/, which is no package."""
    import sys

    spec = spec_from_file_location(f"styx_tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests of a worker: the system's, else the fetched one."""
    from playwright.sync_api import sync_playwright

    options = _tool("chromium").find_or_fetch().launch_options()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(**options)
        yield started
        started.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Page]:
    """A fresh page: `browser.goto(url)`. An error in the page's scripts fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert not faults, f"the page's scripts failed: {faults}"


def _servers(config: pytest.Config) -> Cluster:
    """The servers that all workers of a test run share, in a folder of that run."""
    base = config._tmp_path_factory.getbasetemp()
    return Cluster((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "servers")


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> str:
    """A real broker's address. It is shared: a test makes topics with names of its own."""
    (state,) = _servers(pytestconfig).up(["kafka"], ports={"kafka": 0})
    return state.address


@pytest.fixture
def topic(kafka: str) -> Callable[..., str]:
    """Make a topic with so many partitions; gives its name."""

    def make(partitions: int = 1, **config: str) -> str:
        from confluent_kafka.admin import AdminClient, NewTopic

        name = f"t-{uuid.uuid4().hex[:10]}"
        admin = AdminClient({"bootstrap.servers": kafka})
        admin.create_topics([NewTopic(name, partitions, config=config)])[name].result(30)
        return name

    return make


@pytest.fixture
def produce(kafka: str) -> Callable[..., None]:
    """Write events to a topic: (partition, timestamp, value) each, with a key and headers where they are said."""

    def write(name: str, events: Sequence[tuple[object, ...]], **settings: object) -> None:
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": kafka, "linger.ms": 1, **settings})
        transactional = "transactional.id" in settings
        if transactional:
            producer.init_transactions(30)
            producer.begin_transaction()
        for partition, stamp, value, *more in events:
            key, headers = (*more, None, None)[:2]
            producer.produce(name, value, key=key, partition=partition, timestamp=stamp, headers=headers)
        assert producer.flush(30) == 0
        if transactional:
            producer.commit_transaction(30)

    return write


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the servers that tests started, when the last of the workers is done."""
    if "PYTEST_XDIST_WORKER" not in os.environ and hasattr(session.config, "_tmp_path_factory"):
        servers = _servers(session.config)
        if servers.folder.exists():
            servers.down()
