from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.errors import NotFoundError, StoreError
from styx_lab.stores.references import (
    Reference,
    check_alias,
    check_name,
    check_version,
    missing,
    parse_reference,
    resolve,
)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("fraud", Reference("fraud")),
        ("card-fraud@3", Reference("card-fraud", version=3)),
        ("fraud.v2@champion", Reference("fraud.v2", alias="champion")),
        ("3@3", Reference("3", version=3)),
        ("fraud@007", Reference("fraud", version=7)),
        ("betrügerei@größte", Reference("betrügerei", alias="größte")),
    ],
)
def test_a_reference_is_a_name_with_a_version_or_an_alias(text: str, reference: Reference) -> None:
    assert parse_reference(text, what="model", where="here") == reference


@pytest.mark.parametrize(
    "text", ["", "@", "@3", "fraud@", "a@b@c", "a b", "a/../b", "fraud@-1", "fraud\n", "\udce9", None, 3]
)
def test_what_is_no_reference_is_not_found(text: object) -> None:
    with pytest.raises(NotFoundError, match="write name, name@3 or name@champion"):
        parse_reference(text, what="model", where="here")


@pytest.mark.parametrize("name", ["", "-x", ".x", "a b", "a@b", "a/b", "a\n", "x" * 201, None, 3])
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(StoreError, match="not the name of a model"):
        check_name(name, what="model", where="here")


@pytest.mark.parametrize("alias", ["3", "007", "1.5", "1-2", "_", "٣", "²"])
def test_an_alias_that_reads_as_a_number_is_refused(alias: str) -> None:
    with pytest.raises(StoreError, match="an alias must not be a number"):
        check_alias(alias, where="here")


@pytest.mark.parametrize("version", ["3", 3.0, True, None])
def test_a_version_is_a_whole_number(version: object) -> None:
    with pytest.raises(StoreError, match="a version is a whole number"):
        check_version(version, where="here")


@given(
    st.lists(st.integers(1, 30), min_size=1, unique=True).map(sorted),
    st.dictionaries(st.sampled_from(["champion", "challenger", "last"]), st.integers(1, 30)),
    st.one_of(st.none(), st.integers(0, 31), st.sampled_from(["champion", "challenger", "last", "champoin"])),
)
def test_a_reference_leads_to_a_version_there_is_or_nowhere(
    versions: list[int], aliases: dict[str, int], part: int | str | None
) -> None:
    asked = parse_reference("fraud" if part is None else f"fraud@{part}", what="model", where="here")
    wanted = versions[-1] if part is None else aliases.get(part) if isinstance(part, str) else part
    if wanted in versions:
        assert resolve(asked, versions, aliases, ["fraud"], what="model", where="here") == wanted
    else:
        with pytest.raises(NotFoundError, match=f"there is fraud@{versions[0]}"):
            resolve(asked, versions, aliases, ["fraud"], what="model", where="here")


def test_a_miss_lists_what_there_is() -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(Reference("fraud", alias="champoin"), [1, 2], {"champion": 2}, [], what="model", where="here")
    assert str(caught.value) == (
        "here: no such alias of model 'fraud'; got 'fraud@champoin'. Try: did you mean 'fraud@champion'?; "
        "there is fraud@1 to fraud@2; fraud@champion (version 2)"
    )
    with pytest.raises(NotFoundError, match=r"no such version of model 'fraud'; got 'fraud@9'.*fraud@1 to fraud@2"):
        resolve(Reference("fraud", version=9), [1, 2], {}, [], what="model", where="here")


def test_a_long_list_of_names_is_cut_short() -> None:
    error = missing("model", "zzz", [f"m{number:02}" for number in range(25)], where="here")
    assert error.hint == "there are: m00, m01, m02, m03, m04, m05, m06, m07, m08, m09 and 15 more"
    assert "no model yet" in str(missing("model", "zzz", [], where="here"))
