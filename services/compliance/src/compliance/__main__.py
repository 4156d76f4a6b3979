"""Runs the compliance service: `python -m compliance`."""

import sys

from chassis.runtime import run
from chassis.settings import read_settings
from compliance.app import build
from compliance.settings import ComplianceSettings

if __name__ == "__main__":
    settings = read_settings(ComplianceSettings)
    sys.exit(run(build(settings), settings))
