"""`python -m fireline.apps`, and the console script: the command line, which may be interrupted while it loads."""

from fireline.apps import interrupts


def main() -> None:
    """Run the command line."""
    interrupts.end_at_once()
    from fireline.apps import cli

    cli.main()


if __name__ == "__main__":
    main()
