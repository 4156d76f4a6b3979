"""Older versions are read as the newest, by pure functions, without touching what was recorded."""

import pytest
from pydantic import JsonValue

from contracts.upcasters import UPCASTERS, Upcaster, digest, upcast

Json = dict[str, JsonValue]


def amount_in_cents(data: Json) -> Json:
    return {"amount_cents": int(str(data["amount_eur"])) * 100}


def with_currency(data: Json) -> Json:
    data["currency"] = "EUR"
    return data


MADE_UP = {
    "guichet.fee.charged.v1": Upcaster("guichet.fee.charged.v2", amount_in_cents),
    "guichet.fee.charged.v2": Upcaster("guichet.fee.charged.v3", with_currency),
}


def test_a_first_version_climbs_step_by_step_to_the_newest() -> None:
    recorded: Json = {"amount_eur": 12}
    newest: Json = {"amount_cents": 1200, "currency": "EUR"}
    assert upcast("guichet.fee.charged.v1", recorded, MADE_UP) == ("guichet.fee.charged.v3", newest)
    assert recorded == {"amount_eur": 12}


def test_the_second_version_takes_one_step_and_its_data_are_not_changed() -> None:
    recorded: Json = {"amount_cents": 5}
    assert upcast("guichet.fee.charged.v2", recorded, MADE_UP)[1] == {"amount_cents": 5, "currency": "EUR"}
    assert recorded == {"amount_cents": 5}


def test_what_has_no_upcaster_comes_back_as_it_is() -> None:
    data: Json = {"a": 1}
    assert upcast("guichet.clock.set.v1", data) == ("guichet.clock.set.v1", data)
    assert UPCASTERS == {}


def test_a_circle_is_a_mistake_that_is_found() -> None:
    circle = {"a": Upcaster("b", with_currency), "b": Upcaster("a", with_currency)}
    with pytest.raises(ValueError, match="circle"):
        upcast("a", {}, circle)


def test_the_digest_names_the_very_functions() -> None:
    other = {**MADE_UP, "guichet.fee.charged.v1": Upcaster("guichet.fee.charged.v2", with_currency)}
    assert digest(MADE_UP) == digest(dict(reversed(MADE_UP.items())))
    assert len({digest(MADE_UP), digest(other), digest({}), digest()}) == 3
