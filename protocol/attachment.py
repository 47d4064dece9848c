"""What a session knows of its present connection."""


class Attachment:
    """The state of a session on one connection: `attach` makes it, `detach` drops it."""

    def __init__(self, seal, peer_epoch, max_frame, now, ack, greeting):
        self.seal = seal
        self.peer_epoch = peer_epoch
        self.max_frame = max_frame
        self.since = now  # time from which on RESUME is waited for
        self.heard = None  # Resume of the peer
        self.greeting = greeting  # (flags, lost, runs) of our RESUME while that is to be sent, or None
        self.peer_seen = 0
        self.ack_since = None  # time since which an acknowledgement is due
        self.ack_soon = True  # the peer waits for it; or else more comes from there, and asks in its time
        self.asked = True  # the last frame with records did not say that more follows at once
        self.ack_sent = ack
        self.room_sent = 0
        self.progress = now  # time of the last sign that our frames arrive
        self.blocked = None  # time since which only the peer can let us go on
        self.probed = False  # and it has been asked
