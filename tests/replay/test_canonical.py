"""States and stories are hashed in the one spelling of RFC 8785, by the library and by the verifier's own few lines."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from guichet_verify.stories import canonical

VECTORS = json.loads((Path(__file__).parents[1] / "verifier" / "vectors" / "jcs.json").read_bytes())


def has_fraction(value: Any) -> bool:
    """Whether a number in it was written with a point or an exponent."""
    if isinstance(value, dict):
        return any(map(has_fraction, value.values()))
    return any(map(has_fraction, value)) if isinstance(value, list) else isinstance(value, float)


@pytest.mark.parametrize("pair", VECTORS["pairs"], ids=lambda pair: pair["id"])
def test_a_published_text_has_its_published_spelling(pair: dict[str, Any]) -> None:
    value, expected = json.loads(pair["input"]), bytes.fromhex(pair["output_hex"])
    assert rfc8785.dumps(value) == expected
    if has_fraction(value):
        with pytest.raises(ValueError, match="fractions"):
            canonical(value)
    else:
        assert canonical(value) == expected


@pytest.mark.parametrize(("bits", "text"), VECTORS["numbers_ieee754_hex_to_text"])
def test_a_published_number_has_its_published_spelling(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert rfc8785.dumps(number) == text.encode()


@pytest.mark.parametrize("bits", VECTORS["refused_ieee754_hex"])
def test_what_is_no_number_is_refused(bits: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    with pytest.raises(rfc8785.FloatDomainError):
        rfc8785.dumps(number)
