"""The settings every service has, read from GUICHET_* variables, all problems reported at once."""

import sys
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

PREFIX = "GUICHET_"
BAD_SETTINGS = 78
"""Exit code of a process that cannot run as it was set up (EX_CONFIG of sysexits.h)."""


class Settings(BaseSettings):
    """What every service is told from outside. Services add their own fields in a subclass."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, validate_default=True
    )

    kafka: Annotated[tuple[str, ...], NoDecode]
    """Bootstrap servers, `host:port`, separated by commas in the variable."""
    database_url: str = Field(repr=False)
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    """0 takes a free port."""
    production: bool = False
    clock: Literal["system", "sandbox"] = "system"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp_endpoint: str | None = None
    """Base address of an OTLP/HTTP collector, such as `http://collector:4318`; spans are exported only when set."""
    trace_ratio: float = Field(default=0.01, ge=0, le=1)
    """Share of the traces begun here that are sampled; a parent's decision is followed."""
    session_seconds: float = Field(default=15, ge=6, le=60)
    """How long a consumer that was killed keeps its partitions; the broker allows no less than six seconds."""
    report_seconds: float = Field(default=0, ge=0, le=60)
    """How often a service says how far it is; 0 for never. Every ten seconds in a stack: without it a lost tail and a
    silent producer go unnoticed."""
    release: str = "unreleased"

    @field_validator("kafka", mode="before")
    @classmethod
    def _split_servers(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("kafka")
    @classmethod
    def _name_servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for server in value:
            host, _, port = server.rpartition(":")
            if not host or not port.isdigit():
                raise PydanticCustomError("server", "every server must be written host:port")
        if not value:
            raise PydanticCustomError("server", "at least one server is needed")
        return value

    @field_validator("database_url")
    @classmethod
    def _name_database(cls, value: str) -> str:
        if not value.startswith(("postgresql://", "postgres://")):
            raise PydanticCustomError("database_url", "must begin with postgresql://")
        return value

    @field_validator("clock")
    @classmethod
    def _keep_production_off_the_sandbox(cls, value: str, info: ValidationInfo) -> str:
        if value == "sandbox" and info.data.get("production"):
            raise PydanticCustomError("sandbox_clock", "must be system when GUICHET_PRODUCTION is true")
        return value


S = TypeVar("S", bound=Settings)


def read_settings(kind: type[S]) -> S:
    """The settings of this process, or `SystemExit(78)` after every problem was written to standard error.

    Names variables and rules, never what was in them.
    """
    try:
        return kind()
    except ValidationError as error:
        problems = _describe(error.errors(include_input=False, include_url=False))
    except SettingsError:
        problems = ["a variable that must be JSON is not"]
    sys.stderr.write("".join(f"{line}\n" for line in ["settings refused:", *(f"  {line}" for line in problems)]))
    raise SystemExit(BAD_SETTINGS)


_OURS = {"server", "database_url", "sandbox_clock", "refused"}
"""Kinds of errors whose text is ours and names rules only."""


def _describe(errors: Iterable[ErrorDetails]) -> list[str]:
    problems = []
    for error in errors:
        name = PREFIX + "_".join(str(part) for part in error["loc"][:1]).upper()
        match error["type"]:
            case "missing":
                rule = "is required"
            case "literal_error":
                rule = f"must be {error['ctx']['expected']}"
            case kind if kind in _OURS:
                rule = error["msg"]
            case kind:
                rule = kind.replace("_", " ")
        problems.append(f"{name}: {rule}")
    return problems
