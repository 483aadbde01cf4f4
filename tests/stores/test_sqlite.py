"""What is kept in a SQLite store: models, rules, config, bundles, aliases."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.ports import ModelRecord, Store
from styx_lab.errors import NotFoundError, StoreError
from styx_lab.stores import (
    AliasRecord,
    ConfigRecord,
    RulesRecord,
    SqliteStore,
    VersionRecord,
    default_store_path,
)

MOMENT = "2024-01-01T00:00:00.000Z"


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def test_it_is_a_store(store: SqliteStore) -> None:
    assert isinstance(store, Store)


def test_the_path_is_styx_home_or_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STYX_HOME", raising=False)
    assert default_store_path() == tmp_path / ".styx" / "store.db"
    monkeypatch.setenv("STYX_HOME", "")
    assert default_store_path() == tmp_path / ".styx" / "store.db"
    monkeypatch.setenv("STYX_HOME", str(tmp_path / "other"))
    assert default_store_path() == tmp_path / "other" / "store.db"
    with SqliteStore() as store:
        assert store.path == tmp_path / "other" / "store.db"
        assert repr(store) == f"SqliteStore({str(store.path)!r})"


def test_a_store_goes_back_to_its_own_file_when_the_current_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with SqliteStore("store.db") as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.put_config("a", 1)
    assert (tmp_path / "store.db").exists()


def test_models_are_numbered_from_one(store: SqliteStore, clock: Any) -> None:
    first = store.put_model("fraud", b"<one/>", meta={"auc": 0.9})
    clock.now += 1
    second = store.put_model("fraud", b"<two/>")
    other = store.put_model("churn", b"<one/>")
    assert first == ModelRecord("fraud", 1, b"<one/>", digest(b"<one/>"), MOMENT, {"auc": 0.9})
    assert second == ModelRecord("fraud", 2, b"<two/>", digest(b"<two/>"), "2024-01-01T00:00:00.001Z", {})
    assert (other.name, other.version) == ("churn", 1)
    assert store.get_model("fraud") == second
    assert store.get_model("fraud@1") == first
    assert store.get_model("fraud@2") == second


def test_the_newest_content_again_is_no_new_version(store: SqliteStore, clock: Any) -> None:
    first = store.put_model("fraud", b"<one/>", meta={"auc": 0.9})
    clock.now += 1
    assert store.put_model("fraud", b"<one/>", meta={"auc": 0.1}) == first
    store.put_model("fraud", b"<two/>")
    assert store.put_model("fraud", b"<one/>").version == 3


def test_a_list_has_all_but_the_content(store: SqliteStore) -> None:
    assert store.list_models() == store.list_rules() == store.list_bundles() == []
    store.put_model("fraud", b"<one/>", meta={"auc": 0.9})
    store.put_model("fraud", b"<two/>")
    store.put_model("churn", b"<three/>")
    store.set_alias("model", "fraud", "champion", 1)
    store.set_alias("model", "fraud", "blessed", 1)
    store.put_bundle("fraud", b"bundle")
    assert store.list_models() == [
        VersionRecord("model", "churn", 1, digest(b"<three/>"), 8, MOMENT, {}),
        VersionRecord("model", "fraud", 1, digest(b"<one/>"), 6, MOMENT, {"auc": 0.9}, ("blessed", "champion")),
        VersionRecord("model", "fraud", 2, digest(b"<two/>"), 6, MOMENT, {}),
    ]
    assert store.list_bundles() == [VersionRecord("bundle", "fraud", 1, digest(b"bundle"), 6, MOMENT, {})]


def test_rules_are_sql_or_json(store: SqliteStore) -> None:
    rules = ["amount > 500", {"if": "status = 'declined'", "then": ["block"]}]
    first = store.put_rules("fraud", rules, meta={"by": "ana"})
    content = b'["amount > 500",{"if":"status = \'declined\'","then":["block"]}]'
    assert first == RulesRecord("fraud", 1, tuple(rules), digest(content), MOMENT, {"by": "ana"})
    assert store.put_rules("fraud", tuple(rules)) == first
    off = store.put_rules("fraud", [])
    assert (off.version, off.rules) == (2, ())
    store.set_alias("rules", "fraud", "live", 1)
    assert store.get_rules("fraud") == off
    assert store.get_rules("fraud@live") == store.get_rules("fraud@1") == first
    assert [(one.name, one.version, one.aliases) for one in store.list_rules()] == [
        ("fraud", 1, ("live",)),
        ("fraud", 2, ()),
    ]


@pytest.mark.parametrize("rules", ["amount > 500", {"a": 1}, None, [""], ["  "], [3], [None], [{"a": float("nan")}]])
def test_what_is_no_list_of_rules_is_refused(store: SqliteStore, rules: Any) -> None:
    with pytest.raises(StoreError, match="rules 'fraud'"):
        store.put_rules("fraud", rules)
    assert store.list_rules() == []


def test_config_is_one_value_a_key(store: SqliteStore, clock: Any) -> None:
    store.put_config("kafka.servers", ["a:9092", "b:9092"])
    store.put_config("alerts", {"mail": None})
    clock.now += 60_000
    store.put_config("alerts", False)
    assert store.get_config("alerts") is False
    assert store.get_config("kafka.servers") == ["a:9092", "b:9092"]
    assert store.list_config() == [
        ConfigRecord("alerts", False, "2024-01-01T00:01:00.000Z"),
        ConfigRecord("kafka.servers", ["a:9092", "b:9092"], MOMENT),
    ]
    with pytest.raises(NotFoundError, match=r"no such config key; got 'alert'. Try: did you mean 'alerts'"):
        store.get_config("alert")
    with pytest.raises(StoreError, match="config 'alerts'"):
        store.put_config("alerts", float("nan"))
    with pytest.raises(StoreError, match="not the name of a config value"):
        store.put_config("a b", 1)
    assert store.get_config("alerts") is False


def test_bundles_are_versions_of_bytes(store: SqliteStore) -> None:
    assert store.put_bundle("card-fraud", b"one", meta={"flow": "card-fraud"}) == 1
    assert store.put_bundle("card-fraud", b"one") == 1
    assert store.put_bundle("card-fraud", b"two") == 2
    store.set_alias("bundle", "card-fraud", "live", 1)
    assert store.get_bundle("card-fraud") == (2, b"two")
    assert store.get_bundle("card-fraud@live") == (1, b"one")
    assert [one.meta for one in store.list_bundles()] == [{"flow": "card-fraud"}, {}]


def test_an_alias_moves_and_goes(store: SqliteStore, clock: Any) -> None:
    store.put_model("fraud", b"<one/>")
    store.put_model("fraud", b"<two/>")
    store.put_bundle("fraud", b"one")
    store.set_alias("model", "fraud", "champion", 2)
    store.set_alias("bundle", "fraud", "champion", 1)
    clock.now += 1_000
    store.set_alias("model", "fraud", "champion", 1)
    assert store.get_model("fraud@champion").version == 1
    moved = AliasRecord("model", "fraud", "champion", 1, "2024-01-01T00:00:01.000Z")
    other = AliasRecord("bundle", "fraud", "champion", 1, MOMENT)
    assert store.list_aliases() == [other, moved]
    assert store.list_aliases("model") == store.list_aliases("model", "fraud") == [moved]
    assert store.list_aliases(name="fraud") == [other, moved]
    assert store.list_aliases("model", "churn") == []
    store.delete_alias("model", "fraud", "champion")
    assert store.list_aliases() == [other]
    with pytest.raises(NotFoundError, match="no such alias of model 'fraud'; got 'fraud@champion'"):
        store.get_model("fraud@champion")
    with pytest.raises(
        NotFoundError, match=r"no such alias of bundle 'fraud'; got 'champoin'.*did you mean 'champion'"
    ):
        store.delete_alias("bundle", "fraud", "champoin")


def test_an_alias_points_at_a_version_there_is(store: SqliteStore) -> None:
    store.put_model("fraud", b"<one/>")
    for version in (0, 2, -1, 10**30):
        with pytest.raises(NotFoundError, match=r"no such version of model 'fraud'.*there is fraud@1"):
            store.set_alias("model", "fraud", "champion", version)
    with pytest.raises(NotFoundError, match=r"no such model; got 'frod'.*did you mean 'fraud'"):
        store.set_alias("model", "frod", "champion", 1)
    with pytest.raises(StoreError, match="an alias must not be a number"):
        store.set_alias("model", "fraud", "7", 1)
    with pytest.raises(StoreError, match="no such kind; got 'modle'"):
        store.set_alias("modle", "fraud", "champion", 1)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="no such kind"):
        store.list_aliases("modle")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="no such kind"):
        store.delete_alias("modle", "fraud", "champion")  # type: ignore[arg-type]
    assert store.list_aliases() == []


@pytest.mark.parametrize("get", ["get_model", "get_rules", "get_bundle"])
def test_a_reference_to_nothing_lists_what_there_is(store: SqliteStore, get: str) -> None:
    with pytest.raises(NotFoundError, match=r"the store has no .* yet"):
        getattr(store, get)("fraud")
    store.put_model("fraud", b"<one/>")
    store.put_rules("fraud", ["a"])
    store.put_bundle("fraud", b"one")
    with pytest.raises(NotFoundError, match=r"did you mean 'fraud'.*there are: fraud"):
        getattr(store, get)("frod")
    for reference in ("fraud@2", "fraud@champion", "fraud@" + "9" * 5_000):
        with pytest.raises(NotFoundError):
            getattr(store, get)(reference)


def test_what_cannot_be_kept_leaves_no_trace(store: SqliteStore, path: Path) -> None:
    with pytest.raises(StoreError, match="not the name of a model"):
        store.put_model("a@b", b"<one/>")
    with pytest.raises(StoreError, match="nothing to keep"):
        store.put_bundle("fraud", b"")
    with pytest.raises(StoreError, match="content is kept as bytes"):
        store.put_model("fraud", "<one/>")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="model 'fraud', meta, 'auc': JSON has no such number"):
        store.put_model("fraud", b"<one/>", meta={"auc": float("nan")})
    assert not path.parent.exists()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.binary(min_size=1, max_size=2)), max_size=12))
def test_versions_are_the_sequence_of_contents_without_repeats(
    tmp_path_factory: pytest.TempPathFactory, puts: list[tuple[str, bytes]]
) -> None:
    expected: dict[str, list[bytes]] = {"a": [], "b": []}
    with SqliteStore(tmp_path_factory.mktemp("store") / "store.db") as store:
        for name, data in puts:
            if expected[name][-1:] != [data]:
                expected[name].append(data)
            assert store.put_bundle(name, data) == len(expected[name])
        for name, contents in expected.items():
            assert [store.get_bundle(f"{name}@{number}")[1] for number in range(1, len(contents) + 1)] == contents
        assert len(store.list_bundles()) == sum(map(len, expected.values()))
