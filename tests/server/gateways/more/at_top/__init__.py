"""A gateway of the tests with its settings at the top level of the file."""
