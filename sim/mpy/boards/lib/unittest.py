"""A small `unittest` for MicroPython boards: the part of CPython's that test files here and elsewhere use.

Knows nothing about the simulator. Under CPython the real `unittest` is used instead, so a test file that keeps to
the names below runs in both. The closing line of a run is `N passed, N failed, N skipped`.
"""

import sys


class SkipTest(Exception):
    """Raised inside a test, a fixture or a module to skip it; the argument is the reason."""


class TestCase:
    """One instance a test method; `setUpClass` and `tearDownClass` run once a class."""

    failureException = AssertionError

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        pass

    def tearDown(self):
        pass

    def addCleanup(self, function, *args, **kwargs):
        self._cleanups.append((function, args, kwargs))

    def doCleanups(self):
        while self._cleanups:
            function, args, kwargs = self._cleanups.pop()
            function(*args, **kwargs)

    def subTest(self, msg=None, **params):
        return _SubTest(self, msg, params)

    def skipTest(self, reason):
        raise SkipTest(reason)

    def fail(self, msg=None):
        raise AssertionError("failed" if msg is None else msg)

    def _check(self, good, msg, text, *values):
        # The text is only formatted when it is needed: the heap of a board is small.
        if not good:
            text = text % tuple(repr(v) for v in values)
            raise AssertionError(text if msg is None else "%s: %s" % (text, msg))

    def assertEqual(self, a, b, msg=None):
        self._check(a == b, msg, "%s != %s", a, b)

    def assertNotEqual(self, a, b, msg=None):
        self._check(a != b, msg, "%s == %s", a, b)

    def assertTrue(self, a, msg=None):
        self._check(a, msg, "%s is not true", a)

    def assertFalse(self, a, msg=None):
        self._check(not a, msg, "%s is not false", a)

    def assertIs(self, a, b, msg=None):
        self._check(a is b, msg, "%s is not %s", a, b)

    def assertIsNot(self, a, b, msg=None):
        self._check(a is not b, msg, "%s is %s", a, b)

    def assertIsNone(self, a, msg=None):
        self._check(a is None, msg, "%s is not None", a)

    def assertIsNotNone(self, a, msg=None):
        self._check(a is not None, msg, "%s is None", a)

    def assertIn(self, a, b, msg=None):
        self._check(a in b, msg, "%s not in %s", a, b)

    def assertNotIn(self, a, b, msg=None):
        self._check(a not in b, msg, "%s in %s", a, b)

    def assertIsInstance(self, a, cls, msg=None):
        self._check(isinstance(a, cls), msg, "%s is not an instance of %s", a, cls)

    def assertNotIsInstance(self, a, cls, msg=None):
        self._check(not isinstance(a, cls), msg, "%s is an instance of %s", a, cls)

    def assertGreater(self, a, b, msg=None):
        self._check(a > b, msg, "%s not greater than %s", a, b)

    def assertGreaterEqual(self, a, b, msg=None):
        self._check(a >= b, msg, "%s not greater than or equal to %s", a, b)

    def assertLess(self, a, b, msg=None):
        self._check(a < b, msg, "%s not less than %s", a, b)

    def assertLessEqual(self, a, b, msg=None):
        self._check(a <= b, msg, "%s not less than or equal to %s", a, b)

    def assertAlmostEqual(self, a, b, places=None, msg=None, delta=None):
        near = a == b or (abs(a - b) <= delta if delta is not None else round(abs(a - b), places or 7) == 0)
        self._check(near, msg, "%s != %s within the tolerance", a, b)

    def assertNotAlmostEqual(self, a, b, places=None, msg=None, delta=None):
        near = a == b or (abs(a - b) <= delta if delta is not None else round(abs(a - b), places or 7) == 0)
        self._check(not near, msg, "%s == %s within the tolerance", a, b)

    def assertCountEqual(self, a, b, msg=None):
        rest, missing = list(b), False
        for item in a:
            if item in rest:
                rest.remove(item)
            else:
                missing = True
        self._check(not missing and not rest, msg, "%s has not the elements of %s", a, b)

    def assertRaises(self, exception, function=None, *args, **kwargs):
        context = _Raises(exception, None)
        if function is None:
            return context
        with context:
            function(*args, **kwargs)

    def assertRaisesRegex(self, exception, pattern, function=None, *args, **kwargs):
        context = _Raises(exception, pattern)
        if function is None:
            return context
        with context:
            function(*args, **kwargs)


