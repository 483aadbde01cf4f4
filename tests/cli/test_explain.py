"""`styx explain`: the answer, the same as JSON and as a picture, for a flow and for a bundle."""

from __future__ import annotations

import json

import pytest

KEY = "card-00349"


@pytest.fixture
def attacked(data):
    """A card that was attacked."""
    import styx_lab as styx
    from styx_lab.workbench.flow_files import find_flow

    flow = find_flow(f"{data / 'cli_flows.py'}:flow").flow
    found = styx.replay(flow, data / "payments.recording.parquet").outputs["notifications"]
    return json.loads(found["key"][0])[0]


def test_it_answers_first_and_then_tells_the_rest(styx, data, attacked):
    flow, given = f"{data / 'cli_flows.py'}:flow", data / "payments.recording.parquet"
    done = styx("explain", flow, "--input", given, "--key", attacked)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].endswith(f"for card_id='{attacked}'.")
    assert "match" in lines[0]
    assert any(line.startswith("Pattern  begin declined") for line in lines)
    assert any(line.startswith("Engine   compiled chain") for line in lines)
    assert "Partial matches" in done.out


def test_json_and_the_picture(styx, data, here, attacked):
    flow, given = f"{data / 'cli_flows.py'}:flow", data / "payments.recording.parquet"
    done = styx("explain", flow, "--input", given, "--key", f"card_id={attacked}", "--svg", "why.svg", "--json")
    assert done.code == 0, done.err
    assert done.json["matches"]
    assert done.json["svg"] == "why.svg"
    assert (here / "why.svg").read_text().startswith("<svg")
    assert done.json["happenings"][0]["what"] == "started"


def test_a_bundle_is_explained_as_its_flow_is(styx, data, promoted, attacked):
    given = ("--input", data / "payments.recording.parquet", "--key", attacked, "--at", "2024-03-04T01:44")
    of_flow = styx("explain", f"{data / 'cli_flows.py'}:flow", *given)
    of_bundle = styx("explain", "testing", *given, "--store", promoted)
    assert of_bundle.code == 0, of_bundle.err
    assert of_bundle.out == of_flow.out


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--key", KEY, "--at", "yesterday"], 64, "not a time"),
        (["--key", KEY, "--step", "tell"], 64, "only a detect step can be explained"),
        (["--key", "card=1"], 64, "not the columns of the key"),
        (["--key", "a", "--key", "b"], 2, "a key of several columns is COLUMN=VALUE"),
        ([], 2, "--key"),
        (["--key", KEY, "--svg", "no/such/folder/why.svg"], 73, "the picture cannot be written"),
    ],
)
def test_what_is_wrong_is_one_message(styx, data, here, more, code, said):
    flow, given = f"{data / 'cli_flows.py'}:flow", data / "payments.recording.parquet"
    done = styx("explain", flow, "--input", given, *more)
    assert done.code == code
    assert said in done.err
    assert done.out == ""


def test_it_needs_an_input_and_a_flow_that_is_there(styx, data, here):
    assert styx("explain", f"{data / 'cli_flows.py'}:flow", "--key", KEY).code == 2
    assert styx("explain", "no-such-bundle", "--input", data / "payments.jsonl", "--key", KEY).code == 66
