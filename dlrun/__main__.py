"""`python -m dlrun`."""

from dlrun.cli.main import main

if __name__ == "__main__":
    main()
