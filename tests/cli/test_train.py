"""`styx train`: from examples, and from a flow over a recording; what does not go together is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

ESTIMATORS = """
from sklearn.tree import DecisionTreeClassifier

small = DecisionTreeClassifier(max_depth=2)
kind = DecisionTreeClassifier
number = 7
"""


@pytest.fixture
def from_flow(data):
    (data / "cli_estimators.py").write_text(ESTIMATORS)
    flow, recording = data / "cli_flows.py", data / "payments.recording.parquet"
    return ["train", "m", "--flow", f"{flow}:flow", "--input", recording, "--step", "payments"]


def test_a_flow_over_a_recording(styx, from_flow, here):
    done = styx(*from_flow, "--label", "amount > 100", "--features", "amount", "--model", "tree", "--json")
    assert done.code == 0, done.err
    assert done.json["model"] == "m@1"
    report = done.json["report"]
    assert (report["model"], report["target"], report["holdout_by"]) == ("DecisionTreeClassifier", "label", "time")
    assert report["auc"] > 0.99
    counts = done.json["flow"]["counts"]
    assert counts["events"] == 2_000
    assert counts["reached"] == counts["labelled"] == report["rows"]
    assert sum(done.json["flow"]["dead"].values()) == counts["dead"] > 0


def test_labels_that_came_later_and_a_report_to_read(styx, from_flow, data, here):
    Path("late.csv").write_text(
        "payment_id,fraud,seen\n" + "".join(f"p-{n:07},{n % 2},2024-03-0{1 + n % 3}T00:00:00Z\n" for n in range(900))
    )
    how = ["--labels", "late.csv", "--label", "fraud", "--on", "payment_id", "--known-at", "seen"]
    how += ["--known-by", "2024-03-30", "--holdout-by", "random", "--seed", "3", "--holdout", "0.5"]
    done = styx(
        *from_flow, *how, "--features", "amount", "--model", f"{data}/cli_estimators.py:small", "--alias", "champion"
    )
    assert done.code == 0, done.err
    for said in (
        "m@1, which is m@champion now",
        "DecisionTreeClassifier",
        "log loss",
        "threshold",
        "observed",
        "importance",
        "unlabelled",
        "labels unused",
    ):
        assert said in done.out, said
    other = styx(*from_flow, "--labels", "late.csv", "--on", "payment_id", "--features", "amount", "--model", "tree")
    assert other.code == 0, other.err
    assert "labelled otherwise" in other.out
    # The same column by an expression; and a cut before which no label was known.
    same = [*how[:4], "--on", "payment_id=payment_id || ''", *how[6:8]]
    assert styx(*from_flow, *same, "--features", "amount", "--model", "tree").code == 0
    early = styx(*from_flow, *same, "--known-by", "2020-01-01", "--features", "amount", "--json")
    assert early.code == 65
    assert "no event reached the step" in early.json["error"]["what"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--examples", "e.csv"],
        ["--examples", "e.csv", "--flow", "f.py:flow", "--target", "t"],
        ["--examples", "e.csv", "--target", "t", "--label", "x"],
        ["--examples", "e.csv", "--target", "t", "--input", "x.csv"],
        ["--flow", "f.py:flow"],
        ["--flow", "f.py:flow", "--target", "t"],
        ["--flow", "f.py:flow", "--label", "x", "--on", "y"],
        ["--flow", "f.py:flow", "--label", "x", "--known-at", "y"],
        ["--examples", "e.csv", "--target", "t", "--holdout", "1"],
        ["--examples", "e.csv", "--target", "t", "--holdout-by", "size"],
        ["--examples", "e.csv", "--target", "t", "--sample-rows", "-1"],
    ],
)
def test_options_that_do_not_go_together(styx, here, arguments):
    done = styx("train", "m", *arguments, "--json")
    assert done.code == 2
    assert done.json["error"]["type"] == "UsageError"
    assert list(here.iterdir()) == []


def test_a_flow_needs_its_input(styx, from_flow, here):
    done = styx(*from_flow[:4], "--step", "payments", "--label", "amount > 1", "--json")
    assert done.code == 2
    assert "--input payments=FILE" in done.json["error"]["what"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--label", "amuont"], 64, "amuont"),
        (["--label", "amount > 1", "--step", "nowhere"], 64, "nowhere"),
        (["--label", "amount > 1", "--model", "wood"], 65, "wood"),
        (["--label", "amount > 1", "--model", "DATA/cli_estimators.py:number"], 64, "estimator"),
        (["--label", "amount > 1", "--model", "DATA/cli_estimators.py:nothing"], 66, "nothing"),
        (["--label", "amount > 1", "--model", "no.py:small"], 66, "no.py"),
        (["--label", "x", "--labels", "no.csv"], 66, "no.csv"),
        (["--label", "amount > 1", "--known-by", "soon"], 64, "soon"),
        (["--label", "amount > 1", "--time", "nothing"], 65, "nothing"),
        (["--label", "amount > 1e9", "--features", "amount"], 65, "one class"),
    ],
)
def test_what_cannot_be_trained(styx, from_flow, data, here, arguments, code, says):
    done = styx(*from_flow, *(one.replace("DATA", str(data)) for one in arguments), "--json")
    assert done.code == code, done.out
    assert says in str(done.json["error"])
    assert not (here / ".styx" / "store.db").exists()
