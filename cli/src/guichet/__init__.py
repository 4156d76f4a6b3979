"""The guichet command: the embedded stack, the verbs of operators and auditors, demo and bench."""
