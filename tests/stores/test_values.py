from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.errors import StoreError
from styx_lab.stores.values import bytes_digest, json_bytes, json_value, kept_text, proved_bytes, readable_text

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_put_reads_back_the_same(value: Any) -> None:
    kept = json_value(json_bytes(value, where="here"), where="here")
    assert kept == value
    assert repr(kept) == repr(value) or isinstance(value, dict | list)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (float("nan"), "here: "),
        ([1, float("inf")], "here, place 1: "),
        ({"a": {"b": 2**63}}, "here, 'a', 'b': "),
        ({1: 2}, "here: "),
        ({"a": {1, 2}}, "here, 'a': "),
        ([datetime(2024, 1, 1, tzinfo=UTC)], "here, place 0: "),
        (b"bytes", "here: "),
        (["\udce9"], "here, place 0: "),
    ],
)
def test_what_would_not_read_back_is_refused_with_its_place(value: Any, place: str) -> None:
    with pytest.raises(StoreError) as caught:
        json_bytes(value, where="here")
    assert str(caught.value).startswith(place)


def test_the_same_value_has_the_same_bytes() -> None:
    value = MappingProxyType({"b": (1, 2.5), "a": None})
    assert json_bytes(value, where="here") == json_bytes({"a": None, "b": [1, 2.5]}, where="here")


@pytest.mark.parametrize("text", ["{", b"\xff", None])
def test_json_that_was_damaged_is_said(text: Any) -> None:
    with pytest.raises(StoreError, match="model 'x': the store is damaged"):
        json_value(text, where="model 'x'")


def test_content_is_bytes_and_proved() -> None:
    assert bytes_digest(b"x", where="here") == sha256(b"x").hexdigest()
    assert proved_bytes(b"x", sha256(b"x").hexdigest(), where="here") == b"x"
    with pytest.raises(StoreError, match="content is kept as bytes; got 'str'"):
        bytes_digest("x", where="here")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="nothing to keep"):
        bytes_digest(b"", where="here")
    with pytest.raises(StoreError, match="the store is damaged"):
        proved_bytes(b"y", sha256(b"x").hexdigest(), where="here")


def test_text_without_utf8_is_refused_as_a_name_and_shown_as_a_reason() -> None:
    with pytest.raises(StoreError, match="no UTF-8"):
        kept_text("caf\udce9", where="here")
    assert readable_text("caf\udce9") == "caf?"
