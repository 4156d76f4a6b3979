"""What all facts have in common: frozen, strictly typed, tolerant of members they do not know yet."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema
from pydantic_core.core_schema import json_or_python_schema


class Shape(BaseModel):
    """A part of a fact. Unknown members are ignored unless the reader asks for a closed shape (`extra="forbid"`)."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


class Fact(Shape):
    """Something that happened, as its publisher says it. Each subclass names its full type and its topic."""

    event_type: ClassVar[str]
    topic: ClassVar[str]

    @classmethod
    def read(cls, data: bytes | str) -> Self:
        """Read the data of an event of this type; raises pydantic.ValidationError."""
        return cls.model_validate_json(data)

    def wire(self) -> bytes:
        """The data as they travel: compact JSON in UTF-8, members in order of declaration, optional members left
        out when absent."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True)


def _is_none(value: object) -> bool:
    return value is None


class _NotNull:
    """Takes null out of what JSON may hold; in Python None still means absent."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        nullable = handler(source)
        if nullable["type"] != "nullable":
            raise TypeError("NOT_NULL goes with an optional member")
        return json_or_python_schema(json_schema=nullable["schema"], python_schema=nullable)


OPTIONAL = Field(default=None, exclude_if=_is_none)
"""An optional member: absent on the wire when it is None."""

NOT_NULL = _NotNull()
"""For an optional member whose published shape has no null: absent, or a value."""
