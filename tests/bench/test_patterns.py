"""The group of patterns: right answers at any batch size by either matcher, wrong ones said to be so."""

from dataclasses import replace

import polars as pl
import pytest

from styx_lab.bench import pattern_cases
from styx_lab.bench.harness import measure
from styx_lab.bench.many_partials import run_partials
from styx_lab.bench.pattern_cases import general_cases, w3_cases
from styx_lab.bench.patterns import GENERAL
from styx_lab.bench.payments import payments
from styx_lab.bench.reference_patterns import matches_of, right_answer
from styx_lab.bench.workloads import run_benchmarks
from styx_lab.engines.chain import Chain


@pytest.mark.parametrize("batch", [100, 1_000])
@pytest.mark.parametrize("name", GENERAL)
def test_answers_are_right_at_any_batch_size(name, batch):
    ((title, case),) = general_cases(name, batch, 3_000).items()
    assert title.startswith(name)
    assert case.check() is None
    assert case.run() == 3_000


@pytest.mark.parametrize("batch", [100, 10_000])
def test_w3_is_right_by_either_matcher(batch):
    cases = w3_cases(batch, 20_000)
    assert {name: case.check() for name, case in cases.items()} == dict.fromkeys(cases)
    assert f"W3, flow, batches of {batch:,}, general matcher" in cases


def test_every_pattern_finds_something_in_few_events():
    data = payments(3_000)
    assert all(right_answer(name, data).count for name in GENERAL)


@pytest.mark.parametrize("name", GENERAL)
def test_a_wrong_answer_gets_no_figure(name, monkeypatch):
    right, general = right_answer(name, payments(3_000)), GENERAL[name]
    assert measure(general_cases(name, 1_000, 3_000), repeats=1).right
    monkeypatch.setattr(pattern_cases, "right_answer", lambda *_: right)
    monkeypatch.setitem(GENERAL, name, replace(general, pattern=general.pattern.within("1s")))
    report = measure(general_cases(name, 1_000, 3_000), repeats=1)
    assert not report.right
    assert report.cases[0].rate is None


def test_plain_conditions_agree_with_plain_loops():
    data = payments(3_000)
    cards = data.columns.sort("ts", maintain_order=True).partition_by("card_id", as_dict=True)
    found = []
    for card in cards.values():
        rows = card.select("event_id", "ts", "kind", "amount").rows()
        for place, (first, start, kind, _) in enumerate(rows):
            fails = [row[0] for row in rows[place + 1 :] if row[2] == "fail"] if kind == "fail" else []
            drains = [row[:2] for row in rows if row[2] == "auth" and row[3] > 500 and row[1] - start < 10_000]
            order = {row[0]: number for number, row in enumerate(rows)}
            found += [[first, second, auth] for second in fails for auth, _ in drains if order[auth] > order[second]]
    assert sorted(found) == sorted(matches_of("combinations", data))


@pytest.mark.parametrize("matcher", ["chains", "all patterns"])
@pytest.mark.parametrize(("keys", "batch"), [(3, 1), (500, 70)])
def test_each_of_many_keys_has_its_match(keys, batch, matcher):
    assert run_partials(keys, batch, matcher, check=True) == {"answer": "right"}


@pytest.mark.parametrize("fault", ["twice", "less", "another"])
def test_a_wrong_match_of_many_keys_is_found(monkeypatch, fault):
    feed = Chain.feed

    def wrong(chain, piece):
        out = feed(chain, piece)["out"]
        if fault == "twice":
            out = pl.concat([out, out[:1]])
        elif fault == "less":
            out = out[1:]
        else:
            out = out.with_columns(pl.col("card_id").shift(1).fill_null(pl.col("card_id").last()))
        return {"out": out}

    monkeypatch.setattr(Chain, "feed", wrong)
    assert run_partials(300, 300, "chains", check=True)["answer"].startswith("wrong")


@pytest.mark.slow
def test_the_report_stands_beside_what_flink_was_recorded_with():
    (group,) = run_benchmarks(["patterns"], 2_000, 1).values()
    assert len(group) == 3 + len(GENERAL)
    for report in group.values():
        assert {case["answer"] for case in report["cases"]} == {"right"}
    flink = [report["flink"] for report in group.values() if "flink" in report]
    assert [one["measure"] for one in flink][:3] == [127_000, 127_000, 31_000]
    assert all(case["peak_mb"] > 0 for case in group["many partial matches"]["cases"])
