"""The jars of Apache Kafka: resolved once by jgo into a cache that every stack shares, and never run unverified."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from guichet.stack.errors import StackError

ENDPOINT = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"
"""slf4j-simple, because Kafka's artifact brings no logging of its own and another binding changes versions."""

Tell = Callable[[str], None]


def cache_folder() -> Path:
    """`$GUICHET_CACHE`, else `.guichet-cache` at the root of the checkout, else the user's cache folder."""
    named = os.environ.get("GUICHET_CACHE")
    if named:
        return Path(named).resolve()
    checkout = Path(__file__).resolve().parents[4]
    if (checkout / "uv.lock").is_file():
        return checkout / ".guichet-cache"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "guichet"


def expected() -> dict[str, str]:
    """SHA-256 (hex) of each jar by its file name, from the list kept with this package."""
    text = resources.files("guichet.stack").joinpath("jars.lock").read_text("ascii")
    pairs = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name in pairs}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sound(path: Path, digest: str) -> bool:
    return path.is_file() and _digest(path) == digest


def condition(folder: Path) -> tuple[int, int]:
    """How many jars are missing from a folder, and how many are not what they should be."""
    wanted = expected()
    there = {name: digest for name, digest in wanted.items() if (folder / name).is_file()}
    return len(wanted) - len(there), sum(not _sound(folder / name, digest) for name, digest in there.items())


@contextmanager
def alone(folder: Path, work: str = "") -> Iterator[None]:
    """Nobody else does this work in this folder meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".lock{work}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _resolve(work: Path) -> list[Path]:
    environment = {**os.environ, "COLUMNS": os.environ.get("COLUMNS", "100")}
    command = [sys.executable, "-m", "jgo", "--resolver", "python", "--links", "copy"]
    command += ["--cache-dir", str(work / "environments"), "--repo-cache", str(work / "repository")]
    command += ["info", "jars", ENDPOINT]
    shown = None if sys.stderr.isatty() else subprocess.PIPE
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=shown, text=True, env=environment, check=False)
    if done.returncode != 0:
        last = (done.stderr or "").strip().splitlines()[-1:] or ["see above"]
        raise StackError(f"jgo could not fetch Kafka's jars ({last[0]})", "check the network and run it again")
    lines = (line.strip() for line in done.stdout.splitlines())
    return [Path(line) for line in lines if line.endswith(".jar") and Path(line).is_file()]


def _fetch(folder: Path, wanted: dict[str, str], tell: Tell) -> None:
    work = folder.parent / "jgo"
    for attempt in (1, 2):
        tell(f"fetching {len(wanted)} jars of Apache Kafka (46 MB) into {folder}")
        by_name = {path.name: path for path in _resolve(work)}
        bad = [name for name, digest in wanted.items() if not (name in by_name and _sound(by_name[name], digest))]
        if not bad:
            for name in wanted:
                partial = folder / f".{name}.{os.getpid()}"
                shutil.copyfile(by_name[name], partial)
                partial.replace(folder / name)
            shutil.rmtree(work, ignore_errors=True)
            return
        shutil.rmtree(work, ignore_errors=True)  # A download that was cut off stays in jgo's own cache: start anew.
        if attempt == 2:
            raise StackError(
                f"{len(bad)} jars of Apache Kafka do not have the SHA-256 in jars.lock, among them {bad[0]}",
                "do not use them; find out what stands between this machine and Maven Central",
            )


def classpath(tell: Tell = lambda _: None) -> str:
    """The verified jars joined for `java -cp`; fetched first when missing or damaged, offline otherwise."""
    folder = cache_folder() / "jars"
    wanted = expected()
    with alone(folder):
        if not all(_sound(folder / name, digest) for name, digest in wanted.items()):
            _fetch(folder, wanted, tell)
    return os.pathsep.join(str(folder / name) for name in sorted(wanted))
