"""`python -m cli` is the same as `autoremedy`."""

from cli import main

main()
