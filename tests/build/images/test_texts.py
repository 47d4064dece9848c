"""texts.py: the texts of a joined module as one."""

from build.images.bundle import Bundle
from build.images.texts import MIN_CHARACTERS, Texts
from build.install import client_package

SOURCE = '''
def first(value):
    if value > 3:
        raise ValueError("a number is too large")
    if value > 2:
        raise ValueError("a number of %d is too large, and"
                         " this is more of it" % value)
    if value > 1:
        raise ValueError("the value is " + str(value))
    if value == 1:
        raise ValueError("short")
    return "this works without memory"

def second():
    kept = "not \\u00e9 ascii %d" % 1, "of two\\nlines %d" % 2
    return "a number is too large {}".format(1), kept, "a number is " + "ended"
'''


def outcomes(source):
    names = {}
    exec(source, names)
    found = [names["second"]()]
    for value in range(5):
        try:
            found.append(names["first"](value))
        except ValueError as error:
            found.append(str(error))
    return found


def test_program_says_the_same():
    texts = Texts("whole", "part")
    taken = texts.taken_from(SOURCE)
    assert outcomes("\n".join((*texts.lines(), taken))) == outcomes(SOURCE)
    assert taken.count("\n") == SOURCE.count("\n") and taken.count("part(") == 5
    assert len(texts.lines()) == 2 and "a number is too large" not in taken
    assert "this works without memory" in taken and '"short"' in taken and "ascii" in taken


def test_texts_that_are_returned_are_taken_where_it_is_said():
    source = """def fault(value):
    if value > 1:
        return "this is the first fault"
    return "this is the second fault" if value else None
"""
    texts = Texts("whole", "part")
    assert texts.taken_from(source) == source
    taken = texts.taken_from(source, True)
    assert taken.count("part(") == 2 and "fault\"" not in taken
    assert texts.lines()[0].count("this is the") == 2


def test_text_that_is_used_twice_is_there_once():
    texts = Texts("whole", "part")
    once = 'raise ValueError("what is wrong")'
    assert texts.taken_from(once) == texts.taken_from(once) == "raise ValueError(part(0))"
    assert texts.lines()[0].count("what is wrong") == 1


def test_source_without_texts_stays_the_same():
    texts = Texts("whole", "part")
    source = 'raise ValueError("%s")' % ("x" * (MIN_CHARACTERS - 1))
    assert texts.taken_from(source) == source and texts.lines() == []


def test_lines_of_the_joined_client_lead_to_the_source_behind_its_text():
    sources = {"protocol": b"", "lib.main": SOURCE.encode()}
    bundle = Bundle(sources, "lib.main", texts_of=())
    number = bundle.source().split("\n").index('        raise ValueError("short")') + 1
    assert bundle.where(f"lib/main.py:{number}") == "lib/main.py:11 in first"
    assert outcomes(bundle.source()) == outcomes(SOURCE)


def test_client_has_one_text():
    source = client_package.bundle().source()
    assert source.count('"the line has %d bytes') == 0 and source.count("the line has %d bytes") == 1
