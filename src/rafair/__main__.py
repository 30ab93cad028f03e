"""``python -m rafair``: the command line where its script is not on the path."""

from rafair.cli import main

if __name__ == "__main__":  # processes that this one starts import it, too
    main()
