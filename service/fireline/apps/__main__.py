"""`python -m fireline.apps`: the command line, also where the console script is not on the path."""

from fireline.apps.cli import main

if __name__ == "__main__":
    main()
