"""Law: what runs is the source that the flow carries; until it is loaded nothing of it runs."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from styx_lab.core.events import canonical_json
from styx_lab.errors import BundleError, FlowError
from styx_lab.flow.carried import Carried, carried, load

SOURCE = '''"""A module of a user."""

from __future__ import annotations

from dataclasses import dataclass

COUNT = []


@dataclass
class Pair:
    left: int = 0
    word: str = "é"

    class Inner:
        value = 7
'''


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "styx_users_pair.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "styx_users_pair", raising=False)
    return importlib.import_module("styx_users_pair")


def test_a_class_goes_through_json_and_runs_without_its_module(users: ModuleType) -> None:
    import msgspec

    text = canonical_json(carried(users.Pair.Inner).to_json())
    del sys.modules["styx_users_pair"]
    again = Carried.from_json(msgspec.json.decode(text), where="a flow")
    assert str(again) == "styx_users_pair.Pair.Inner"
    assert load(again).value == 7
    assert "styx_users_pair" not in sys.modules


def test_loaded_classes_share_nothing(users: ModuleType) -> None:
    found = carried(users.Pair)
    one, other = load(found), load(found)
    assert one is not other
    assert one is not users.Pair
    globals_of = [sys.modules[each.__module__] for each in (one, other)]
    assert one().word == other().word == "é"
    assert all(each.__name__.startswith("_styx_carried_") for each in globals_of)


@pytest.mark.parametrize(
    "bad",
    [
        {"source": SOURCE + "# changed\n"},
        {"sha256": "0" * 64},
        {"module": "a b"},
        {"qualname": "Pair.__class__()"},
        {"qualname": 3},
        {"more": "x"},
    ],
)
def test_what_was_changed_is_refused_and_not_run(users: ModuleType, bad: dict[str, Any]) -> None:
    stored = carried(users.Pair).to_json() | bad
    with pytest.raises(BundleError):
        Carried.from_json(stored, where="a flow")


def test_a_changed_source_does_not_load_either(users: ModuleType) -> None:
    with pytest.raises(BundleError, match="not the one that was packed"):
        load(replace(carried(users.Pair), source="raise SystemExit"))


def test_source_that_fails_says_so(users: ModuleType, tmp_path: Path) -> None:
    from hashlib import sha256

    for source, what in [
        ("import nothing_of_that_name\nclass Pair: ...", "nothing_of_that_name"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class Pair", "SyntaxError"),
        ("Pair = 3", "no such class"),
    ]:
        found = Carried("m", "Pair", source, sha256(source.encode()).hexdigest())
        before = set(sys.modules)
        with pytest.raises(FlowError, match=what):
            load(found)
        assert {name for name in set(sys.modules) - before if name.startswith("_styx_carried")} <= {
            f"_styx_carried_{found.sha256[:16]}" for _ in range(what == "no such class")
        }


def test_what_cannot_be_carried_says_where_to_put_it() -> None:
    class Local:
        pass

    notebook = type("Own", (), {"__module__": "__main__"})
    for bad in [Local, notebook, lambda: 0, int, 3, "Pair"]:
        with pytest.raises(FlowError, match="%%styx module"):
            carried(bad)


def test_a_class_that_was_defined_anew_is_not_mistaken(users: ModuleType) -> None:
    old = users.Pair
    importlib.reload(users)
    with pytest.raises(FlowError, match="another class of that name"):
        carried(old)
