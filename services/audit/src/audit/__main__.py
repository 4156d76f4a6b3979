"""Runs the audit service: `python -m audit`."""

import gc
import sys

from audit.app import build
from audit.settings import AuditSettings
from chassis.runtime import run
from chassis.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(AuditSettings)
    app = build(settings)
    # A batch is tens of thousands of tuples that live and die together and form no cycle. The collector would look for
    # one seventy times a batch, each time through what the program is made of too: a quarter of what ingest costs.
    gc.freeze()
    gc.set_threshold(20_000)
    sys.exit(run(app, settings))
