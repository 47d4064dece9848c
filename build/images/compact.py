"""A source in fewer lines, for a joined module: each function has its first line's number in its bytecode, in two bytes
up to line 2,047 and in four from there on, and each of its lines in one byte if it is close to the one before.

Comments, docstrings, empty lines, and `pass` in the module itself are left out. A statement is one line, and so can be
simple ones that follow each other.
"""

import io
import tokenize

RUN = 3  # lines of a source to which a line of the client leads at most, if it is not one statement
_COMPOUND = frozenset("if elif else for while try except finally with def class async @".split())
_UNSEEN = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def compacted(source, run=1):
    """Returns [(line without its newline, first line in the source, last line), ..], numbered from 1.

    Simple statements that have at most `run` lines together become one.
    """
    made = []
    statement, opened = [], True  # opened: a block, which has no line yet
    simple = None  # indentation of the last line, if another statement can follow on it
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.DEDENT and opened and made:
            made.append(_pass_after(made[-1], token.start[0] - 1))
            opened, simple = False, None
        if token.type == tokenize.NEWLINE:
            if not _is_text(statement) and not _is_idle(statement):
                new = _lines(statement)
                one_line = len(new) == 1 and statement[0].string not in _COMPOUND
                indent = statement[0].start[1] if one_line else None
                if one_line and indent == simple and new[0][2] - made[-1][1] < run:
                    text, first, _ = made.pop()
                    new = [(f"{text}; {new[0][0].strip()}", first, new[0][2])]
                made += new
                simple = indent
                opened = statement[-1].string == ":"
            statement = []
        elif token.type not in _UNSEEN:
            statement.append(token)
    return made


def _is_text(statement):
    return all(token.type == tokenize.STRING for token in statement)


def _is_idle(statement):
    return len(statement) == 1 and statement[0].string == "pass" and statement[0].start[1] == 0


def _pass_after(line, last):
    """The body of a function or class that is nothing but its docstring."""
    indent = len(line[0]) - len(line[0].lstrip())
    return " " * (indent + 4) + "pass", line[1], last


def _lines(statement):
    """Returns the lines of a statement: one, if it has no text of several."""
    first, last = statement[0], statement[-1]
    text = " " * first.start[1]
    at = first.start
    for token in statement:
        if token.start[0] != at[0]:
            text += " "
        else:
            text += " " * (token.start[1] - at[1])
        text += token.string
        at = token.end
    return [(line, first.start[0], last.end[0]) for line in text.split("\n")]
