"""`%styx` and `%%styx` in IPython: answers in the cell, errors as one line, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

FLOW = """\
import styx_lab as styx
payments = styx.source("payments", schema={"ts": "int", "amount": "float"}, time="ts")
flow = styx.flow("large", payments.filter("amount > 500").to("large"))
"""


class Notebook:
    """A shell with the extension loaded, in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
        self._capsys = capsys
        assert self.run("%load_ext styx_lab") == ("", "")

    def run(self, cell: str, *, good: bool = True) -> tuple[str, str]:
        """What a cell printed, on standard output and on standard error."""
        ran = self.shell.run_cell(cell)
        said = self._capsys.readouterr()
        assert ran.success is good, said
        return said.out, said.err

    def fails(self, cell: str) -> str:
        """The one line that a cell ends with that fails."""
        out, err = self.run(cell, good=False)
        assert out == ""
        assert err.startswith("UsageError: ")
        assert err.count("\n") == 1, err
        return err.removeprefix("UsageError: ").rstrip()


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Notebook]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.delenv("STYX_HOME", raising=False)
    path, modules = list(sys.path), set(sys.modules)
    yield Notebook(capsys)
    sys.path[:] = path
    for name in {one for one in set(sys.modules) - modules if one.startswith("cell_")}:
        del sys.modules[name]


def test_a_command_answers_in_the_cell(notebook: Notebook, tmp_path: Path) -> None:
    assert notebook.run("%styx jobs") == ("There are no jobs yet: styx run REFERENCE --input FILE\n", "")
    out, err = notebook.run("%styx sample cards --events 1000 --to cards")
    assert out.startswith("Making 1,000 card payments\n1,000 card payments with 1 attacks among them:\n")
    assert err == ""
    assert (tmp_path / "cards" / "payments.recording.parquet").is_file()


def test_python_can_be_part_of_the_line(notebook: Notebook) -> None:
    notebook.run("where = 'a folder'")
    out, _ = notebook.run("%styx sample cards --events 1000 --to '{where}' --json")
    assert '"payments": "a folder/payments.recording.parquet"' in out


def test_what_a_command_writes_as_bytes_comes_too(notebook: Notebook) -> None:
    """`show --output` writes to the buffer below standard output, which a notebook's has not."""
    from styx_lab.lab.magics import _CellOutput

    with _CellOutput(sys.stdout) as output:
        output.write("before\n")
        output.flush()
        for part in ('{"a": "é"}'.encode()[:8], '{"a": "é"}'.encode()[8:] + b"\n\xff"):
            output.buffer.write(part)
        output.flush()
    assert notebook._capsys.readouterr().out == 'before\n{"a": "é"}\n\\xff'


def test_alone_it_lists_the_commands(notebook: Notebook) -> None:
    out, err = notebook.run("%styx")
    assert "promote" in out
    assert "doctor" in out
    assert err == ""


def test_an_error_is_one_line(notebook: Notebook) -> None:
    said = notebook.fails("%styx show nobody")
    assert said.startswith("nothing has that name; where: ")
    assert "got: 'nobody'; try: the store is empty" in said
    assert notebook.fails("%styx jobs --nonsense").startswith("No such option")
    assert notebook.fails("%styx show 'open").startswith("No closing quotation")


def test_an_unknown_word_says_what_there_is(notebook: Notebook) -> None:
    said = notebook.fails("%styx jbos")
    assert said.startswith("there is no command 'jbos'; there are demo, sample, train")
    assert said.endswith("and %%styx module NAME")


def test_a_failing_line_ends_its_cell(notebook: Notebook) -> None:
    notebook.run("reached = False\n%styx show nobody\nreached = True", good=False)
    assert notebook.shell.user_ns["reached"] is False


