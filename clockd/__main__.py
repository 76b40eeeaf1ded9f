"""`python -m clockd`, for processes that are started by this interpreter."""

from clockd.command import main

main()
