"""What the plugin of pytest is made of: a link with the user's own applications at both ends, for their tests.

plugin     the fixtures, the option and what is shown of a test that failed
observed   what both kinds of link have: the lines that boards print, waiting for something, failures
virtual    the link on the clock that jumps, in this process
real       the link of MicroPython processes, in real time
program    a user's program for a board, run in this process
modules    the modules that such a program finds: `machine` and others

docs/testing.md describes it. Only `plugin` is loaded with pytest; the others are when a fixture is used.
"""
