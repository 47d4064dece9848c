"""`make release`: all that is published of a version, in one folder, checked and tried outside of the checkout."""
