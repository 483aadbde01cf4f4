"""A remote scorer: its answers are those of its model's bytes, and a server that fails stops the run, never a row."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
import stamina
import uvicorn

from styx_lab.core.ports import ModelRecord, Scorer
from styx_lab.errors import ModelError, RunError
from styx_lab.models import open_scorer
from styx_lab.models.openscoring_scorer import OpenscoringScorer
from styx_lab.server.application import make_application
from styx_lab.server.served import ServedModels
from styx_lab.testing import check_scorer

from .hostile_files import GOOD
from .openscoring_server import Openscoring, serving

ROWS = pl.DataFrame({"x": [1.0, 2.0, None, 4.0]})


OPENED: list[Scorer] = []
"""What is to be closed when the server goes."""


@pytest.fixture
def server() -> Iterator[Openscoring]:
    with serving() as state:
        yield state
        while OPENED:
            OPENED.pop().close()


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Between attempts there is no wait; there are as many as the settings say."""
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


def opened(server: Openscoring, pmml: bytes = GOOD, **settings: Any) -> OpenscoringScorer:
    scorer = open_scorer(
        ModelRecord("fraud", 3, pmml, sha256="", created="", meta={}),
        engine="openscoring",
        url=server.url,
        **settings,
    )
    assert isinstance(scorer, OpenscoringScorer)
    OPENED.append(scorer)
    return scorer


def test_a_model_is_put_there_once_and_scores(server: Openscoring) -> None:
    scorer = opened(server)
    assert isinstance(scorer, Scorer)
    assert scorer.remote_name == f"fraud-3-{hashlib.sha256(GOOD).hexdigest()[:16]}"
    assert server.models == {scorer.remote_name: GOOD}
    scores = scorer.score(ROWS, ["y"])
    assert scores.values.to_list() == [3.0, 5.0, None, 9.0]
    assert scores.outputs["y"].to_list() == [3.0, 5.0, None, 9.0]
    assert scores.errors.to_list() == [
        None,
        None,
        "no valid target: model 'fraud@3' gave none for this row",
        None,
    ]
    assert scores.kinds is not None
    assert scores.kinds.to_list() == [None, None, "missing", None]
    opened(server).close()
    assert sum(each.startswith("PUT") for each in server.requests) == 1
    scorer.close()
    scorer.close()
    with pytest.raises(ModelError, match="the scorer is closed"):
        scorer.score(ROWS)


def test_another_model_of_that_name_is_replaced_or_stops(server: Openscoring) -> None:
    other = GOOD.replace(b'"2"', b'"7"')
    server.put("champion", other)
    with pytest.raises(RunError, match=r"'champion': the server has another model, of hash [0-9a-f]{12}"):
        opened(server, model="champion", upload=False)
    with pytest.raises(RunError, match="the server has no such model"):
        opened(server, model="challenger", upload=False)
    assert opened(server, model="champion").score(ROWS).values[0] == 3.0
    assert server.models["champion"] == GOOD
    server.put("champion", GOOD)
    assert opened(server, model="champion", upload=False).score(ROWS).values[0] == 3.0


def test_an_older_server_tells_md5(server: Openscoring) -> None:
    server.says = "file.md5sum"
    assert opened(server).score(ROWS).values[0] == 3.0
    server.says = "size"
    with pytest.raises(RunError, match="does not tell the hash"):
        opened(server)


def test_rows_that_are_refused_have_their_own_errors(server: Openscoring) -> None:
    scorer = opened(server, rows=3)
    scores = scorer.score(pl.DataFrame({"x": ["1", "abc", "poison", "2", None, "inf"]}))
    assert scores.values.to_list() == [3.0, None, None, 5.0, None, None]
    assert scores.errors[1] == (
        "model 'fraud@3': the server refused this row: model 'fraud-3-"
        + hashlib.sha256(GOOD).hexdigest()[:16]
        + "': field 'x': the model cannot take the value 'abc'"
    )
    assert scores.errors[2] == "model 'fraud@3': the server refused this row: this row fells the whole batch"
    assert scores.kinds is not None
    assert scores.kinds.to_list()[1:3] == ["invalid", "invalid"]


