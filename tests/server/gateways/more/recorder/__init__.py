"""A gateway of the tests: it writes the lines of its clients into a file, behind a password."""
