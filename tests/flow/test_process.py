"""What a process says: what is refused when a flow is built, and that a flow carries its module's source."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import styx_lab as styx
from styx_lab import BroadcastState, Flow, ListState, MapState, Process, Stream, ValueState
from styx_lab.errors import FlowError, SchemaError, StyxError
from styx_lab.lab.module_cells import write_module

Write = Callable[[str, str], ModuleType]

HEAD = "from styx_lab import BroadcastState, ListState, MapState, Process, ValueState\n"
COUNTS = (
    HEAD
    + """\
class Counts(Process):
    output = {"n": "int"}
    n = ValueState("int", default=0)
    def on_event(self, event, context):
        self.n.set(self.n.get() + 1)
        return {"n": self.n.get()}
"""
)


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Writes a module and imports it."""
    path, modules = list(sys.path), set(sys.modules)

    def written(name: str, source: str) -> ModuleType:
        write_module(name, source, tmp_path / "modules")
        return sys.modules[name]

    yield written
    sys.path[:] = path
    for name in {one for one in set(sys.modules) - modules if one.startswith(("cell_", "styx_carried_"))}:
        del sys.modules[name]


def clicks(*, key: str | tuple[str, ...] = "who") -> Stream:
    return styx.source("clicks", schema={"ts": "int", "who": "str", "page": "int"}, time="ts", key=key)


def counted(module: ModuleType) -> Flow:
    return styx.flow("counted", clicks().process(module.Counts).to("out"))


EVENTS = [{"ts": 1, "who": "ann", "page": 1}, {"ts": 2, "who": "bo", "page": 1}, {"ts": 3, "who": "ann", "page": 2}]


def body(text: str, head: str = 'output = {"n": "int"}') -> str:
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    return f"{HEAD}class Mine(Process):\n    {head}\n{lines}\n"


ON_EVENT = "def on_event(self, event, context): pass\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (body("pass"), "has no on_event.*def on_event"),
        (body(ON_EVENT, "pass"), "does not say what it gives.*output = "),
        (body(ON_EVENT, "output = {}"), "at least one column"),
        (body(ON_EVENT, 'output = {"n": "decimal"}'), "class Mine, output: unknown type"),
        (body(ON_EVENT, 'output = {"who": "str"}'), "two columns have the same name"),
        (body(ON_EVENT + "deterministic = False"), "only a deterministic class.*journaled"),
        (body("async " + ON_EVENT), "cannot be async"),
        (body(ON_EVENT + 'r = BroadcastState("str", "int")'), "nothing would ever write this state; got 'r'"),
        (body(ON_EVENT + "def on_refund(self, event, context): pass"), "on_refund has no input.*others="),
        (body(ON_EVENT + '_n = ValueState("int")'), "must not begin with '_'; got '_n'"),
        (HEAD + "Mine = int", "not a class derived from Process"),
        (body(ON_EVENT) + "Mine = Mine()", r"not an object of it: process\(Mine\)"),
        (HEAD + "def f():\n    class Mine(Process):\n        output={'n': int}\n        def on_event(s, e, c): ...\n"
         "    return Mine\nMine = f()", "inside a function or class.*%%styx module"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused(write: Write, source: str, said: str) -> None:
    module = write("cell_mine", source)
    with pytest.raises((FlowError, SchemaError), match=said):
        clicks().process(module.Mine)


def test_a_class_of_a_notebook_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    made = write("cell_counts", COUNTS).Counts
    monkeypatch.setattr(made, "__module__", "__main__")
    with pytest.raises(FlowError, match="%%styx module NAME"):
        clicks().process(made)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ValueState("decimal"), r"ValueState\(...\): unknown type; got 'decimal'"),
        (lambda: ValueState("int", default="1"), "not of type 'int'; got '1'"),
        (lambda: ValueState("float", default=float("nan")), "finite"),
        (lambda: ValueState("datetime", default=datetime(2024, 1, 1, tzinfo=UTC)), "a datetime has no default"),
        (lambda: ValueState("int", ttl="-1h"), "must be positive"),
        (lambda: ListState("int", ttl="0s"), "must be positive"),
        (lambda: ListState("int", ttl="9999999999d"), "longer than 10,000 years"),
        (lambda: MapState("float", "int"), "cannot be a float"),
        (lambda: BroadcastState("str", None), "unknown type"),  # type: ignore[arg-type]
    ],
)
def test_state_that_cannot_be_is_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises((FlowError, StyxError), match=said):
        make()


REFUNDS = (
    HEAD
    + """\
class Mine(Process):
    output = {"n": "int"}
    def on_event(self, event, context): pass
    def on_refund(self, event, context): pass
"""
)


def test_inputs_must_fit(write: Write) -> None:
    mine = write("cell_mine", REFUNDS).Mine
    other = clicks().filter("page > 1")
    assert clicks().process(mine, others={"refund": other}).key == ("who",)
    with pytest.raises(FlowError, match=r"keyed otherwise.*by page"):
        clicks().process(mine, others={"refund": clicks().key_by("page")})
    with pytest.raises(FlowError, match=r"no method takes the input.*def on_rule"):
        clicks().process(mine, others={"refund": other}, broadcast={"rule": other})
    with pytest.raises(FlowError, match="the name is taken"):
        clicks().process(mine, others={"refund": other}, broadcast={"refund": other})
    with pytest.raises(FlowError, match="the name is taken"):
        clicks().process(mine, others={"event": other})


