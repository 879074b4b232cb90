"""`python -m cxpath` is the `cxpath` command."""

from cxpath.cli.main import main

if __name__ == "__main__":
    main()
