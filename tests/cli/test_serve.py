"""`styx models serve`: a real server process, asked over real connections, and by the product's own remote scorer."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading

import httpx
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from styx_lab.core.ports import ModelRecord
from styx_lab.models import open_scorer, train
from styx_lab.server.served import ServedModels

ROWS = pl.DataFrame(
    {
        "amount": [10.0, 900.0, 20.0, 800.0, None, 850.0] * 20,
        "country": ["DE", "US", "DE", "US", "FR", "US"] * 20,
        "fraud": [0, 1, 0, 1, 0, 1] * 20,
    }
)
ASKED = {"id": "one", "arguments": {"amount": 920.5, "country": "US"}}


@pytest.fixture(scope="module")
def pmml(tmp_path_factory):
    path = tmp_path_factory.mktemp("serve") / "fraud.pmml"
    train(ROWS, target="fraud", features=["amount", "country"], name="fraud").export(path)
    return path


@pytest.fixture(scope="module")
def exact(pmml):
    """The probability of `ASKED`, by the scorer itself."""
    scorer = open_scorer(ModelRecord("fraud", 1, pmml.read_bytes(), "", "", {}))
    return scorer.score(pl.DataFrame({"amount": [920.5], "country": ["US"]})).values[0]


@pytest.fixture(scope="module")
def server(started, pmml):
    """A server that has the model `fraud`."""
    with serving(started, pmml) as client:
        yield client


class serving:
    def __init__(self, started, *arguments, **environment):
        options = {"env": os.environ | environment} if environment else {}
        self.process = started("models", "serve", *arguments, "--port", 0, **options)

    def __enter__(self):
        line = self.process.stdout.readline()
        found = re.search(r"at (http://\S+:\d+/openscoring)", line)
        assert found, line + self.process.stderr.read()
        self.client = httpx.Client(base_url=found[1] + "/", timeout=60)
        return self.client

    def __exit__(self, *_):
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=60)
        assert errors == ""
        assert self.process.returncode == 0


def test_the_models_and_one_with_its_fields(server, pmml):
    (brief,) = server.get("model").json()["responses"]
    assert brief["id"] == "fraud"
    assert brief["miningFunction"] == "classification"
    assert brief["properties"]["file.size"] == len(pmml.read_bytes())
    whole = server.get("model/fraud").json()
    assert [one["id"] for one in whole["schema"]["inputFields"]] == ["country", "amount"]
    assert whole["schema"]["targetFields"][0]["values"] == ["0", "1"]
    assert server.get("model/fraud/pmml").content == pmml.read_bytes()


def test_one_row_many_rows_and_a_table(server, exact):
    one = server.post("model/fraud", json=ASKED).json()
    assert one == {"id": "one", "results": {"fraud": 1, "probability(0)": 1 - exact, "probability(1)": exact}}
    batch = {"id": "b", "requests": [ASKED, {"arguments": {"amount": "abc"}}, {"id": "none", "arguments": {}}]}
    answered = server.post("model/fraud/batch", json=batch).json()
    assert answered["id"] == "b"
    first, second, third = answered["responses"]
    assert first == one
    assert second == {"message": "model 'fraud': field 'amount': the model cannot take the value 'abc'"}
    assert third["id"] == "none"
    table = server.post(
        "model/fraud/csv", content="Id,amount,country\n7,920.5,US\n", headers={"content-type": "text/plain"}
    )
    assert table.text.splitlines() == ["Id,fraud,probability(0),probability(1)", f"7,1,{1 - exact!r},{exact!r}"]
    assert server.post("model/fraud/csv", content="amount\nabc\n").status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "says"),
    [
        ("GET", "model/nobody", {}, 404, "there is no model 'nobody'"),
        ("POST", "model/nobody", {"json": {}}, 404, "there is no model"),
        ("POST", "model/fraud", {"content": b"{bad", "headers": {"content-type": "application/json"}}, 400, "no JSON"),
        ("POST", "model/fraud", {"content": b"{}"}, 415, "application/json"),
        ("POST", "model/fraud", {"json": [1]}, 400, "the body is an object"),
        ("POST", "model/fraud", {"json": {"arguments": {"amount": [1]}}}, 400, "no single value"),
        ("POST", "model/fraud", {"json": {"arguments": {"amount": "abc"}}}, 400, "cannot take the value 'abc'"),
        ("POST", "model/fraud/batch", {"json": {"requests": 3}}, 400, "a list of objects"),
        ("POST", "model/fraud/csv", {"content": b""}, 400, "the table cannot be read"),
        ("POST", "model/fraud/csv", {"content": b"amount\n\xe9\n"}, 400, "utf-8"),
        ("POST", "model/fraud/csv", {"content": b"a|b\n1|2\n"}, 400, "none of the model's fields: country, amount"),
        ("POST", "model/fraud/csv?delimiterChar=ab", {"content": b"amount\n1\n"}, 400, "one sign of ASCII"),
        ("POST", "model/fraud/csv?delimiterChar=%22", {"content": b"amount\n1\n"}, 400, "two signs"),
        (
            "POST",
            "model/fraud/csv",
            {"content": b"amount\n1\n", "headers": {"content-type": "text/csv; charset=latin-1"}},
            415,
            "a table is UTF-8",
        ),
        ("PUT", "model/bad", {"content": b"<x/>"}, 400, "bad"),
        ("PUT", "model/-", {"content": b"<x/>"}, 400, "an id has letters"),
        ("PUT", "model/bad", {"content": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/"><PMML/>'}, 400, "DOCTYPE"),
        ("DELETE", "model/nobody", {}, 404, "there is no model"),
        ("GET", "elsewhere", {}, 404, "Not Found"),
        ("PATCH", "model/fraud", {}, 405, "Method Not Allowed"),
    ],
)
def test_what_cannot_be_done_is_said_as_json(server, method, path, more, status, says):
    answer = server.request(method, path, **more)
    assert answer.status_code == status
    assert says in answer.json()["message"]


@pytest.mark.parametrize(
    ("query", "sign"), [("", ";"), ("", "\t"), ("?delimiterChar=%09", "\t"), ("?delimiterChar=|", "|")]
)
def test_a_table_is_read_and_written_as_the_client_writes_it(server, exact, query, sign):
    content = "Id,amount,country\n7,920.5,'US'\n".replace(",", sign).replace("'", '"')
    table = server.post(f"model/fraud/csv{query}", content=content)
    assert table.text.splitlines()[1].split(sign) == ["7", "1", repr(1 - exact), repr(exact)]


def test_a_row_of_a_batch_that_cannot_be_scored_takes_no_other_with_it(server):
    rows = [{"amount": 920.5, "country": "US"}, {"amount": [1]}, {"amount": 10**400, "country": "US"}]
    batch = server.post("model/fraud/batch", json={"requests": [{"arguments": row} for row in rows]}).json()
    first, nested, _ = batch["responses"]
    assert first["results"]["fraud"] == 1
    assert nested == {"message": "argument 'amount' is no single value"}


def test_the_address_that_is_printed_is_one_that_is_answered(started, pmml):
    with serving(started, pmml, "--host", "127.0.0.2") as client:
        assert client.get("model").status_code == 200


def test_a_browser_that_was_sent_here_by_another_name_is_refused(server):
    answer = server.get("model", headers={"host": "evil.example"})
    assert answer.status_code == 400


def test_a_model_is_put_replaced_and_removed(server, pmml):
    assert server.put("model/other", content=pmml.read_bytes()).status_code == 201
    assert server.put("model/other", content=pmml.read_bytes()).status_code == 200
    assert [one["id"] for one in server.get("model").json()["responses"]] == ["fraud", "other"]
    assert server.post("model/other", json=ASKED).status_code == 200
    assert server.delete("model/other").status_code == 200
    assert server.get("model/other").status_code == 404


def test_many_at_once_have_their_own_answers(server):
    found = {}

    def ask(amount):
        rows = {"requests": [{"id": str(amount), "arguments": {"amount": amount, "country": "US"}}] * 50}
        found[amount] = server.post("model/fraud/batch", json=rows).json()["responses"]

    threads = [threading.Thread(target=ask, args=(amount,)) for amount in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for amount, responses in found.items():
        assert len({json.dumps(one) for one in responses}) == 1
        assert responses[0]["id"] == str(amount)
    assert len({json.dumps(one[0]["results"]) for one in found.values()}) == 8


def test_the_remote_scorer_scores_by_it_as_the_native_one(server, pmml):
    record = ModelRecord("fraud", 1, pmml.read_bytes(), "", "", {})
    rows = pl.DataFrame({"amount": ["10", "abc", None, "900.25"], "country": ["DE", "US", "FR", "ZZ"]})
    here = open_scorer(record)
    there = open_scorer(record, engine="openscoring", url=str(server.base_url).rstrip("/"))
    ours, theirs = here.score(rows, ["fraud"]), there.score(rows, ["fraud"])
    assert theirs.values.to_list() == ours.values.to_list()
    assert theirs.outputs["fraud"].to_list() == ours.outputs["fraud"].to_list()
    assert theirs.errors.is_null().to_list() == ours.errors.is_null().to_list()
    there.close()


def test_a_token_is_asked_of_everyone(started, pmml):
    with serving(started, pmml, STYX_SERVE_TOKEN="secret") as client:
        for method, path in [
            ("GET", "model"),
            ("GET", "model/fraud"),
            ("GET", "model/fraud/pmml"),
            ("POST", "model/fraud"),
            ("POST", "model/fraud/batch"),
            ("POST", "model/fraud/csv"),
            ("PUT", "model/fraud"),
            ("DELETE", "model/fraud"),
        ]:
            assert client.request(method, path).status_code == 401, path
            wrong = client.request(method, path, headers={"authorization": "Bearer wrong"})
            assert wrong.status_code == 401
        assert client.post("model/fraud", json=ASKED, headers={"authorization": "Bearer secret"}).status_code == 200


def test_what_cannot_be_served_is_said(started, ended, pmml, tmp_path):
    open_to_all = ended(started("models", "serve", pmml, "--host", "0.0.0.0"))
    assert (open_to_all.code, "an address that others reach needs a token" in open_to_all.err) == (70, True)
    gone = ended(started("models", "serve", tmp_path / "no.pmml"))
    assert (gone.code, "there is no such file" in gone.err) == (66, True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = ended(started("models", "serve", pmml, "--port", taken.getsockname()[1]))
    assert (busy.code, "the address cannot be listened on" in busy.err) == (70, True)


FIELDS = {"d": "double", "f": "float", "i": "integer", "b": "boolean", "s": "string"}
PLAIN = f"""<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/><DataDictionary>
<DataField name="y" optype="continuous" dataType="double"/>
{
    "".join(
        f'<DataField name="{name}" optype="{"categorical" if name in "bs" else "continuous"}" dataType="{kind}"/>'
        for name, kind in FIELDS.items()
    )
}
</DataDictionary><RegressionModel functionName="regression"><MiningSchema><MiningField name="y" usageType="target"/>
{
    "".join(
        f'<MiningField name="{name}" missingValueReplacement="{"false" if name == "b" else "0"}"/>' for name in FIELDS
    )
}
</MiningSchema><RegressionTable intercept="1">
{
    "".join(
        f'<NumericPredictor name="{name}" coefficient="{weight}"/>' for name, weight in (("d", 2), ("f", 3), ("i", 5))
    )
}
<CategoricalPredictor name="b" value="true" coefficient="7"/>
{
    "".join(
        f'<CategoricalPredictor name="s" value="{value}" coefficient="{weight}"/>'
        for value, weight in (("7", 11), ("7.5", 13), ("true", 17), ("9007199254740993", 19))
    )
}
</RegressionTable></RegressionModel></PMML>"""
VALUES = st.sampled_from(
    [None, True, False, 0, 7, -3, 2**53 + 1, 2**63, 2**70, 10**400, 7.0, 7.5, 1e22, -0.0, "7", "7.0", "true", "x", ""]
) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)  # fmt: skip


@example("s", [7, 7.5])
@example("s", [2**53 + 1, 7.0])
@example("i", [2**53 + 1, 7.5])
@settings(max_examples=300)
@given(st.sampled_from(sorted(FIELDS)), st.lists(VALUES, min_size=2, max_size=4))
def test_a_row_is_answered_the_same_whatever_rows_it_comes_with(field, values):
    model, _ = ServedModels().put("plain", PLAIN.encode())
    rows = [{field: value} for value in values]
    alone = [model.answer([row])[0] for row in rows]
    # How a refusal quotes the value may differ ('7', 7); what is refused and what is answered may not.
    assert [one.get("results", "refused") for one in model.answer(rows)] == [
        one.get("results", "refused") for one in alone
    ]
