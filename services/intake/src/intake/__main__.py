"""Runs intake: `python -m intake`, told by GUICHET_* variables."""

from chassis.runtime import run
from chassis.settings import read_settings
from intake.app import build
from intake.settings import IntakeSettings

if __name__ == "__main__":
    settings = read_settings(IntakeSettings)
    raise SystemExit(run(build(settings), settings))
