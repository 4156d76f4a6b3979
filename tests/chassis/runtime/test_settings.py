"""Settings: read from variables, refused all at once, without showing what they held."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from chassis.settings import BAD_SETTINGS, Settings, read_settings

MARKER = "zq7MARKERzq7"
GOOD = {"GUICHET_KAFKA": "one:9092, two:9093", "GUICHET_DATABASE_URL": f"postgresql://u:{MARKER}@h/d"}


@pytest.fixture(autouse=True)
def _only_these_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    yield


def test_servers_are_split_into_a_list() -> None:
    assert read_settings(Settings).kafka == ("one:9092", "two:9093")


def test_a_setting_is_never_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        read_settings(Settings).http_port = 1  # type: ignore[misc]


def test_the_database_password_is_not_shown() -> None:
    assert MARKER not in repr(read_settings(Settings))


def test_production_refuses_the_sandbox_clock(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GUICHET_PRODUCTION", "true")
    assert read_settings(Settings).clock == "system"
    monkeypatch.setenv("GUICHET_CLOCK", "sandbox")
    with pytest.raises(SystemExit) as stopped:
        read_settings(Settings)
    assert stopped.value.code == BAD_SETTINGS
    assert "GUICHET_CLOCK: must be system when GUICHET_PRODUCTION is true" in capsys.readouterr().err


def test_every_problem_is_reported_at_once_and_no_value() -> None:
    program = "from chassis.settings import Settings, read_settings; read_settings(Settings)"
    variables = {
        "GUICHET_KAFKA": MARKER,
        "GUICHET_HTTP_PORT": MARKER,
        "GUICHET_CLOCK": MARKER,
        "GUICHET_PRODUCTION": MARKER,
        "GUICHET_TRACE_RATIO": "17",
    }
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == BAD_SETTINGS
    named = {line.split(":")[0].strip() for line in done.stderr.splitlines()[1:]}
    assert named == {*variables, "GUICHET_DATABASE_URL"}
    assert "GUICHET_DATABASE_URL: is required" in done.stderr
    assert "Traceback" not in done.stderr
    assert MARKER not in done.stderr
    assert done.stdout == ""


def test_a_service_adds_settings_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Own(Settings):
        portals_file: str
        ports: dict[str, int]

    monkeypatch.setenv("GUICHET_PORTS", MARKER)
    with pytest.raises(SystemExit):
        read_settings(Own)
    assert MARKER not in capsys.readouterr().err
    monkeypatch.setenv("GUICHET_PORTS", '{"a": 1}')
    monkeypatch.setenv("GUICHET_PORTALS_FILE", "p.json")
    assert read_settings(Own).ports == {"a": 1}
