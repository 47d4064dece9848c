"""Figures of a benchmark, and the bars that some of them have."""


class Bars:
    """Prints each figure, and knows which have missed their bar."""

    def __init__(self):
        self.figures = {}  # name -> {name of a value: value}
        self.missed = []

    def show(self, name, text, **values):
        print(f"{name:<44} {text}", flush=True)
        self.figures[name] = {key: round(value, 3) for key, value in values.items()}

    def at_least(self, name, value, bar, text=""):
        self._hold(name, value, f"at least {bar:g}", value >= bar, text)

    def at_most(self, name, value, bar, text=""):
        self._hold(name, value, f"at most {bar:g}", value <= bar, text)

    def _hold(self, name, value, bar, held, text):
        self.show(name, f"{value:.3g} (bar: {bar}){', ' * bool(text)}{text}{'' if held else '   MISSED'}", value=value)
        if not held:
            self.missed.append(name)

    def end(self):
        """Raises: SystemExit if a bar was missed."""
        if self.missed:
            raise SystemExit("bench: missed: " + "; ".join(self.missed))


def median(values):
    return sorted(values)[len(values) // 2]
