"""`python -m service.command`, for processes that are started by this interpreter."""

from service.command.main import main

main()
