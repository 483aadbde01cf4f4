"""`styx models`: the registry as it is seen from a terminal, and scoring by a model."""

from __future__ import annotations

import csv
import gzip
import math
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.models import open_scorer
from styx_lab.workbench import train
from styx_lab.workbench.models import find_model
from styx_lab.workbench.registry import show_model
from styx_lab.workbench.scoring import read_texts, score_rows

CASES = Path(__file__).parents[1] / "models" / "cases" / "reference"
ROWS = pl.DataFrame(
    {
        "amount": [10.0, 900.0, 20.0, 800.0, None, 850.0] * 20,
        "country": ["DE", "US", "DE", "US", "FR", "US"] * 20,
        "fraud": [0, 1, 0, 1, 0, 1] * 20,
    }
)
TEXTS = 'amount,country,other\n0920.50,US,"a ""b"", c"\nabc,US,\n,DE,x\n12,ZZ,y\n'


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "store.db"
    train("fraud", ROWS, target="fraud", store=path, alias="champion")
    train("fraud", ROWS, target="fraud", model="tree", store=path, alias="challenger")
    return path


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(TEXTS)
    return path


def test_score_gives_a_row_for_each_with_a_score_or_an_error(styx, store, texts):
    done = styx("models", "score", "fraud@champion", texts, "--store", store)
    assert done.code == 0
    found = list(csv.DictReader(done.out.splitlines()))
    assert list(found[0]) == ["score", "fraud", "probability(0)", "probability(1)", "error"]
    assert [row["error"] for row in found] == [
        "",
        "model 'fraud@1': field 'amount': the model cannot take the value 'abc'",
        "",
        "model 'fraud@1': field 'country': the model cannot take the value 'ZZ'",
    ]
    scorer = open_scorer(find_model("fraud@1", store=store))
    exact = scorer.score(pl.DataFrame({"amount": ["0920.50", None], "country": ["US", "DE"]}))
    assert [float(found[0]["score"]), float(found[2]["score"])] == exact.values.to_list()  # to the last bit
    assert [row["score"] for row in (found[1], found[3])] == ["", ""]


def test_score_keeps_the_input_and_writes_a_file(styx, store, texts, tmp_path):
    out = tmp_path / "out.csv"
    done = styx("models", "score", "fraud@1", texts, "--keep", "--outputs", "fraud", "-o", out, "--store", store)
    assert done.out == f"4 rows scored to {out}, 2 of them with an error\n"
    found = list(csv.DictReader(out.open(newline="")))
    assert list(found[0]) == ["amount", "country", "other", "score", "fraud", "error"]
    assert (found[0]["amount"], found[0]["other"]) == ("0920.50", 'a "b", c')
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_a_name_that_is_taken_is_not_overwritten():
    rows = pl.DataFrame({"amount": [1.0, 2.0] * 20, "error": [3.0, 4.0] * 20, "score": [0, 1] * 20})
    from styx_lab.models import train as fit

    pmml = fit(rows, target="score", features=["amount", "error"], name="odd").export()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd.pmml"
        path.write_bytes(pmml)
        plain = pl.concat(score_rows(path, rows))
        kept = pl.concat(score_rows(path, rows, keep=True))
    assert plain.columns == ["_score", "score", "probability(0)", "probability(1)", "error"]
    assert kept.columns == [
        "amount", "error", "score", "_score", "__score", "probability(0)", "probability(1)", "_error",
    ]  # fmt: skip
    assert kept["score"].to_list() == rows["score"].to_list()


def test_batches_do_not_show(store):
    whole = pl.concat(score_rows("fraud", ROWS, store=store))
    small = pl.concat(score_rows("fraud", ROWS, store=store, batch=7))
    assert whole.equals(small, null_equal=True)


