import unittest

from protocol import frame, handshake
from protocol.handshake import DONE, FAILED, HELLO_SENT, START, Initiator, equal
from protocol.limits import MAX_FRAME, MAX_ID, MAX_LINE, MIN_FRAME, MIN_LINE
from protocol.responder import WELCOME_SENT, Responder, encode_refused
from tests.protocol.noise import Noise, every_flip
from tests.protocol.test_frame import sealed

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
EPOCH, SERVER_EPOCH = b"client-e", b"server-e"
NONCE, SERVER_NONCE = b"n" * 16, b"m" * 16


def initiator(key=KEY, client_id="meter", nonce=NONCE, max_frame=MAX_FRAME):
    return Initiator(client_id, key, EPOCH, nonce, max_frame)


def begun(hello, key=KEY, nonce=SERVER_NONCE):
    """(responder, WELCOME) after this HELLO."""
    responder = Responder()
    fault = responder.hello(hello)
    assert fault is None, fault
    return responder, responder.challenge(key, SERVER_EPOCH, nonce)


def exchange(client):
    """(responder, HELLO, WELCOME, PROOF) of a whole handshake."""
    hello = client.hello()
    responder, welcome = begun(hello)
    proof, fault = client.welcome(welcome)
    assert fault is None, fault
    return responder, hello, welcome, proof


