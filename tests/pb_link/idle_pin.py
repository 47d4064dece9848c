"""A pin on which nothing happens, for tests in which the link's loop does not run."""


class Pin:
    IN, OUT, PULL_UP, IRQ_FALLING = 0, 1, 1, 2

    def init(self, mode, pull=None, *, value=None):
        pass

    def __call__(self, level=None):
        return 1

    def irq(self, handler=None, trigger=0):
        pass
