"""No contract has room for a direct identifier of a person: references, codes and hashes only."""

import re
from collections.abc import Iterator

import pytest

from contracts import publication
from contracts.registry import FACTS

DIRECT = re.compile(
    r"^(nir|ins|ssn|surname|(first|last|family|given|full)_?names?|birth_?(date|day|name|place)|e?_?mail|phone|address|postcode)$"
)


def members(node: object) -> Iterator[str]:
    """The names of all members that a schema describes."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == "properties" and isinstance(inner, dict):
                yield from inner
            yield from members(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from members(inner)


@pytest.mark.parametrize("name", FACTS)
def test_no_member_of_any_fact_is_a_direct_identifier(name: str) -> None:
    assert [member for member in members(publication.schema(FACTS[name])) if DIRECT.match(member.lower())] == []


@pytest.mark.parametrize("member", ["nir", "first_name", "lastname", "birth_date", "email", "e_mail"])
def test_what_would_be_one_is_known(member: str) -> None:
    assert DIRECT.match(member)
