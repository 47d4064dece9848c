"""A gateway of the tests whose extra is not installed."""
