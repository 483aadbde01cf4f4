"""Laws: what runs is the source that the flow carries; until an operator is built nothing of it runs."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from styx_lab import Process
from styx_lab.core.events import canonical_json
from styx_lab.errors import FlowError
from styx_lab.flow.carried import Carried
from styx_lab.operators.carried import load, object_of

Write = Callable[[str], ModuleType]

NAME = "styx_users_pair"
WHERE = "step 'own'"
SOURCE = '''"""A module of a user."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Pair:
    left: int = 0
    word: str = "é"

    class Inner:
        value = 7

    def half(self):
        return 1 // self.left
'''


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes the module, and imports it if it can be."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    # Two versions within a second must not share compiled code.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def written(source: str) -> ModuleType:
        (tmp_path / f"{NAME}.py").write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.reload(sys.modules[NAME]) if NAME in sys.modules else importlib.import_module(NAME)

    yield written
    for name in {one for one in set(sys.modules) - before if one.startswith(("styx_users_", "styx_carried_"))}:
        del sys.modules[name]


def of(cls: type) -> Carried:
    return Carried.of(cls, where=WHERE)


def loaded(code: Carried) -> Any:
    return load(code, object, where=WHERE)


def test_a_class_goes_through_json_and_runs_without_its_module(write: Write) -> None:
    stored = of(write(SOURCE).Pair).to_json()
    assert list(stored) == ["module", "name", "sha256", "source"]
    assert stored["source"][0] == '"""A module of a user."""'
    text = canonical_json(stored)
    del sys.modules[NAME]
    again = Carried.from_json(json.loads(text), where=WHERE)
    assert (str(again), again.source) == (f"{NAME}.Pair", SOURCE)
    assert loaded(again)().word == "é"
    assert NAME not in sys.modules


def test_loaded_classes_share_nothing_and_know_their_module(write: Write) -> None:
    code = of(write(SOURCE).Pair)
    one, other = loaded(code), loaded(code)
    assert len({one, other, sys.modules[NAME].Pair}) == 3
    assert all(each.__module__.startswith(f"styx_carried_{NAME}_") for each in (one, other))
    assert other.__module__ in sys.modules
    # A flow that is made of it carries what it was made of.
    assert of(other) == code


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"source": [*SOURCE.split("\n"), "# changed"]}, "source that the flow carries was changed"),
        ({"sha256": "0" * 64}, "source that the flow carries was changed; got '.*make the flow again"),
        ({"source": SOURCE}, "carries is damaged"),
        ({"source": [1]}, "carries is damaged"),
        ({"name": 3}, "carries is damaged"),
        ({"more": "x"}, "carries is damaged; got .*'more'"),
    ],
)
def test_what_was_changed_is_refused_and_not_run(write: Write, bad: dict[str, Any], said: str) -> None:
    stored = of(write(SOURCE).Pair).to_json() | bad
    with pytest.raises(FlowError, match=rf"step 'own'.*{said}"):
        Carried.from_json(stored, where=WHERE)
    with pytest.raises(FlowError, match="damaged"):
        Carried.from_json("my_module:Pair", where=WHERE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_of_that_name\nclass Pair: ...", "line 1: .*nothing_of_that_name.*imports what is installed"),
        ("x = 1\nraise SystemExit(3)", "line 2: .*SystemExit: 3"),
        ("class Pair", "SyntaxError"),
        ("Pair = 3", "no such class; got 'Pair'"),
        ("Other = int", "no such class; got 'Pair'"),
        ("class Pair: ...", "not derived from Process; got 'Pair'"),
    ],
)
def test_source_that_cannot_be_used_says_so_and_leaves_nothing(write: Write, source: str, said: str) -> None:
    before = set(sys.modules)
    with pytest.raises(FlowError, match=f"step 'own', module 'gone'.*{said}"):
        load(Carried("gone", "Pair", source), Process, where=WHERE)
    assert not {name for name in set(sys.modules) - before if name.startswith("styx_carried_")}


def test_an_object_that_cannot_be_made_says_so() -> None:
    cls = loaded(Carried("gone", "Pair", "class Pair:\n    def __init__(self, size): ..."))
    with pytest.raises(FlowError, match=r"step 'own', class Pair: an object .* TypeError.*__init__ takes nothing"):
        object_of(cls, where=WHERE)


def test_a_traceback_shows_the_carried_lines(write: Write) -> None:
    module = write(SOURCE)
    for name, file in [(NAME, str(module.__file__)), ("gone", "<gone ")]:
        pair = loaded(replace(of(module.Pair), module=name))()
        with pytest.raises(ZeroDivisionError) as caught:
            pair.half()
        last = traceback.extract_tb(caught.value.__traceback__)[-1]
        assert last.filename.startswith(file)
        assert last.line == "return 1 // self.left"


def test_the_module_that_has_changed_is_told_and_not_run(write: Write) -> None:
    code = of(write(SOURCE).Pair)
    write(SOURCE.replace("é", "è"))
    with pytest.warns(UserWarning, match=f"'{NAME}' has changed since the flow was made"):
        assert loaded(code)().word == "é"


def test_what_cannot_be_carried_says_where_to_put_it(write: Write) -> None:
    class Local:
        pass

    notebook = type("Own", (), {"__module__": "__main__"})
    for bad in [Local, notebook, write(SOURCE).Pair.Inner, int]:
        with pytest.raises(FlowError, match=r"step 'own'.*cannot be carried.*%%styx module"):
            of(bad)
    sys.modules["styx_users_without"] = without = ModuleType("styx_users_without")
    exec("class Own: ...", vars(without))
    with pytest.raises(FlowError, match=r"no source to carry; got 'styx_users_without'.*%%styx module"):
        of(vars(without)["Own"])


def test_a_class_that_was_defined_anew_is_not_mistaken(write: Write) -> None:
    old = write(SOURCE).Pair
    write(SOURCE)
    with pytest.raises(FlowError, match=rf"another class of that name by now.*from {NAME} import Pair"):
        of(old)