class TestAgreement(unittest.TestCase):
    def test_both_ends_are_done_and_know_each_other(self):
        client = initiator(max_frame=512)
        responder, _, _, proof = exchange(client)
        self.assertEqual((client.state, responder.state), (DONE, WELCOME_SENT))
        self.assertIsNone(responder.proof(proof))
        self.assertEqual(responder.state, DONE)
        self.assertEqual(responder.client_id, "meter")
        self.assertEqual((responder.peer_epoch, client.peer_epoch), (EPOCH, SERVER_EPOCH))
        self.assertEqual((responder.peer_max_frame, client.peer_max_frame), (512, MAX_FRAME))

    def test_each_end_learns_the_longest_line_of_the_other(self):
        client = Initiator("meter", KEY, EPOCH, NONCE, max_line=2000)
        responder = Responder()
        responder.hello(client.hello())
        client.welcome(responder.challenge(KEY, SERVER_EPOCH, SERVER_NONCE, max_line=4000))
        self.assertEqual((responder.peer_max_line, client.peer_max_line), (2000, 4000))

    def test_channels_fit(self):
        client = initiator()
        responder, _, _, proof = exchange(client)
        responder.proof(proof)
        self.assertTrue(responder.seal.open(memoryview(sealed(client.seal))))
        self.assertTrue(client.seal.open(memoryview(sealed(responder.seal))))
        self.assertFalse(client.seal.open(memoryview(sealed(client.seal))))

    def test_every_connection_has_keys_of_its_own(self):
        first, second = initiator(), initiator(nonce=b"o" * 16)
        exchange(first)
        responder, _, _, proof = exchange(second)
        responder.proof(proof)
        self.assertFalse(responder.seal.open(memoryview(sealed(first.seal))))

    def test_views_are_taken_as_bytes_are(self):
        client = initiator()
        responder = Responder()
        self.assertIsNone(responder.hello(memoryview(client.hello())))
        welcome = responder.challenge(KEY, SERVER_EPOCH, SERVER_NONCE)
        proof, _ = client.welcome(memoryview(bytearray(welcome)))
        self.assertIsNone(responder.proof(memoryview(proof)))

    def test_longest_id_fits(self):
        for name in ("x", "\u00e9" * (MAX_ID // 2)):
            responder, _, _, proof = exchange(initiator(client_id=name))
            self.assertIsNone(responder.proof(proof))
            self.assertEqual(responder.client_id, name)


class TestForgery(unittest.TestCase):
    def test_server_with_another_key_is_refused_by_the_client(self):
        client = initiator()
        _, welcome = begun(client.hello(), OTHER_KEY)
        reply, fault = client.welcome(welcome)
        self.assertIsNone(reply)
        self.assertEqual(fault, "the server has another key")
        self.assertEqual(client.state, FAILED)

    def test_client_with_another_key_is_refused_by_the_server(self):
        liar = initiator(OTHER_KEY)
        hello = liar.hello()
        responder, _ = begun(hello)
        _, own = begun(hello, OTHER_KEY)
        proof, _ = liar.welcome(own)
        self.assertEqual(responder.proof(proof), "wrong key")
        self.assertEqual((responder.state, responder.refuse), (FAILED, frame.REFUSED_IDENTITY))

    def test_old_proof_against_a_new_nonce_is_refused(self):
        _, hello, _, proof = exchange(initiator())
        responder, _ = begun(hello, nonce=b"p" * 16)
        self.assertEqual(responder.proof(proof), "wrong key")

    def test_old_welcome_against_a_new_hello_is_refused(self):
        _, _, welcome, _ = exchange(initiator())
        client = initiator(nonce=b"o" * 16)
        client.hello()
        self.assertEqual(client.welcome(welcome)[1], "the server has another key")

    def test_proof_of_the_server_is_none_of_the_client(self):
        client = initiator()
        responder, welcome = begun(client.hello())
        self.assertEqual(responder.proof(b"\x03" + welcome[-32:]), "wrong key")

    def test_reflected_hello_is_no_welcome(self):
        client = initiator()
        hello = client.hello()
        self.assertEqual(client.welcome(hello)[1], "not a WELCOME")

    def test_reflected_welcome_is_no_proof(self):
        responder, welcome = begun(initiator().hello())
        self.assertEqual(responder.proof(welcome), "not a PROOF")

    def test_proof_for_another_id_is_refused(self):
        _, _, _, proof = exchange(initiator())
        responder, _ = begun(initiator(client_id="motor").hello())
        self.assertEqual(responder.proof(proof), "wrong key")

    def test_failed_end_takes_nothing_more(self):
        client = initiator()
        responder, _, welcome, proof = exchange(client)
        responder.proof(proof[:-1])
        self.assertEqual(responder.proof(proof), "not a PROOF")
        self.assertIn("in state done", client.welcome(welcome)[1])
        self.assertIn("in state failed", client.welcome(welcome)[1])


class TestKeyHint(unittest.TestCase):
    def fits(self, hello, key):
        responder = Responder()
        self.assertIsNone(responder.hello(hello))
        return responder.fits(key)

    def test_hint_tells_which_key_the_client_has(self):
        hello = initiator().hello()
        self.assertTrue(self.fits(hello, KEY))
        self.assertFalse(self.fits(hello, OTHER_KEY))

    def test_hint_covers_every_other_byte_of_hello(self):
        for hello in every_flip(initiator().hello()):
            responder = Responder()
            self.assertFalse(responder.hello(hello) is None and responder.fits(KEY))

    def test_hint_is_another_one_for_each_connection(self):
        hints = {initiator(nonce=bytes((n,)) * 16).hello()[30:38] for n in range(20)}
        self.assertEqual(len(hints), 20)


class TestFlippedBits(unittest.TestCase):
    def test_flipped_bit_in_hello_is_never_accepted(self):
        client = initiator()
        for hello in every_flip(client.hello()):
            responder = Responder()
            if responder.hello(hello) is None:
                welcome = responder.challenge(KEY, SERVER_EPOCH, SERVER_NONCE)
                client.state = HELLO_SENT
                self.assertIsNone(client.welcome(welcome)[0])
            else:
                self.assertEqual(responder.state, FAILED)

    def test_flipped_bit_in_welcome_is_never_accepted(self):
        client = initiator()
        _, welcome = begun(client.hello())
        for bad in every_flip(welcome):
            client.state = HELLO_SENT
            reply, fault = client.welcome(bad)
            self.assertIsNone(reply)
            self.assertIsInstance(fault, str)

    def test_flipped_bit_in_proof_is_never_accepted(self):
        responder, _, _, proof = exchange(initiator())
        for bad in every_flip(proof):
            responder.state = WELCOME_SENT
            self.assertIsInstance(responder.proof(bad), str)


class TestLengths(unittest.TestCase):
    def test_hello_of_a_wrong_length_is_refused(self):
        hello = initiator().hello()
        for end in range(len(hello)):
            self.assertIsInstance(Responder().hello(hello[:end]), str)
        self.assertEqual(Responder().hello(hello + b"x"), "malformed HELLO")

    def test_welcome_of_a_wrong_length_is_refused(self):
        client = initiator()
        _, welcome = begun(client.hello())
        for bad in [welcome[:end] for end in range(len(welcome))] + [welcome + b"x"]:
            client.state = HELLO_SENT
            self.assertIsNone(client.welcome(bad)[0])

    def test_proof_of_a_wrong_length_is_refused(self):
        responder, _, _, proof = exchange(initiator())
        for bad in [proof[:end] for end in range(len(proof))] + [proof + b"x"]:
            responder.state = WELCOME_SENT
            self.assertEqual(responder.proof(bad), "not a PROOF")

    def test_noise_is_a_fault(self):
        noise = Noise(6)
        for size in range(150):
            client, responder = initiator(), Responder()
            client.hello()
            data = noise.data(size)
            self.assertIsNone(client.welcome(data)[0])
            self.assertIsInstance(responder.hello(data), str)
            self.assertIsInstance(responder.proof(data), str)


class TestHello(unittest.TestCase):
    def hello_of(self, name):
        """A HELLO with these bytes for an id."""
        head = initiator(client_id="x").hello()[:-2]
        return head + bytes((len(name),)) + name

    def test_id_with_a_newline_is_refused(self):
        for name in (b"a\nb", b"a\n", b"\n", b"a\r"):
            self.assertEqual(Responder().hello(self.hello_of(name)), "the id contains a newline")

    def test_empty_id_is_refused(self):
        self.assertEqual(Responder().hello(self.hello_of(b"")), "malformed HELLO")

    def test_id_that_is_too_long_is_refused(self):
        self.assertEqual(Responder().hello(self.hello_of(b"x" * (MAX_ID + 1))), "malformed HELLO")

    def test_id_that_is_not_utf8_is_refused(self):
        self.assertEqual(Responder().hello(self.hello_of(b"\xff\xfe")), "the id is not UTF-8")

    def test_second_hello_is_refused(self):
        responder, _ = begun(initiator().hello())
        self.assertIn("in state", responder.hello(initiator().hello()))

    def test_another_version_is_refused_with_a_reason(self):
        hello = bytearray(initiator().hello())
        hello[1] = 9
        responder = Responder()
        self.assertIn("version 9", responder.hello(hello))
        self.assertEqual(responder.refuse, frame.REFUSED_VERSION)

    def test_frame_size_out_of_bounds_is_refused(self):
        for size in (0, MIN_FRAME - 1, MAX_FRAME + 1, 0xFFFF):
            hello = initiator(max_frame=size).hello()
            self.assertEqual(Responder().hello(hello), "frame size %d" % size)
            client = initiator()
            responder = Responder()
            responder.hello(client.hello())
            welcome = responder.challenge(KEY, SERVER_EPOCH, SERVER_NONCE, size)
            self.assertEqual(client.welcome(welcome)[1], "frame size %d" % size)

    def test_line_size_out_of_bounds_is_refused(self):
        for size in (0, MIN_LINE - 1, MAX_LINE + 1, 0xFFFF):
            hello = Initiator("meter", KEY, EPOCH, NONCE, max_line=size).hello()
            self.assertEqual(Responder().hello(hello), "line size %d" % size)
            client = initiator()
            responder = Responder()
            responder.hello(client.hello())
            welcome = responder.challenge(KEY, SERVER_EPOCH, SERVER_NONCE, max_line=size)
            self.assertEqual(client.welcome(welcome)[1], "line size %d" % size)


class TestRefusal(unittest.TestCase):
    def test_refusal_for_the_version_names_both(self):
        client = initiator()
        client.hello()
        _, fault = client.welcome(encode_refused(frame.REFUSED_VERSION, 2))
        self.assertEqual(fault, "refused: the server speaks protocol version 2, this is 4")

    def test_reason_is_told_in_words(self):
        for reason in list(frame.REASONS) + [200]:
            client = initiator()
            client.hello()
            reply, fault = client.welcome(encode_refused(reason, 1))
            self.assertIsNone(reply)
            self.assertEqual(fault, "refused: " + frame.REASONS.get(reason, "reason %d" % reason))

    def test_server_of_another_version_is_named(self):
        client = initiator()
        _, welcome = begun(client.hello())
        reply, fault = client.welcome(b"\x02\x09" + welcome[2:])
        self.assertEqual(fault, "the server speaks protocol version 9, this is 4")

    def test_nothing_is_taken_before_hello(self):
        client = initiator()
        self.assertEqual(client.state, START)
        self.assertIn("in state start", client.welcome(b"")[1])

    def test_labels_differ(self):
        labels = (
            handshake.KEY_HINT,
            handshake.SERVER_PROOF,
            handshake.CLIENT_PROOF,
            handshake.TO_SERVER,
            handshake.TO_CLIENT,
        )
        self.assertEqual(len(set(labels)), 5)


class TestEqual(unittest.TestCase):
    def test_equal_only_if_every_byte_is(self):
        self.assertTrue(equal(b"", b""))
        self.assertTrue(equal(b"abc", bytearray(b"abc")))
        for other in (b"abd", b"xbc", b"ab", b"abcd", b""):
            self.assertFalse(equal(b"abc", other))


if __name__ == "__main__":
    unittest.main()
