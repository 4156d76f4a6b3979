"""Logs: one JSON line an event, ids and places, never what anything contained."""

import json
import subprocess
import sys
from collections.abc import Mapping

MARKER = "zq7MARKERzq7"


def lines_of(program: str, level: str = "debug") -> list[Mapping[str, object]]:
    """What a process that ran `program` after setting its logs up has written; its standard error must be empty."""
    prelude = f"from chassis.logs import configure_logs, logger; configure_logs('tiny', '{level}'); M = '{MARKER}'\n"
    done = subprocess.run([sys.executable, "-c", prelude + program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert MARKER not in done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_event_carries_its_ids_and_who_said_it() -> None:
    (line,) = lines_of("logger(loop='relay').info('batch_committed', records=3, topics=['a', 'b'])")
    assert line.pop("timestamp")
    assert line == {
        "service": "tiny",
        "level": "info",
        "event": "batch_committed",
        "loop": "relay",
        "records": 3,
        "topics": ["a", "b"],
    }


def test_context_is_bound_once_for_everything_below() -> None:
    program = """
from structlog.contextvars import bound_contextvars
with bound_contextvars(batch="b-1"):
    logger().info("one_thing")
logger().info("another_thing")
"""
    assert [line.get("batch") for line in lines_of(program)] == ["b-1", None]


def test_levels_below_the_chosen_one_are_not_written() -> None:
    assert [line["event"] for line in lines_of("logger().info('a'); logger().warning('b')", "warning")] == ["b"]


def test_an_error_is_its_class_its_code_and_its_place() -> None:
    program = """
def inner(secret):
    raise KeyError(secret)
def outer(secret):
    try:
        inner(secret)
    except KeyError as error:
        raise ValueError(f"about {secret}") from error
try:
    outer(M)
except ValueError as error:
    logger().error("thing_failed", error=error)
    logger().exception("thing_failed")
    logger().error("thing_failed", exc_info=error)
"""
    lines = lines_of(program)
    assert len(lines) == 3
    for line in lines:
        error = line["error"]
        assert isinstance(error, dict)
        assert error["class"] == "ValueError"
        assert error["causes"] == ["KeyError"]
        assert error["code"] == "bug-valueerror"
        assert len(error["fingerprint"]) == 16
        assert error["at"][-1].endswith(" outer")


def test_an_error_group_names_what_is_in_it() -> None:
    program = "logger().error('thing_failed', error=ExceptionGroup(M, [KeyError(M), OSError(M)]))"
    (line,) = lines_of(program)
    assert line["error"]["causes"] == ["KeyError", "OSError"]  # type: ignore[index]


def test_a_validation_error_shows_no_input() -> None:
    program = """
import pydantic
class Shape(pydantic.BaseModel):
    number: int
try:
    Shape.model_validate_json('{"number": "%s"}' % M)
except pydantic.ValidationError as error:
    logger().error("thing_refused", error=error, number=error)
"""
    (line,) = lines_of(program)
    assert line["error"]["class"].endswith("ValidationError")  # type: ignore[index]


def test_payloads_are_named_by_their_type() -> None:
    program = """
class Thing:
    def __repr__(self): return M
logger().info("thing_seen", body=M.encode(), data={M: M}, thing=Thing(), things=[Thing(), M.encode()], counts={"a": 1})
"""
    (line,) = lines_of(program)
    assert line["body"] == "<bytes>"
    assert line["data"] == "<dict>"
    assert line["things"] == ["<Thing>", "<bytes>"]
    assert line["counts"] == {"a": 1}


def test_long_texts_are_cut() -> None:
    (line,) = lines_of("logger().info('thing_seen', text='x' * 5000)")
    assert len(str(line["text"])) == 201


def test_libraries_are_heard_without_what_they_format_in() -> None:
    program = """
import logging, warnings
logging.getLogger("aiokafka.consumer").error("Unable to read %s from %d: %s", M, 7, ValueError(M))
logging.getLogger("uvicorn.error").error("Exception in application\\n", exc_info=ValueError(M))
logging.getLogger("somebody.else").error(f"their text has {M}")
logging.getLogger("uvicorn.error").info("Started server process [%d]", 1)
warnings.warn(M)
"""
    lines = lines_of(program)
    assert [line["logger"] for line in lines] == ["aiokafka.consumer", "uvicorn.error", "somebody.else", "py.warnings"]
    assert lines[0]["template"] == "Unable to read %s from %d: %s"
    assert lines[0]["numbers"] == [7]
    assert lines[0]["errors"] == ["ValueError"]
    assert lines[1]["error"]["class"] == "ValueError"  # type: ignore[index]
    assert lines[2]["template"] is None


def test_a_forgotten_task_s_error_is_reported_without_its_text() -> None:
    program = """
import asyncio, gc
from chassis.logs import report_loop_errors
async def main():
    asyncio.get_running_loop().set_exception_handler(report_loop_errors)
    async def fail(): raise ValueError(M)
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
asyncio.run(main())
"""
    (line,) = lines_of(program)
    assert line["event"] == "loop_failed"
    assert line["error"]["class"] == "ValueError"  # type: ignore[index]
