"""What every hosting environment must do, as checks that anybody can run against theirs: one suite for all adapters.

    outcomes = await certify(CHECKS, environment, enter)

Each check makes workspaces of its own, with invented rows, and takes them away again.
"""

from provisioning.conformance.checks import CHECKS
from provisioning.conformance.protocol import protocol_checks
from provisioning.conformance.suite import Check, Outcome, certify, run
from provisioning.conformance.visits import enter

__all__ = ["CHECKS", "Check", "Outcome", "certify", "enter", "protocol_checks", "run"]
