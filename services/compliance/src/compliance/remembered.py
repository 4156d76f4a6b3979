"""An assessment as text and back, so that the last one can be kept beside its case."""

from functools import lru_cache

from pydantic import TypeAdapter

from compliance.assessment import Assessment


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Assessment]:
    return TypeAdapter(Assessment)


def as_text(assessment: Assessment) -> str:
    """The whole assessment, particulars included, as JSON text."""
    return _adapter().dump_json(assessment).decode()


def from_text(text: str) -> Assessment:
    """The assessment that `as_text` wrote."""
    return _adapter().validate_json(text)
