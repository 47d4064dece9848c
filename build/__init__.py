"""Commands for the developer's machine: find, build, freeze. Nothing else imports this package."""
