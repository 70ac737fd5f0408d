"""`python -m stexplain` is the command line."""

from stexplain.cli.main import main

if __name__ == "__main__":
    main()
