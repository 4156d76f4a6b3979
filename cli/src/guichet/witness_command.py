"""`guichet witness`: a second reader of the topics, for anyone to run."""

import typer

from guichet_witness.__main__ import main


def witness(context: typer.Context) -> None:
    """Read the topics, compute the roots, and cosign the checkpoints that say the same.

    The options are those of guichet-witness, which is installable alone: see `guichet witness -- --help`.

    Example: guichet witness --kafka 127.0.0.1:29092 --log policy --name witness.example --key w.key --state w.db
    """
    raise typer.Exit(main(context.args))
