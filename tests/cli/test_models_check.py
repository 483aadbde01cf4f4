"""`styx models check`: 0 where all agree, 1 where they do not, and the picture and JSON of either."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import click
import polars as pl
import pytest

from styx_lab.cli.failures import failure_of
from styx_lab.cli.models_check import check
from styx_lab.models import train
from styx_lab.workbench import train as train_into
from styx_lab.workbench.parity import check_model

Run = Callable[..., tuple[int, str]]
ROWS = pl.DataFrame(
    {
        "amount": [12.0, 950.0, 30.0, 870.0, None, 990.0, 640.0, 120.0] * 15,
        "country": ["DE", "US", "DE", "US", "FR", "US", "FR", "DE"] * 15,
        "fraud": [False, True, False, True, False, True, True, False] * 15,
    }
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in a folder of its own: its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def told(*arguments: str) -> tuple[int, str]:
        try:
            with check.make_context("check", list(arguments)) as context:
                check.invoke(context)
        except click.exceptions.Exit as end:
            return end.exit_code, capsys.readouterr().out
        except Exception as error:
            return failure_of(error).exit_code, str(error)
        return 0, capsys.readouterr().out

    return told


@pytest.fixture(scope="module")
def pmml() -> bytes:
    return train(ROWS, target="fraud", model="tree", name="fraud").export(verify_rows=0)


def test_a_model_of_the_store_is_checked_on_the_rows_kept_with_it(run: Run) -> None:
    train_into("fraud", ROWS, target="fraud", model="tree", alias="champion")
    code, said = run("fraud@champion", "--reference", "pypmml", "--plot", "parity.svg")
    assert code == 0, said
    assert said.startswith("parity of model 'fraud@1': native and pypmml agree within 1e-09 on ")
    assert "training" in said
    ElementTree.fromstring(Path("parity.svg").read_text())
    code, said = run("fraud", "--reference", "none", "--json")
    report = json.loads(said)
    assert (code, report["passed"], report["reference"]) == (0, True, None)


def test_a_file_with_examples(run: Run, pmml: bytes) -> None:
    Path("model.pmml").write_bytes(pmml)
    ROWS.write_parquet("rows.parquet")
    code, said = run("model.pmml", "--examples", "rows.parquet", "--reference", "pypmml")
    assert code == 0, said
    assert "examples" in said
    code, said = run("model.pmml", "--reference", "pypmml")
    assert code == 0, said
    assert "all are made from the file" in said


def test_beyond_the_precision_the_code_is_1_and_the_rows_are_shown(run: Run) -> None:
    pmml = train(ROWS, target="fraud", name="fraud").export()
    Path("model.pmml").write_bytes(pmml.replace(b'intercept="-', b'intercept="-1', 1))
    code, said = run("model.pmml", "--reference", "none")
    assert code == 1
    assert "beyond 1e-09: embedded and native differ in 10 of 10 embedded rows" in said
    assert "embedded row 0: " in said
    assert "embedded: probability(" in said


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nobody"], 66, "nobody"),
        (["nobody.pmml"], 66, "there is no such file"),
        (["."], 65, "no plain file"),
        (["model.pmml", "--examples", "none.csv"], 66, "no such file"),
        (["model.pmml", "--reference", "abacus"], 2, "abacus"),
        (["model.pmml", "--precision", "-1"], 2, "not a number"),
        (["model.pmml", "--reference", "none", "--plot", "nowhere/parity.svg"], 73, "cannot be written"),
        (["empty.pmml"], 65, "empty"),
        ([], 2, "model"),
    ],
)
def test_what_cannot_be_checked(run: Run, pmml: bytes, arguments: list[str], code: int, says: str) -> None:
    Path("model.pmml").write_bytes(pmml)
    Path("empty.pmml").write_bytes(b"")
    found, said = run(*arguments)
    assert (found, says in said) == (code, True), said


def test_rows_that_lack_an_input_are_an_error_that_names_it(pmml: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pmml"
    path.write_bytes(pmml)
    with pytest.raises(ValueError, match="the rows lack the model's"):
        check_model(path, examples=ROWS.select("fraud"), reference=None)
