"""The files of the page: read once, and served as they are, to everybody: they hold nothing of the server's.

In vendor/ are those of others, unchanged: uPlot (MIT, its licence beside it). docs/web.md says how to renew them.
"""

import hashlib
from pathlib import Path

from starlette.responses import Response

from server.gateways.web.routes import Route

FOLDER = Path(__file__).parent / "page"
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


def page_routes():
    """Returns the routes of the files in FOLDER, and of / as index.html."""
    return [Route("GET", where, None, _served(path)) for where, path in page_files()]


def page_files():
    """Returns [(path of a URL, Path)]."""
    files = [path for path in sorted(FOLDER.rglob("*")) if path.suffix in _KINDS]
    names = [path.relative_to(FOLDER).as_posix() for path in files]
    return [("/" if name == "index.html" else f"/page/{name}", path) for name, path in zip(names, files)]


def _served(path):
    data = path.read_bytes()
    tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}

    async def answer(request, user):
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, headers={**headers, "Content-Type": f"{_KINDS[path.suffix]}; charset=utf-8"})

    return answer
