"""`pb-link completion SHELL`: a script that completes commands and options in bash, zsh or fish.

It is made of the argparse parsers themselves, so it knows what they know. A script finds the command that is being
typed as a path of names, such as " keys add", and offers what the parser of that path takes. A positional argument
with choices, such as `add`, is a part of the path, so its choices are offered at its place alone. Where a value is a
file, or anything else, the shell completes file names as usual.
"""

import argparse
from collections import namedtuple

SHELLS = ("bash", "zsh", "fish")
MAX_TEXT = 100  # characters of a description

# flags: ["-y", "--yes"]; takes: True if a value follows; choices: of the value, or ().
Option = namedtuple("Option", "flags text takes choices")


class Command:
    """What a parser takes. path: " keys add"; text; options: list of Option; commands: list of Command, which are names
    of parsers, or the choices of its first positional argument."""

    def __init__(self, parser, path="", text="", others=None):
        self.path = path
        self.text = _short(text)
        self.options, self.commands, places = [], [], []
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                texts = {one.dest: one.help or "" for one in action._choices_actions}
                for name, inner in action.choices.items():
                    inner = (others or {}).get(name, inner)
                    self.commands.append(Command(inner, f"{path} {name}", texts.get(name, "")))
            elif action.option_strings:
                if action.help != argparse.SUPPRESS:
                    flags, choices = list(action.option_strings), list(map(str, action.choices or ()))
                    self.options.append(Option(flags, _short(action.help or ""), action.nargs != 0, choices))
            else:
                places.append([*map(str, action.choices or ())])
        self._choose(places)

    def _choose(self, places):
        """Make a Command, with the same options, of each choice of the first positional argument. places: choices of
        each."""
        for name in places[0] if places else ():
            inner = Command.__new__(Command)
            inner.path, inner.text, inner.options, inner.commands = f"{self.path} {name}", "", self.options, []
            inner._choose(places[1:])
            self.commands.append(inner)

    @property
    def name(self):
        return self.path.rpartition(" ")[2]

    def all(self):
        """Yields it and all below it."""
        yield self
        for one in self.commands:
            yield from one.all()


def script(shell, parser, others=None):
    """Returns the script for a shell. others: {name of a command: its parser}, where it has one of its own."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](Command(parser, others=others))


def _short(text):
    text = " ".join(text.replace("%%", "%").split())
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 2].rstrip() + ".."


def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def _paths(top):
    """Returns the pattern of a `case` that is true of each path of names."""
    return "|".join(f'"{one.path}"' for one in top.all() if one.path)


def _with_values(command):
    """Returns [(pattern of a `case` for the word before, words)] of the options that take a value: its choices, or
    nothing where the shell is to complete a file."""
    return [("|".join(one.flags), " ".join(one.choices)) for one in command.options if one.takes]


def _bash(top):
    lines = [
        "# bash completion of pb-link:  source <(pb-link completion bash)",
        "_pb_link() {",
        '    local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" at="" words="" i',
        "    for ((i = 1; i < COMP_CWORD; i++)); do",
        '        case "$at ${COMP_WORDS[i]}" in',
        f'            {_paths(top)}) at+=" ${{COMP_WORDS[i]}}" ;;',
        "        esac",
        "    done",
        '    case "$at" in',
    ]
    for one in top.all():
        flags = [flag for option in one.options for flag in option.flags]
        words = [command.name for command in one.commands] + flags
        lines += [f'        "{one.path}")', f"            words={_quoted(' '.join(words))}"]
        values = _with_values(one)
        if values:
            lines.append('            case "$before" in')
            lines += [f"                {pattern}) words={_quoted(choices)} ;;" for pattern, choices in values]
            lines.append("            esac")
        lines.append("            ;;")
    lines += [
        "    esac",
        '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
        "}",
        "complete -o default -F _pb_link pb-link",
    ]
    return "\n".join(lines) + "\n"


def _zsh(top):
    lines = [
        "#compdef pb-link",
        "# zsh completion of pb-link:  source <(pb-link completion zsh), after compinit",
        "_pb_link() {",
        "    local at='' word",
        "    local -a names options",
        "    for word in ${words[2,CURRENT-1]}; do",
        '        case "$at $word" in',
        f'            {_paths(top)}) at+=" $word" ;;',
        "        esac",
        "    done",
        '    case "$at" in',
    ]
    for one in top.all():
        names = [f"{command.name}:{command.text}".rstrip(":") for command in one.commands]
        options = [f"{flag}:{option.text}" for option in one.options for flag in option.flags]
        lines += [
            f'        "{one.path}")',
            f"            names=({' '.join(map(_quoted, names))})",
            f"            options=({' '.join(map(_quoted, options))})",
        ]
        values = _with_values(one)
        if values:
            lines.append('            case "${words[CURRENT-1]}" in')
            lines += [f"                {pattern}) names=({choices}); options=() ;;" for pattern, choices in values]
            lines.append("            esac")
        lines.append("            ;;")
    lines += [
        "    esac",
        "    if [[ $PREFIX == -* ]]; then",
        "        _describe -o option options",
        "    elif (( $#names )); then",
        "        _describe command names || _files",
        "    else",
        "        _files",
        "    fi",
        "}",
        'if [[ "${funcstack[1]}" == _pb_link ]]; then _pb_link "$@"; else compdef _pb_link pb-link; fi',
    ]
    return "\n".join(lines) + "\n"


def _fish(top):
    lines = [
        "# fish completion of pb-link:  pb-link completion fish | source",
        "function __pb_link_at",
        "    set -l at ''",
        "    for word in (commandline -opc)[2..]",
        '        switch "$at $word"',
        "            case " + " ".join(_quoted(one.path) for one in top.all() if one.path),
        '                set at "$at $word"',
        "        end",
        "    end",
        '    test "$at" = "$argv[1]"',
        "end",
    ]
    for one in top.all():
        here = f"complete -c pb-link -n {_quoted(f'__pb_link_at {_quoted(one.path)}')}"
        if one.commands:
            lines.append(f"{here} -f")
        lines += [f"{here} -a {command.name} -d {_quoted(command.text)}" for command in one.commands]
        for option in one.options:
            words = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags]
            if option.choices:
                words.append(f"-x -a {_quoted(' '.join(option.choices))}")
            elif option.takes:
                words.append("-r")
            lines.append(f"{here} {' '.join(words)} -d {_quoted(option.text)}")
    return "\n".join(lines) + "\n"
