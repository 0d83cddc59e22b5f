"""The process that is one `dlrun` command, also as `python -m dlrun`."""

from dlrun.training.interrupt import end_at_once, ends_quietly, signals_handled


def main() -> None:
    """Run the command line, with signals handled before anything large is imported."""
    with signals_handled():
        try:
            from dlrun.cli.main import main as command_line

            command_line()
        except KeyboardInterrupt as error:
            end_at_once(getattr(error, "cause", None))
        except SystemExit as end:
            ends_quietly(end.code if isinstance(end.code, int) else 0)
            raise


if __name__ == "__main__":
    main()