class _Raises:
    def __init__(self, expected, pattern):
        self.expected = expected
        self.pattern = pattern
        self.exception = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None:
            raise AssertionError("%r not raised" % (self.expected,))
        if not issubclass(kind, self.expected):
            return False
        self.exception = value
        if self.pattern is not None:
            import re

            if not re.search(self.pattern, str(value)):
                raise AssertionError("%r does not match %r" % (str(value), self.pattern))
        return True


class _SubTest:
    """A failing subtest is reported and the test goes on, as in CPython."""

    def __init__(self, case, msg, params):
        self.case = case
        self.label = " ".join(([] if msg is None else [str(msg)]) + ["%s=%r" % item for item in params.items()])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None or issubclass(kind, SkipTest) or not issubclass(kind, Exception):
            return False
        self.case._result.add_failure("%s [%s]" % (self.case._name, self.label), value)
        self.case._subtest_failed = True
        return True


class TestResult:
    """Counts, and prints each failure when it happens."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def add_failure(self, name, exception):
        self.failed += 1
        print("FAIL", name)
        sys.print_exception(exception)

    def add_skip(self, name, reason):
        self.skipped += 1
        print("skip %s: %s" % (name, reason))

    def wasSuccessful(self):
        return self.failed == 0

    def __str__(self):
        return "%d passed, %d failed, %d skipped" % (self.passed, self.failed, self.skipped)


def skip(reason):
    def decorate(thing):
        if isinstance(thing, type):
            thing.__unittest_skip__ = reason
            return thing

        def skipped(self):
            raise SkipTest(reason)

        return skipped

    return decorate


def skipIf(condition, reason):
    return skip(reason) if condition else lambda thing: thing


def skipUnless(condition, reason):
    return skipIf(not condition, reason)


def expectedFailure(method):
    def inverted(self):
        try:
            method(self)
        except SkipTest:
            raise
        except Exception:
            return
        raise AssertionError("unexpected success")

    return inverted


def run_class(cls, result):
    """Runs every `test*` method of one TestCase class."""
    reason = getattr(cls, "__unittest_skip__", None)
    if reason is not None:
        result.add_skip(cls.__name__, reason)
        return
    try:
        cls.setUpClass()
    except SkipTest as skipped:
        result.add_skip(cls.__name__, skipped)
        return
    except Exception as failure:
        result.add_failure(cls.__name__ + ".setUpClass", failure)
        return
    # `dir` of MicroPython lists names in the order in which they were first seen: the order of the file. Tests of
    # hardware rely on that.
    for name in dir(cls):
        if name.startswith("test"):
            _run_method(cls, name, result)
    try:
        cls.tearDownClass()
    except Exception as failure:
        result.add_failure(cls.__name__ + ".tearDownClass", failure)


def _run_method(cls, name, result):
    case = cls()
    case._cleanups = []
    case._result = result
    case._subtest_failed = False
    case._name = "%s.%s" % (cls.__name__, name)
    skipped = failure = None
    try:
        case.setUp()
        try:
            getattr(case, name)()
        finally:
            case.tearDown()
    except SkipTest as reason:
        skipped = reason
    except Exception as exception:
        failure = exception
    try:
        case.doCleanups()
    except Exception as exception:
        failure = failure or exception
    if failure is not None:
        result.add_failure(case._name, failure)
    elif skipped is not None:
        result.add_skip(case._name, skipped)
    elif not case._subtest_failed:
        result.passed += 1


def run_module(module, result=None):
    """Runs the TestCase classes of a module (object or name); returns the result, to which more can be added."""
    if isinstance(module, str):
        name = module
        module = __import__(name)
        for part in name.split(".")[1:]:
            module = getattr(module, part)
    result = result or TestResult()
    for name in dir(module):
        thing = getattr(module, name)
        if isinstance(thing, type) and issubclass(thing, TestCase) and thing is not TestCase:
            run_class(thing, result)
    return result


def main(module="__main__"):
    """Runs a module's tests, prints the closing line; SystemExit(1) if one failed."""
    result = run_module(module)
    print(result)
    if result.failed:
        raise SystemExit(1)
