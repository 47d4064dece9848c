"""`make bench`: how fast the link is, and what it costs. __main__.py has the command."""
