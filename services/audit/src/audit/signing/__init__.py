"""The signer: a process of its own, with a state of its own, that signs only what extends what it signed before."""
