"""Changes to a bundle that holds, and the level at which each must be refused."""

from bundle_mutations import container, leaves, manifest, signatures, stories
from bundle_mutations.table import GOOD, MUTATIONS

__all__ = ["GOOD", "MUTATIONS", "container", "leaves", "manifest", "signatures", "stories"]
