"""`python -m chatdock` is the `chatdock` command."""

from chatdock.cli import main

main()
