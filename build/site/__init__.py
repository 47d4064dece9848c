"""The documentation site: what docs/conf.py tells Sphinx beyond its settings. Each module can be used without Sphinx's
application, and none knows a page."""
