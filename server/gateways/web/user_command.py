"""`pb-link web user add|list|remove`: who may use the web page. No server is needed; one that runs follows the file."""

import getpass
import json
import sys

from server.gateways.web.roles import ROLES, VIEW
from server.gateways.web.users import MAX_PASSWORD, NAME_RULE, UserFile


def add_commands(command, default_path):
    """Add the command. Args: command: see interface.Description; default_path: of the users without a section."""
    do = lambda options, settings: run(options, settings, default_path)
    parser = command("web", do, "Add, list and remove the users of the web page.")
    parser.add_argument("object", choices=["user"])
    parser.add_argument("what", choices=["add", "list", "remove"])
    parser.add_argument("name", nargs="?", help=NAME_RULE)
    parser.add_argument("--role", choices=ROLES, default=VIEW, help="what the user may do (default: view)")
    parser.add_argument("--token", action="store_true", help="make a token for a script, in place of a password")


def run(options, settings, default_path):
    """Do it. Returns the exit status. Raises: ValueError, OSError."""
    own = settings.gateways.get("web")
    file = UserFile(own.users if own else default_path)
    if options.what == "list":
        return _list(options, file)
    if options.name is None:
        raise ValueError(f"web user {options.what} needs the name of a user")
    if options.what == "remove":
        file.remove(options.name)
        return _say(options, f"{options.name} is no user any more; a running server ends its sessions", {})
    if options.token:
        token = file.add_token(options.name, options.role)
        text = f"the token of {options.name}, for its script and for nobody else:\n{token}"
        return _say(options, text, {"token": token})
    file.add(options.name, options.role, _password())
    return _say(options, f"{options.name} is a user, and may {options.role}", {"role": options.role})


def _say(options, text, more):
    print(json.dumps({"name": options.name, **more}) if options.json else text)
    return 0


def _list(options, file):
    users = [
        {"name": user.name, "role": user.role, "has": "token" if user.token else "password"}
        for _, user in sorted(file.read().items())
    ]
    if options.json:
        print(json.dumps(users))
        return 0
    for user in users:
        print(f"{user['name']:<32} {user['role']:<10} {user['has']}")
    return 0


def _password():
    """Returns what is typed twice, or the first line of stdin if that is no terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline(MAX_PASSWORD + 2).removesuffix("\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise ValueError("the two are not the same: nothing was changed")
    return password