@pytest.mark.parametrize("fault", ["503", "502", "504", "torn", "closed", "slow", "drip"])
def test_a_server_that_fails_twice_is_asked_again(server: Openscoring, fault: str) -> None:
    scorer = opened(server, timeout_s=0.3 if fault in ("slow", "drip") else 30)
    server.faults = [f"POST {fault}", f"POST {fault}"]
    assert scorer.score(ROWS).values.to_list() == [3.0, 5.0, None, 9.0]
    assert sum(each.startswith("POST") for each in server.requests) == 1 + 3


@pytest.mark.parametrize("fault", ["503", "torn", "closed"])
def test_a_server_that_goes_on_failing_stops_the_run(server: Openscoring, fault: str) -> None:
    scorer = opened(server)
    server.faults = [f"POST {fault}"] * 9
    with pytest.raises(
        RunError, match=r"model 'fraud@3', openscoring at http://127.*: the server did not answer, 4 times"
    ):
        scorer.score(ROWS)
    assert len(server.faults) == 5
    server.faults = []
    assert scorer.score(ROWS).values[0] == 3.0


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("500", "status 500 to POST"),
        ("418", "status 418 to POST"),
        ("huge", "answer is bigger than 100,000 bytes"),
        ("packed", "a packed answer"),
        ("html", "no JSON object to POST"),
        ("list", "no JSON object to POST"),
        ("few", "there are not as many responses"),
        ("turned", "do not come in the order"),
        ("neither", "neither results nor a message"),
        ("elsewhere", "no redirect is followed; got 302"),
        ("403", "the server refuses POST"),
    ],
)
def test_an_answer_that_is_none_stops_the_run_at_once(server: Openscoring, fault: str, says: str) -> None:
    scorer = opened(server, answer_bytes=100_000)
    server.faults = [f"POST {fault}"]
    before = len(server.requests)
    with pytest.raises(RunError, match=says) as caught:
        scorer.score(ROWS[:1])
    assert "model 'fraud@3', openscoring at http://127" in str(caught.value)
    assert len(server.requests) == before + 1


def test_a_server_that_was_started_anew_is_given_the_model_again(server: Openscoring) -> None:
    scorer = opened(server)
    server.faults = ["POST forget"]
    assert scorer.score(ROWS).values.to_list() == [3.0, 5.0, None, 9.0]
    assert list(server.models) == [scorer.remote_name]
    server.models.clear()
    other = opened(server, upload=True)
    server.models.clear()
    server.faults = ["GET 404", "PUT 404"]
    with pytest.raises(ModelError, match="the server cannot read it: made for the test"):
        other.score(ROWS)


def test_a_model_that_is_changed_while_it_is_asked_stops_the_run(server: Openscoring) -> None:
    scorer = opened(server)
    server.faults = ["POST swap"]
    with pytest.raises(
        RunError, match="the model on the server was changed while it was asked; the answers are dropped"
    ):
        scorer.score(ROWS)


def test_the_circuit_opens_after_failures_in_a_row_and_closes_again(server: Openscoring) -> None:
    scorer = opened(server, failures=6, rest_s=0.4)
    server.faults = ["POST 503"] * 6
    with pytest.raises(RunError, match="the server did not answer"):
        scorer.score(ROWS)
    with pytest.raises(RunError, match=r"did not answer|6 times in a row and is left alone for 0.4 s"):
        scorer.score(ROWS)
    before = len(server.requests)
    with pytest.raises(RunError, match="the circuit is open"):
        scorer.score(ROWS)
    with pytest.raises(RunError, match="the circuit is open"):
        opened(server, failures=6, rest_s=0.4)  # what one scorer knows of a server, others know
    assert len(server.requests) == before
    server.hold.wait(0.5)
    assert scorer.score(ROWS).values[0] == 3.0


