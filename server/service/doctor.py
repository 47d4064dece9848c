"""`pb-link doctor`: looks at everything that a link needs on this computer, and says what is wrong and what to do."""

import glob
import json
import os
import sys

from server.core.shown import harmless
from server.gateways.setting import SettingsError
from server.service import checkup
from server.service import settings as settings_file
from server.service.checkup import Subject
from server.service.client_settings import SETTINGS
from server.service.finding import GOOD, NOTE, WRONG, Finding
from server.service.machine import Machine
from server.service.paint import Paint

USUAL = "pb_link.toml"
_MARKS = {GOOD: ("ok", "green"), NOTE: ("note", "yellow"), WRONG: ("WRONG", "red")}


def add_doctor(command):
    """Adds the command. command: function (name, run, text) that makes its parser."""
    one = command("doctor", run, "Look at files, keys, ports, clock, store and boards, and say what is wrong.")
    text = f"settings of clients (default: {SETTINGS}, if it is here)"
    one.add_argument("--settings", metavar="FILE", nargs="+", help=text)
    one.set_defaults(reads_settings=False)  # faulty ones are a finding


def run(options, settings, machine=None):
    """Returns the exit status: 1 if something is wrong."""
    findings = examined(options, machine or Machine())
    if options.json:
        print(json.dumps([one._asdict() for one in findings]))
    else:
        show(findings, sys.stdout)
    return 1 if any(one.level == WRONG for one in findings) else 0


def examined(options, machine):
    """Returns the list of Findings."""
    path = options.config or os.environ.get("PB_LINK_CONFIG") or (USUAL if os.path.exists(USUAL) else None)
    findings = []
    try:
        settings = settings_file.read(path)
        findings.append(Finding("settings", GOOD, path or "the defaults: there is no pb_link.toml here"))
    except (SettingsError, OSError) as error:
        settings = None
        findings.append(Finding("settings", WRONG, str(error)))
    if options.settings is None:
        options.settings = glob.glob(SETTINGS)
    subject = Subject(settings, options.secrets, options.settings, machine)
    for check in checkup.WITHOUT_SETTINGS if settings is None else checkup.WITH_SETTINGS:
        try:
            findings.extend(check(subject))  # those before a fault stay
        except Exception as error:  # whatever it is, the rest of the report is of use
            text = f"this could not be looked at: {type(error).__name__}: {error}"
            findings.append(Finding(check.__name__.replace("_", " "), WRONG, text))
    return findings


def show(findings, file):
    """Prints the findings, a line each, and what to do below those that are not good."""
    paint = Paint(file)
    width = max(len(one.what) for one in findings)
    for one in findings:
        mark, colour = _MARKS[one.level]
        print(f"{paint(mark.ljust(5), colour)}  {one.what.ljust(width)}  {harmless(one.text)}", file=file)
        if one.remedy and one.level != GOOD:
            print(f"{'':5}  {'':{width}}  -> {harmless(one.remedy)}", file=file)
    wrong = sum(one.level == WRONG for one in findings)
    print(f"{wrong} wrong" if wrong else "nothing is wrong", file=file)
