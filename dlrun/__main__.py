"""The process that is one `dlrun` command, also as `python -m dlrun`."""

from dlrun.training.interrupt import ends_quietly, signals_handled


def main() -> None:
    """Run the command line, with signals handled before anything large is imported."""
    with signals_handled():
        from dlrun.cli.main import main as command_line

        try:
            command_line()
        except SystemExit as end:
            ends_quietly(end.code if isinstance(end.code, int) else 0)
            raise


if __name__ == "__main__":
    main()
