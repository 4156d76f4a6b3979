"""Reasons that say that something was done which the law does not allow."""

from compliance.incidents import KINDS

NONCOMPLIANCE = frozenset({*KINDS, "ACT_BY_CONFLICTED_PERSON"})
"""Breaches (EHDS:61, EHDS:73(2), EHDS:54, CSP:L1461-1), acts by conflicted persons (LIL:76, EHDS:55(3))."""
