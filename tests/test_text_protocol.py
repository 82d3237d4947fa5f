"""Texts are taken out of what was read before the library sees it: with the same result in every case."""

import random

import pytest

from chatapp.transports.handshake import TextProtocol
from tests.raw_socket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame_bytes

LIMIT = 1000
Seen = tuple[list[str | None], bytes, str]


def what_comes(pieces: list[bytes], takes_texts: bool) -> Seen:
    """The items, what is answered and the state of a protocol that reads `pieces`."""
    protocol = TextProtocol(LIMIT, takes_texts)
    items = [item for piece in pieces for item in protocol.receive(piece)]
    return items, b"".join(protocol.data_to_send()), protocol.state.name


def a_frame(chance: random.Random) -> bytes:
    """Nearly always a short text; else anything that a peer may send, right or wrong."""
    key = chance.randbytes(4)
    kind = chance.choices(range(10), [60, 5, 5, 5, 4, 4, 1, 1, 1, 1])[0]
    match kind:
        case 0:
            return frame_bytes("é" * chance.randrange(62) + "x", key=key)
        case 1:
            return frame_bytes("x" * chance.choice([0, 125, 126, 127, 600, LIMIT]), key=key)
        case 2:
            return b"".join(
                [
                    frame_bytes("in ", fin=False, key=key),
                    frame_bytes(b"", PING, key=key) * chance.randrange(2),
                    frame_bytes("pieces", CONTINUATION, key=key),
                ]
            )
        case 3:
            return frame_bytes(chance.randbytes(chance.randrange(20)), PING, key=key)
        case 4:
            return frame_bytes(b"", PONG, key=key)
        case 5:
            return frame_bytes("é".encode()[: chance.choice([1, 2])], fin=False, key=key) + frame_bytes(
                b"" if chance.random() < 0.5 else b"\xa9", CONTINUATION, key=key
            )
        case 6:
            return chance.choice([frame_bytes(b"\xff", key=key), frame_bytes("x", BINARY, key=key)])
        case 7:
            return chance.choice([frame_bytes("x", key=b""), frame_bytes("x", key=key, rsv=4)])
        case 8:
            return frame_bytes("x" * (LIMIT + 1), key=key)
        case _:
            return frame_bytes((1000).to_bytes(2, "big"), CLOSE, key=key)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_however_it_is_cut_is_read_as_by_the_library_alone(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(25):
        stream = b"".join(a_frame(chance) for _ in range(chance.randrange(1, 30)))
        cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(6)))
        pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert what_comes(pieces, True) == what_comes(pieces, False)


@pytest.mark.parametrize("size", [25, 125, 126, 600])
def test_what_looks_like_a_short_text_in_the_midst_of_a_frame_is_none(size: int) -> None:
    alike = b"\x81\x82"  # a final text, masked, of two bytes
    under = bytes(sign ^ ord("x") for sign in alike)
    for key in (alike + b"ab", under + b"ab"):  # the key looks like one, or what stands behind it
        whole = frame_bytes("x" * size, key=key) + frame_bytes("behind", key=b"abcd")
        for cut in range(len(whole)):
            pieces = [whole[:cut], whole[cut:]]
            assert what_comes(pieces, True) == what_comes(pieces, False)


def test_texts_never_reach_the_library_and_what_follows_something_else_does() -> None:
    protocol = TextProtocol(LIMIT)
    given: list[bytes] = []
    protocol.receive_data = lambda data: given.append(bytes(data))  # type: ignore[method-assign]
    texts = [
        frame_bytes(f"{number}" * length, key=b"abcd") for number, length in enumerate((1, 125, 126, LIMIT))
    ]
    said = ["0", "1" * 125, "2" * 126, "3" * LIMIT]
    assert protocol.receive(b"".join(texts)) == said
    for cut in range(1, 12):  # also within the head
        halves = [half for text in texts for half in (text[:cut], text[cut:])]
        assert [item for half in halves for item in protocol.receive(half)] == said
    assert given == []
    rest = frame_bytes(b"", PING) + frame_bytes("3", TEXT)
    assert protocol.receive(texts[0] + rest) == ["0"]
    assert given == [rest]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\x81\x05", id="not masked"),
        pytest.param(b"\x81\xff" + (2**40).to_bytes(8, "big"), id="larger than 64 KB"),
        pytest.param(b"\x81\xfe" + (2 * LIMIT).to_bytes(2, "big"), id="larger than a message may be"),
    ],
)
def test_what_the_head_alone_forbids_is_refused_by_the_last_byte_of_it_that_has_come(head: bytes) -> None:
    def state_after_each_byte(takes_texts: bool) -> list[str]:
        protocol = TextProtocol(LIMIT, takes_texts)
        states = []
        for byte in head:
            protocol.receive(bytes([byte]))
            states.append(protocol.state.name)
        return states

    assert state_after_each_byte(True) == state_after_each_byte(False)
    assert state_after_each_byte(True)[-1] == "CLOSING"
