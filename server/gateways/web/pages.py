"""The files of the page: read once, and served as they are, to everybody: they hold nothing of the server's."""

import hashlib
from pathlib import Path

from starlette.responses import Response

from server.gateways.web.routes import Route

FOLDER = Path(__file__).parent / "page"
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


def page_routes():
    """Returns the routes of the files in FOLDER, and of / as index.html."""
    files = [path for path in sorted(FOLDER.iterdir()) if path.suffix in _KINDS]
    return [
        Route("GET", "/" if path.name == "index.html" else f"/page/{path.name}", None, _served(path)) for path in files
    ]


def _served(path):
    data = path.read_bytes()
    tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}

    async def answer(request, user):
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, headers={**headers, "Content-Type": f"{_KINDS[path.suffix]}; charset=utf-8"})

    return answer