def test_the_json_is_the_flow(write: Write) -> None:
    made = counted(write("cell_counts", COUNTS))
    again = Flow.from_json(made.to_json())
    assert again == made
    assert again.hash == made.hash
    assert "Counts: n" in str(made)
    code = json.loads(made.to_json())["steps"][1]["code"]
    assert (code["module"], code["name"]) == ("cell_counts", "Counts")
    assert "\n".join(code["source"]) == COUNTS


def test_source_that_was_changed_in_the_json_is_refused(write: Write) -> None:
    text = counted(write("cell_counts", COUNTS)).to_json()
    with pytest.raises(FlowError, match="source that the flow carries was changed"):
        Flow.from_json(text.replace("+ 1)", "+ 2)"))


def test_a_look_at_a_flow_runs_nothing(write: Write, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    module = write("cell_counts", COUNTS + f"from pathlib import Path\nPath({str(trap)!r}).touch()\n")
    text = counted(module).to_json()
    trap.unlink()
    again = Flow.from_json(text)
    assert again.hash
    assert again.types()
    assert "Counts" in str(again)
    assert "Counts" in again.svg()
    assert "Counts" in again.mermaid()
    assert not trap.exists()
    again.replay(EVENTS)
    assert trap.exists()


def test_a_machine_without_the_module_runs_the_flow(write: Write, tmp_path: Path) -> None:
    flow = counted(write("cell_counts", COUNTS))
    (tmp_path / "flow.json").write_text(flow.to_json())
    code = (
        "import sys, json; from pathlib import Path; from styx_lab import Flow; flow = Flow.from_json(Path(sys.argv[1])"
        ".read_text()); print(flow.replay(json.loads(sys.argv[2])).outputs['out']['n'].to_list(), flow.hash)"
    )
    folder = Path(styx.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "flow.json"), json.dumps(EVENTS)],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert ran.stdout == f"[1, 1, 2] {flow.hash}\n", ran.stderr


def test_the_flow_runs_its_own_source_and_says_when_the_module_has_another(write: Write) -> None:
    before = counted(write("cell_counts", COUNTS))
    assert before.replay(EVENTS).outputs["out"]["n"].to_list() == [1, 1, 2]
    after = counted(write("cell_counts", COUNTS.replace("+ 1)", "+ 10)")))
    assert after.replay(EVENTS).outputs["out"]["n"].to_list() == [10, 10, 20]
    with pytest.warns(UserWarning, match="'cell_counts' has changed since the flow was made"):
        found = before.replay(EVENTS)
    assert found.outputs["out"]["n"].to_list() == [1, 1, 2]


def test_a_class_of_before_the_module_was_imported_again_is_refused(write: Write) -> None:
    old = write("cell_counts", COUNTS).Counts
    write("cell_counts", COUNTS + "X = 1\n")
    with pytest.raises(FlowError, match=r"another class of that name by now.*from cell_counts import Counts"):
        clicks().process(old)


def test_a_file_that_declares_something_else_by_now_is_refused(write: Write) -> None:
    module = write("cell_counts", COUNTS)
    assert module.__file__ is not None
    Path(module.__file__).write_text(COUNTS.replace("default=0", "default=7"))
    with pytest.raises(FlowError, match=r"declares other state.*import cell_counts again"):
        counted(module).replay(EVENTS)


def test_a_module_may_hold_the_flow_too(write: Write) -> None:
    source = COUNTS + (
        'import styx_lab as styx\nsource = styx.source("clicks", schema={"ts": "int", "who": "str", "page": "int"}, '
        'time="ts", key="who")\nflow = styx.flow("counted", source.process(Counts).to("out"))\n'
    )
    flow = write("cell_counts", source).flow
    assert flow.replay(EVENTS).outputs["out"]["n"].to_list() == [1, 1, 2]
    assert Flow.from_json(flow.to_json()).replay(EVENTS).outputs["out"]["n"].to_list() == [1, 1, 2]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "import nothing_of_that_name\n",
            "module 'cell_gone', line 8: .*ModuleNotFoundError.*imports what is installed",
        ),
        ("del Counts\n", "has no such class; got 'Counts'"),
        ("def _(self, x): pass\nCounts.__init__ = _\n", "an object of the class cannot be made: TypeError"),
    ],
)
def test_carried_source_that_fails_is_told(write: Write, more: str, said: str) -> None:
    from dataclasses import replace

    flow = counted(write("cell_counts", COUNTS))
    step: Any = flow.steps[1]
    code = replace(step.code, module="cell_gone", source=COUNTS + more)
    broken = Flow("counted", (flow.steps[0], replace(step, code=code), flow.steps[2]))
    with pytest.raises(FlowError, match=said):
        broken.replay(EVENTS)


def test_state_is_not_there_before_a_flow_runs(write: Write) -> None:
    module = write("cell_counts", COUNTS)
    assert isinstance(module.Counts.n, ValueState)
    with pytest.raises(StyxError, match="only while a flow runs"):
        module.Counts().n.get()
    with pytest.raises(AttributeError, match=r"write self.n.set\(...\)"):
        module.Counts().n = 3
    assert issubclass(module.Counts, Process)
