"""The file that says how each environment is driven: every mistake at once, and no key is ever shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chassis.settings import read_settings
from provisioning.environments.adapters import AdaptersRefused, on_this_machine, read_adapters
from provisioning.settings import ProvisioningSettings

KEY = "5e" * 32


def http(**changes: Any) -> dict[str, Any]:
    given = {"kind": "http", "url": "https://provisioner.example/v1", "key_id": "k1", "keys": {"k1": "k1.hex"}}
    return given | changes


def written(folder: Path, entries: Any) -> Path:
    (folder / "k1.hex").write_text(KEY + "\n")
    (folder / "short.hex").write_text("5e" * 31)
    file = folder / "environments.json"
    file.write_text(json.dumps(entries))
    return file


def test_each_environment_has_the_adapter_that_the_operator_chose(tmp_path: Path) -> None:
    file = written(tmp_path, {"env-base": {"kind": "postgres"}, "env-ext": http(request_seconds=3, tries=1)})
    found = read_adapters(file, production=True)
    assert found.postgres == {"env-base"}
    host = found.hosts["env-ext"]
    assert (host.url, host.request_seconds, host.tries) == ("https://provisioner.example/v1", 3, 1)
    assert host.keys.secrets == {"k1": bytes.fromhex(KEY)}
    assert KEY not in repr(found)


def test_every_mistake_is_named_at_once_and_no_value(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {
            "env-a": http(url="http://provisioner.example/v1"),
            "env-b": http(key_id="k2"),
            "env-c": http(keys={"k1": "nowhere.hex"}),
            "env-d": http(keys={"k1": "short.hex"}, ca_file="nowhere.pem"),
        },
    )
    with pytest.raises(AdaptersRefused) as refusal:
        read_adapters(file, production=False)
    assert refusal.value.problems == [
        "env-a.url: must be https",
        "env-b.key_id: is not among the keys",
        "env-c.keys.k1: the key file cannot be read",
        "env-d.keys.k1: a key is at least 64 hexadecimal digits",
        "env-d.ca_file: is not a file",
    ]
    assert "5e5e" not in str(refusal.value)


def test_what_is_not_such_a_file_is_refused_with_the_places(tmp_path: Path) -> None:
    file = written(tmp_path, {"env-a": {"kind": "vmware"}, "env-b": http(url="ftp://x", keys=[])})
    with pytest.raises(AdaptersRefused) as refusal:
        read_adapters(file, production=False)
    places = {problem.partition(":")[0] for problem in refusal.value.problems}
    assert places == {"env-a", "env-b.http.url", "env-b.http.keys"}
    with pytest.raises(AdaptersRefused, match="cannot be read"):
        read_adapters(tmp_path / "nowhere.json", production=False)


def test_without_tls_only_on_this_machine_and_never_in_production(tmp_path: Path) -> None:
    file = written(tmp_path, {"env-a": http(url="http://127.0.0.1:8080/v1")})
    assert list(read_adapters(file, production=False).hosts) == ["env-a"]
    with pytest.raises(AdaptersRefused, match="must be https"):
        read_adapters(file, production=True)
    assert on_this_machine("http://[::1]:80/")
    assert on_this_machine("http://localhost:80/")
    assert not on_this_machine("http://10.0.0.1/")
    assert not on_this_machine("http://localhost.example/")


def test_the_service_does_not_start_with_a_file_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, {"env-b": http(key_id="k2")})
    for name, value in {
        "KAFKA": "127.0.0.1:1",
        "DATABASE_URL": "postgresql://x",
        "HOLDER_URL": "postgresql://x",
        "WORKSPACES_URL": "postgresql://x",
        "ENVIRONMENTS_FILE": str(file),
    }.items():
        monkeypatch.setenv(f"GUICHET_{name}", value)
    with pytest.raises(SystemExit):
        read_settings(ProvisioningSettings)
    assert "GUICHET_ENVIRONMENTS_FILE: env-b.key_id: is not among the keys" in capsys.readouterr().err
