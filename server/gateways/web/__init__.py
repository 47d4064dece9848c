"""The gateway to people and scripts: a web page, and the same over HTTP for programs (docs/web.md)."""
