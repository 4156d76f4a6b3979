"""Runs the audit service: `python -m audit`."""

import sys

from audit.app import build
from audit.settings import AuditSettings
from chassis.runtime import run
from chassis.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(AuditSettings)
    sys.exit(run(build(settings), settings))
