"""The statement of a batch with a part taken away: to see that a test finds it.

`CONDITIONS` are those of the fence, by name. `mutants` are all: each condition, clause and column of each part.
`weakened` is for any other statement: each of its comparisons in turn is always true.
"""

import re
from collections import namedtuple

# name -> (pattern for a text of the statement, what stands there instead)
CONDITIONS = {
    "the fence": (r"(JOIN locked ON locked\.key = w\.key)\b[^()]*?(\s+WHERE c\.key)", r"\1\2"),
    "new messages only of clients that are still ours": (r" JOIN ok ON ok\.key = r\.client", ""),
    "old messages only of clients that are still ours": (r" JOIN ok ON ok\.key = d\.client", ""),
}

# part: name of the part in WITH; before: text that is taken away: the first one in it, and if `again` the second one;
# after: what stands there instead.
Mutant = namedtuple("Mutant", "part before after again")

_PART = re.compile(r"(\w+) AS \(\n?(?=\s*(?:SELECT|UPDATE|INSERT|DELETE))")
_CONDITION = re.compile(r"\b(?:ON|WHERE|AND)\s+([\w.]+ (?:=|IS NOT DISTINCT FROM) [\w.]+)")
_CLAUSES = [re.compile(one) for one in (r"ORDER BY [\w.]+", r"FOR UPDATE OF \w+", r" JOIN ok ON [\w.]+ = [\w.]+")]
_SET = re.compile(r"\bSET (.*?)(?=\n +FROM|\)$|\)\n|\),\n|\Z)", re.DOTALL)


def parts(statement):
    """Returns {name of a part in WITH: (first place, place behind)}."""
    begins = list(_PART.finditer(statement))
    ends = [begin.start() for begin in begins[1:]] + [statement.rindex("\nSELECT key, ")]
    return {begin[1]: (begin.start(), end) for begin, end in zip(begins, ends)}


def mutants(statement):
    """Returns a list of Mutant of a statement."""
    found = []
    for name, (begin, end) in parts(statement).items():
        text = statement[begin:end]
        found += [Mutant(name, one[1], "true", one.start(1) > text.index(one[1])) for one in _CONDITION.finditer(text)]
        found += [Mutant(name, one[0], "", False) for clause in _CLAUSES for one in clause.finditer(text)]
        for clause in _SET.finditer(text):
            found += [Mutant(name, column, _unset(column), False) for column in _columns(clause[1].rstrip())]
    return found


def _columns(clause):
    """Returns the text of each column of a SET clause, with the comma that goes with it."""
    pieces = re.split(r"(,\s+)", clause)
    return [pieces[at] + pieces[at + 1] for at in range(0, len(pieces) - 1, 2)] + ["".join(pieces[-2:])]


def _unset(column):
    """Returns what stands in the place of a column of a SET clause: nothing, but that a parameter is used somewhere."""
    return re.sub(r"\$1\b", "substr($1::bytea, 1, 0)", column) if "$" in column else ""


def without(statement, mutant):
    """Returns the statement without what the mutant takes away; unchanged if it does not have that part."""
    place = parts(statement).get(mutant.part)
    if place is None:
        return statement
    at = statement.index(mutant.before, *place)
    if mutant.again:
        at = statement.index(mutant.before, at + 1, place[1])
    return statement[:at] + mutant.after + statement[at + len(mutant.before) :]


_OPERAND = r"(?!CASE\b)(?:[\w.]+\(\$\d+(?:::\w+)?(?:\[\])?\)|[\w.]+\(\)|\$\d+|[\w.]+|'[^']*')"
_VALUE = _OPERAND + r"(?:::\w+)?(?: - interval '[^']*')?"
_OPERATOR = "(?:IS NOT DISTINCT FROM|BETWEEN 1 AND|<>|<=|>=|=|<|>)"
_COMPARISON = re.compile(rf"(?<![\w.])[\w.]+ (?:IS (?:NOT )?NULL|{_OPERATOR} {_VALUE})")
_ASSIGNS = re.compile(r"\bSET .*?(?=\bFROM\b|\bWHERE\b|\Z)", re.DOTALL)


def weakened(statement):
    """Returns [(comparison, where it is, the statement in which it is always true)]. Parameters stay in use."""
    assigned = [one.span() for one in _ASSIGNS.finditer(statement)]
    found = []
    for one in _COMPARISON.finditer(statement):
        if not any(begin <= one.start() < end for begin, end in assigned):
            begin, end = one.span()
            found.append((one[0], begin, f"{statement[:begin]}({one[0]} OR true){statement[end:]}"))
    return found