def test_a_cell_becomes_a_module_that_commands_find(notebook: Notebook, tmp_path: Path) -> None:
    out, _ = notebook.run(f"%%styx module cell_flow\n{FLOW}")
    assert out == (
        "Wrote styx_modules/cell_flow.py, imported as cell_flow: payments, flow\n"
        "Its flow for the styx command: cell_flow:flow, elsewhere styx_modules/cell_flow.py:flow\n"
    )
    out, _ = notebook.run(f"%%styx module cell_flow\n{FLOW}")
    assert out.startswith("Unchanged: styx_modules/cell_flow.py")
    (tmp_path / "payments.jsonl").write_text('{"ts": 1, "amount": 900.0}\n{"ts": 2, "amount": 3}\n')
    replay = "replay {} --input payments.jsonl --json"
    out, _ = notebook.run(f"%styx {replay.format('cell_flow:flow')}")
    assert '"events": 2' in out
    ran = subprocess.run(
        [sys.executable, "-m", "styx_lab.cli.main", *replay.format("styx_modules/cell_flow.py:flow").split()],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert '"events": 2' in ran.stdout


def test_a_module_stays_beside_the_notebook(notebook: Notebook, tmp_path: Path) -> None:
    notebook.run(f"import os; os.makedirs({str(tmp_path / 'away')!r}); os.chdir({str(tmp_path / 'away')!r})")
    notebook.run("%%styx module cell_rates\nEUR = 1")
    assert (tmp_path / "styx_modules" / "cell_rates.py").is_file()


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%styx module\nx = 1", "a cell can be a module: %%styx module NAME"),
        ("%%styx jobs\nx = 1", "a cell can be a module: %%styx module NAME; not: %%styx jobs"),
        ("%%styx module json\nx = 1", "module 'json': there is such a module already"),
        ("%%styx module cell_x\nx = (", "module 'cell_x', line 1 below the first: this is no Python"),
        ("%%styx module cell_x\n1 / 0", "the module fails when it is imported: ZeroDivisionError"),
        ("%styx module cell_x", "a module is a whole cell"),
    ],
)
def test_what_cannot_be_a_module_is_told_in_one_line(notebook: Notebook, cell: str, said: str) -> None:
    assert said in notebook.fails(cell)


def test_it_can_be_taken_away(notebook: Notebook) -> None:
    from styx_lab.lab import unload_ipython_extension

    unload_ipython_extension(notebook.shell)
    _, err = notebook.run("%styx jobs", good=False)
    assert "not found" in err


def test_without_the_notebooks_libraries_the_names_say_what_to_install() -> None:
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"IPython", "anywidget"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])
sys.meta_path.insert(0, Missing())
import styx_lab
for name in ("Monitor", "load_ipython_extension"):
    try:
        getattr(styx_lab, name)
    except styx_lab.StyxError as error:
        print(type(error).__name__, error.hint)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == ["MissingDependencyError pip install 'styx-lab[lab]'"] * 2, ran.stderr


def test_a_class_written_in_a_cell_runs_in_a_flow(notebook: Notebook) -> None:
    head = "from styx_lab import Process, ValueState\nclass Counts(Process):\n    output = {'n': 'int'}\n"
    body = "    def on_event(self, event, context):\n"
    body += "        self.n.set(self.n.get() + 1)\n        yield {'n': self.n.get()}\n"
    notebook.run("%%styx module cell_steps\n" + head + "    n = ValueState('int', default=0)\n" + body)
    notebook.run(
        "import styx_lab as styx\nfrom cell_steps import Counts\n"
        "clicks = styx.source('clicks', schema={'ts': 'int', 'who': 'str'}, time='ts', key='who')\n"
        "events = [{'ts': 1, 'who': 'a'}, {'ts': 2, 'who': 'a'}]\n"
        "run = lambda: styx.flow('f', clicks.process(Counts).to('out')).replay(events).outputs['out']['n'].to_list()\n"
    )
    assert notebook.run("print(run())") == ("[1, 2]\n", "")
    notebook.run("%%styx module cell_steps\n" + head + "    n = ValueState('int', default=5)\n" + body)
    notebook.run("from cell_steps import Counts")
    assert notebook.run("print(run())") == ("[6, 7]\n", "")
    # A class of the notebook itself is refused, with what to do.
    assert notebook.shell.run_cell(head + body.replace("self.n.", "self.x.")).success
    ran = notebook.shell.run_cell("clicks.process(Counts)")
    assert "%%styx module NAME" in str(ran.error_in_exec)
