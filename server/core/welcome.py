"""What the server knew when it gave a WELCOME."""


class Welcome:
    """serial: number of it, of this client; owner: in the store; epoch: told in it."""

    def __init__(self, serial, owner, epoch):
        self.serial = serial
        self.owner = owner
        self.epoch = epoch
