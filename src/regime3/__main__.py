"""`python -m regime3` is `r3`."""

from regime3.cli import main

main()