def test_a_port_where_nobody_listens_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/openscoring"
    record = ModelRecord("fraud", 3, GOOD, sha256="", created="", meta={})
    with pytest.raises(RunError, match=r"the server did not answer.*ConnectError.*see whether it runs"):
        open_scorer(record, engine="openscoring", url=url)


def test_a_token_is_sent_and_not_shown(server: Openscoring, monkeypatch: pytest.MonkeyPatch) -> None:
    server.token = "open sesame"
    with pytest.raises(RunError, match="the server refuses GET") as caught:
        opened(server, token="wrong")
    assert "wrong" not in str(caught.value)
    monkeypatch.setenv("STYX_OPENSCORING_TOKEN", "open sesame")
    scorer = opened(server)
    assert scorer.score(ROWS).values[0] == 3.0
    assert "sesame" not in repr(scorer._settings)
    assert server.headers[-1]["authorization"] == "Bearer open sesame"
    assert server.headers[-1]["accept-encoding"] == "identity"


def test_no_proxy_of_the_environment_is_asked(server: Openscoring, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert opened(server).score(ROWS).values[0] == 3.0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": ""}, "needs the address of its server"),
        ({"url": "file:///etc/passwd"}, "needs the address of its server"),
        ({"url": "http://u:p@127.0.0.1/openscoring"}, "an address holds no password"),
        ({"url": "http://scores.example.com/openscoring", "token": "t"}, "a token goes over https only"),
        ({"url": "http://127.0.0.1/openscoring", "attempts": 0}, "attempts is above 0"),
        ({"url": "https://127.0.0.1/openscoring", "ca_file": "/nowhere"}, "certificates cannot be read"),
        ({"url": "http://127.0.0.1/openscoring", "speed": 9}, "no such setting; got 'speed'"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STYX_OPENSCORING_URL", raising=False)
    record = ModelRecord("fraud", 3, GOOD, sha256="", created="", meta={})
    with pytest.raises(ModelError, match=says) as caught:
        open_scorer(record, engine="openscoring", **settings)
    assert ":p@" not in str(caught.value)


def test_the_address_may_come_from_the_environment(server: Openscoring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYX_OPENSCORING_URL", server.url + "/")
    record = ModelRecord("fraud", 3, GOOD, sha256="", created="", meta={})
    OPENED.append(open_scorer(record, engine="openscoring"))
    assert OPENED[-1].score(ROWS).values[0] == 3.0


def test_other_engines_have_no_settings() -> None:
    record = ModelRecord("fraud", 3, GOOD, sha256="", created="", meta={})
    with pytest.raises(ModelError, match="engine 'native' has no such setting; got 'url'"):
        open_scorer(record, engine="native", url="http://127.0.0.1/")


@pytest.fixture
def served() -> Iterator[str]:
    """The address of `styx models serve`."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    application = make_application(ServedModels())
    running = uvicorn.Server(uvicorn.Config(application, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/openscoring"
    while OPENED:
        OPENED.pop().close()
    running.should_exit = True
    thread.join()
    listening.close()


def test_our_own_server_is_such_a_server(served: str) -> None:
    def make() -> Scorer:
        record = ModelRecord("fraud", 3, GOOD, sha256="", created="", meta={})
        OPENED.append(open_scorer(record, engine="openscoring", url=served))
        return OPENED[-1]

    scorer = make()
    assert scorer.score(ROWS).values.to_list() == [3.0, 5.0, None, 9.0]
    beyond = scorer.score(pl.DataFrame({"x": [float("inf"), 1.0]}))
    assert beyond.errors.to_list() == ["no valid target: model 'fraud@3' gave none for this row", None]
    check_scorer(make, pl.DataFrame({"x": ["1", "abc", None, "2"]}))
    check_scorer(make, pl.DataFrame({"x": [1.0, None, 1e300, -2.0]}))


def test_a_hostile_file_is_not_sent(server: Openscoring) -> None:
    with pytest.raises(ModelError, match="DOCTYPE"):
        opened(server, b"<!DOCTYPE PMML>" + GOOD)
    assert server.requests == []
