"""What a user's method has in its hands: the state of the key at hand.

Laws: a write to one key is seen by no other; every write can be undone, and none copies what it does not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, Final

from styx_lab.core.time import MIN_WATERMARK
from styx_lab.errors import DataError
from styx_lab.flow.process import DeclaredState
from styx_lab.operators.process.scope import NEVER, Scope, put_back
from styx_lab.operators.process.stores import Store

__all__ = ["handle_of"]


class ValueHandle:
    """The value of the key at hand."""

    __slots__ = ("_check", "_default", "_held", "_scope", "_store", "_ttl")

    def __init__(self, store: Store, scope: Scope, default: Any) -> None:
        self._store, self._scope, self._default = store, scope, default
        self._held, self._check, self._ttl = store.held, store.check, store.ttl

    def get(self) -> Any:
        """See `flow.process.seen.Value`."""
        scope = self._scope
        found = self._held.get(scope.key)
        return self._default if found is None or found[1] <= scope.now else found[0]

    def set(self, value: Any) -> None:
        """See `flow.process.seen.Value`."""
        if value is None:
            self.clear()
            return
        value = self._check(value)
        scope, key = self._scope, self._scope.key
        before = self._held.get(key)
        end = NEVER
        if self._ttl is not None:
            end = _end(scope, self._ttl, before)
            self._store.look_at(key, end)
        self._held[key] = (value, end)
        scope.log.append((put_back, self._held, key, before))

    def clear(self) -> None:
        """See `flow.process.seen.Value`."""
        key = self._scope.key
        before = self._held.pop(key, None)
        if before is not None:
            self._scope.log.append((put_back, self._held, key, before))

    def __repr__(self) -> str:
        return f"ValueState of {self._scope.key!r}: {self.get()!r}"


class ListHandle:
    """The list of the key at hand."""

    __slots__ = ("_check", "_held", "_scope", "_store", "_ttl")

    def __init__(self, store: Store, scope: Scope) -> None:
        self._store, self._scope = store, scope
        self._held, self._check, self._ttl = store.held, store.check, store.ttl

    def get(self) -> list[Any]:
        """See `flow.process.seen.Values`."""
        now = self._scope.now
        return [value for value, end in self._held.get(self._scope.key, ()) if end > now]

    def append(self, value: Any) -> None:
        """See `flow.process.seen.Values`."""
        value = self._check(value)
        scope, key = self._scope, self._scope.key
        values = self._held.get(key)
        if values is None:
            values = self._held[key] = []
            scope.log.append((put_back, self._held, key, None))
        end = NEVER
        if self._ttl is not None:
            end = _end(scope, self._ttl, None)
            self._store.look_at(key, end)
        values.append((value, end))
        scope.log.append((_take_last, values, None, None))

    def extend(self, values: Iterable[Any]) -> None:
        """See `flow.process.seen.Values`."""
        for value in values:
            self.append(value)

    def set(self, values: Iterable[Any]) -> None:
        """See `flow.process.seen.Values`."""
        new = list(values)  # it may be made of the old one
        self.clear()
        self.extend(new)

    def clear(self) -> None:
        """See `flow.process.seen.Values`."""
        key = self._scope.key
        before = self._held.pop(key, None)
        if before is not None:
            self._scope.log.append((put_back, self._held, key, before))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.get())

    def __len__(self) -> int:
        return len(self._held.get(self._scope.key, ())) if self._ttl is None else len(self.get())

    def __repr__(self) -> str:
        return f"ListState of {self._scope.key!r}: {self.get()!r}"


class MapHandle(MutableMapping[Any, Any]):
    """The map of the key at hand, or, of a broadcast state, the one of all keys."""

    __slots__ = ("_at", "_held", "_scope", "_shared", "_store")

    def __init__(self, store: Store, scope: Scope, *, shared: bool) -> None:
        self._store, self._scope, self._held = store, scope, store.held
        self._shared = shared
        self._at = _Everybody() if shared else scope

    def __getitem__(self, inner: Any) -> Any:
        entries = self._held.get(self._at.key)
        if entries is not None:
            found = entries.get(inner)
            if found is not None and found[1] > self._scope.now:
                return found[0]
        raise KeyError(inner)

    def get(self, inner: Any, default: Any = None) -> Any:
        """The value, or the default where there is none."""
        entries = self._held.get(self._at.key)
        found = None if entries is None else entries.get(inner)
        return default if found is None or found[1] <= self._scope.now else found[0]

    def __contains__(self, inner: object) -> bool:
        return self.get(inner) is not None

    def __setitem__(self, inner: Any, value: Any) -> None:
        self._may_write()
        store, scope, key = self._store, self._scope, self._at.key
        inner, value = store.check_inner(inner), store.check(value)
        entries = self._held.get(key)
        if entries is None:
            entries = self._held[key] = {}
            scope.log.append((put_back, self._held, key, None))
        before = entries.get(inner)
        if before is not None and before[1] <= scope.now:
            # What has ended has no place any more.
            del entries[inner]
            before = None
        end = NEVER
        if store.ttl is not None:
            end = _end(scope, store.ttl, before)
            store.look_at(key, end)
        entries[inner] = (value, end, store.next_number() if before is None else before[2])
        scope.log.append((put_back, entries, inner, before))

    def __delitem__(self, inner: Any) -> None:
        self._may_write()
        self[inner]  # a KeyError where there is none
        key = self._at.key
        entries = self._held[key]
        self._scope.log.append((_put_in_place, entries, inner, entries.pop(inner)))
        if not entries:
            del self._held[key]
            self._scope.log.append((put_back, self._held, key, entries))

    def clear(self) -> None:
        """Take all away."""
        self._may_write()
        key = self._at.key
        before = self._held.pop(key, None)
        if before is not None:
            self._scope.log.append((put_back, self._held, key, before))

    def __iter__(self) -> Iterator[Any]:
        now = self._scope.now
        # A list: it may be changed on the way.
        return iter([inner for inner, one in self._held.get(self._at.key, {}).items() if one[1] > now])

    def __len__(self) -> int:
        now = self._scope.now
        return sum(one[1] > now for one in self._held.get(self._at.key, {}).values())

    def __repr__(self) -> str:
        return f"{'BroadcastState' if self._shared else 'MapState'} of {self._at.key!r}: {dict(self)!r}"

    def _may_write(self) -> None:
        if self._shared and not self._scope.broadcasting:
            raise DataError(
                "only a broadcast input's method writes the state of all keys",
                where=f"state {self._store.name!r}",
                hint="write it there, or declare a MapState for each key",
            )


class _Everybody:
    """In place of the moment at hand: the key under which a broadcast state is held."""

    key: Final = ()


def _end(scope: Scope, ttl: int, before: tuple[Any, ...] | None) -> int:
    # An event out of order does not shorten a life.
    return max(scope.written + ttl, MIN_WATERMARK if before is None else before[1])


def _take_last(values: list[Any], _: Any, __: Any) -> None:
    values.pop()


def _put_in_place(entries: dict[Any, Any], inner: Any, entry: Any) -> None:
    entries[inner] = entry
    arranged = sorted(entries.items(), key=lambda one: one[1][2])
    entries.clear()
    entries.update(arranged)


def handle_of(state: DeclaredState[Any], store: Store, scope: Scope) -> Any:
    """What stands for a state in a user's methods."""
    if state.kind == "value":
        return ValueHandle(store, scope, state.default)
    if state.kind == "list":
        return ListHandle(store, scope)
    return MapHandle(store, scope, shared=state.kind == "broadcast")
