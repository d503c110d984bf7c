"""`python -m scalestudy` is `scalestudy`."""

from scalestudy.cli import main

main()
