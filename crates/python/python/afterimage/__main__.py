"""`python -m afterimage` is the command."""

from ._command import main

main()