@settings(max_examples=30)
@given(
    st.lists(
        st.fixed_dictionaries(
            {name: st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1) for name in ("a", "b")}
        ),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_written_as_csv_is_read_as_it_was(rows):
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        frame.write_csv(path)
        found = pl.concat(read_texts(path, 3))
    assert found.rows() == frame.rows()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "the rows cannot be read"),
        ("latin.csv", "amount,country\n1,\xe9\n".encode("latin-1"), "the rows cannot be read"),
        ("ragged.csv", b"amount,country\n1,US,3\n", "the rows cannot be read"),
        ("other.csv", b"amount,land\n1,US\n", "the rows lack a column that the model needs"),
        ("nested.jsonl", b'{"amount":1,"country":"US"}\n{"amount":[1]}\n', "a row has no single value for a field"),
        ("cut.jsonl", b'{"amount":1,"country":"US"}\n{"amount":1', "a line is no JSON object"),
        ("rows.txt", b"amount,country\n1,US\n", "rows are in another form"),
    ],
)
def test_rows_that_cannot_be_scored_are_said(styx, store, tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    done = styx("models", "score", "fraud@1", path, "--store", store)
    assert (done.code, done.out) == (65, "")
    assert says in done.err


def test_a_row_of_json_is_scored_whatever_rows_came_before(store, tmp_path):
    path = tmp_path / "rows [1]*.jsonl"
    late = '{"amount":"abc"}\n{"amount":900.5,"country":"US","more":[1]}\n{"amount":1' + "0" * 30 + ',"country":"US"}\n'
    path.write_text('{"amount":1}\n' * 300 + late)
    (tmp_path / "rows 1 other.jsonl").write_text('{"amount":1}\n')
    found = pl.concat(score_rows("fraud@1", path, keep=True, store=store, batch=7))
    assert found.height == 303
    assert found["error"].is_null().to_list() == [True] * 300 + [False, True, True]
    exact = pl.concat(score_rows("fraud@1", pl.DataFrame({"amount": [900.5], "country": ["US"]}), store=store))
    assert found["score"][301] == exact["score"][0]
    assert found["more"].to_list()[-2:] == ["[1]", None]


def test_a_code_in_json_is_the_same_beside_a_fraction(tmp_path):
    """For a field of texts 7 is "7", not "7.0", whatever else the file has."""
    pmml = tmp_path / "codes.pmml"
    pmml.write_text(
        '<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/><DataDictionary>'
        '<DataField name="y" optype="continuous" dataType="double"/>'
        '<DataField name="code" optype="categorical" dataType="string"/></DataDictionary>'
        '<RegressionModel functionName="regression"><MiningSchema><MiningField name="y" usageType="target"/>'
        '<MiningField name="code"/></MiningSchema><RegressionTable intercept="1">'
        '<CategoricalPredictor name="code" value="7" coefficient="10"/>'
        '<CategoricalPredictor name="code" value="7.5" coefficient="20"/>'
        "</RegressionTable></RegressionModel></PMML>"
    )
    path = tmp_path / "rows.jsonl"
    path.write_text('{"code":7}\n{"code":7.5}\n')
    assert pl.concat(score_rows(pmml, path))["score"].to_list() == [11.0, 21.0]


def test_a_parquet_file_without_a_row_has_a_header(styx, store, tmp_path):
    path = tmp_path / "none.parquet"
    ROWS.clear().write_parquet(path)
    done = styx("models", "score", "fraud@1", path, "--store", store)
    assert (done.code, done.out) == (0, "score,fraud,probability(0),probability(1),error\n")
    diff = styx("models", "diff", "fraud@1", "fraud@2", "--input", path, "--store", store, "--json").json
    assert (diff["rows"], diff["differ"], diff["largest"]) == (0, 0, None)


def test_a_column_that_has_no_form_in_csv_is_said(styx, store, tmp_path):
    path = tmp_path / "nested.parquet"
    ROWS.with_columns(more=pl.concat_list("amount")).write_parquet(path)
    assert styx("models", "score", "fraud@1", path, "--store", store).code == 0
    done = styx("models", "score", "fraud@1", path, "--keep", "--store", store)
    assert (done.code, done.out) == (65, "")
    assert "a column of the rows has no form in CSV" in done.err


def test_rows_without_a_row_have_a_header(styx, store, tmp_path):
    path = tmp_path / "none.csv"
    path.write_text("amount,country\n")
    done = styx("models", "score", "fraud@1", path, "--store", store)
    assert (done.code, done.out) == (0, "score,fraud,probability(0),probability(1),error\n")


def test_a_model_that_is_not_there_is_said(styx, store, texts, tmp_path):
    assert styx("models", "score", "fraud@champ", texts, "--store", store).code == 66
    assert styx("models", "show", "nobody", "--store", store).code == 66
    assert styx("models", "show", tmp_path / "no.pmml", "--store", store).code == 66
    bad = tmp_path / "bad.pmml"
    bad.write_text("<PMML/>")
    assert styx("models", "show", bad, "--store", store).code == 65
    assert styx("models", "add", bad, "fraud", "--store", store).code == 65
    assert styx("models", "alias", "fraud@9", "champion", "--store", store).code == 66
    assert styx("models", "alias", "fraud", "nothing", "--remove", "--store", store).code == 66


def test_list_show_and_diff(styx, store):
    listed = styx("models", "list", "--store", store, "--json").json["models"]
    assert [(one["model"], one["aliases"]) for one in listed][:2] == [
        ("fraud@1", ["champion"]),
        ("fraud@2", ["challenger"]),
    ]
    assert listed[0]["metrics"]["auc"] == 1.0
    shown = styx("models", "show", "fraud@champion", "--store", store)
    assert "RegressionModel, classification of fraud" in shown.out
    assert "10 embedded rows come out as they should" in shown.out
    pmml = styx("models", "show", "fraud@1", "--pmml", "--store", store).out
    assert pmml.encode() == find_model("fraud@1", store=store).pmml
    entry = show_model("fraud@1", store=store)
    assert entry.inputs == {"country": "String", "amount": "Float64"}
    assert len(entry.training["sha256"]) == 64
    diff = styx("models", "diff", "fraud@1", "fraud@2", "--store", store, "--json").json
    assert diff["facts"]["kind"] == ["RegressionModel", "TreeModel"]
    assert diff["rows"] is None
    same = styx("models", "diff", "fraud@1", "fraud@champion", "--store", store)
    assert "are the same in all that is kept of them" in same.out


def test_diff_of_scores(styx, store, tmp_path):
    path = tmp_path / "rows.parquet"
    ROWS.write_parquet(path)
    found = styx("models", "diff", "fraud@1", "fraud@2", "--input", path, "--store", store, "--json").json
    left = pl.concat(score_rows("fraud@1", ROWS, store=store))["score"]
    right = pl.concat(score_rows("fraud@2", ROWS, store=store))["score"]
    assert found["rows"] == ROWS.height
    assert found["differ"] == int((left != right).sum())
    assert math.isclose(found["largest"], float((left - right).abs().max()))
    assert found["examples"][0]["left"] == left[0]


def test_aliases_notes_and_added_models(styx, store, tmp_path):
    path = tmp_path / "bought.pmml"
    path.write_bytes(find_model("fraud@2", store=store).pmml)
    done = styx("models", "add", path, "bought", "--alias", "challenger", "--note", "from elsewhere", "--store", store)
    assert done.out == "bought@1 is kept, which is bought@challenger now\n"
    assert styx("models", "note", "bought@1", "second thoughts", "--store", store).code == 0
    entry = show_model("bought@challenger", store=store)
    assert (entry.notes, entry.aliases, dict(entry.metrics)) == ("second thoughts", ("challenger",), {})
    moved = styx("models", "alias", "fraud@1", "fallback", "--store", store)
    assert moved.out == "fraud@fallback is fraud@1\n"
    moved = styx("models", "alias", "fraud@2", "fallback", "--store", store)
    assert moved.out == "fraud@fallback is fraud@2, which was fraud@1\n"
    assert (
        styx("models", "alias", "fraud", "fallback", "--remove", "--store", store).out == "fraud@fallback is no more\n"
    )
    assert show_model("fraud@2", store=store).aliases == ("challenger",)


def test_a_model_shows_itself(store):
    entry = show_model("fraud@champion", store=store)
    html = entry._repr_html_()
    assert "class='bar'" in html
    assert "champion" in html
    assert "Float64" in str(entry)
    from styx_lab.models.card import ModelCard

    evil = ModelCard("<script>", "<b>", ("<i>",), {"<u>": "<s>"}, facts={"<a>": "<p>"})._repr_html_()
    assert not any(f"<{tag}>" in evil for tag in ("script", "b", "i", "u", "s", "a")), evil


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(one.name for one in CASES.iterdir()))
def test_the_reference_answers_come_out_of_the_command(styx, tmp_path, name):
    case = CASES / name
    model = tmp_path / f"{name}.pmml"
    model.write_bytes(gzip.decompress((case / "model.pmml.gz").read_bytes()))
    done = styx("models", "score", model, case / "input.csv")
    assert done.code == 0, done.err
    found = list(csv.DictReader(done.out.splitlines()))
    expected = list(csv.DictReader((case / "expected.csv").open(newline="")))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        refused = theirs.pop("#error", "")
        assert bool(ours["error"]) >= bool(refused)
        for column, want in theirs.items():
            got = ours.get(column, ours["score"]) if column == "_target" else ours[column]
            if not refused:
                assert got == want or math.isclose(float(got), float(want), rel_tol=1e-9, abs_tol=1e-9)


def test_a_model_that_was_trained_shows_itself():
    from styx_lab.models import train as fit

    rows = ROWS.rename({"country": "<b>country"})
    model = fit(rows, target="fraud", features=["amount", "<b>country"], name="<i>odd")
    html = model._repr_html_()
    assert "class='bar'" in html
    assert "&lt;i&gt;odd" in html
    assert ">output<" not in html
    assert not any(f"<{tag}>" in html for tag in ("b", "i")), html
    assert repr(model).splitlines()[0] == "<i>odd: LogisticRegression of fraud"
    assert "not exported yet" in repr(model)
