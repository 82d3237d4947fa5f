"""A flame graph as a small SVG: what called stands above what it called, each as wide as its share of the
processor's time.

Ours, other Python and native code have a colour each. The ground is white, so that it is read on any page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT, TOP = 1200, 16, 26  # pixels: of the picture, of a row, above the first one
LETTER = 6.2  # pixels of a letter, on the average
LEAST = 0.002  # of the whole: what is narrower is left out, with all below it
OURS, PYTHON, NATIVE = "#7fc8b8", "#d5dcdc", "#f2c48d"
# How greenlets and threads begin: the same in every stack, and nothing that anybody could change.
SCAFFOLD = re.compile(r"0x|_start|__libc_|greenlet::|green_|single_result|thread_run|clone3? ")
# A thread that waits for work, for Python's lock or for any event takes no time of the processor.
WAITING = re.compile(r"PyThread_acquire_lock_timed|take_gil|epoll_wait|pthread_cond_")


@dataclass
class Frame:
    """`count`: samples in it and in what it called."""

    name: str
    count: int = 0
    called: "dict[str, Frame]" = field(default_factory=dict)


def draw(folded: str, title: str) -> str:
    """`folded`: a line for each stack: its frames, outermost first, divided by `;`, and how often it was
    seen.
    """
    everything = _tree(folded)
    boxes = [*_boxes(everything, everything.count, 0, 0.0)]
    height = TOP + HEIGHT * (1 + max(depth for _, depth, _ in boxes)) + 4
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-size="11" '
            'font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            f'<text x="4" y="17" font-size="13">{escape(title)}, {everything.count:,} samples</text>',
            *(_drawn(frame, depth, x, everything.count) for frame, depth, x in boxes),
            "</svg>\n",
        ]
    )


def _tree(folded: str) -> Frame:
    everything = Frame("all")
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        if WAITING.search(stack):
            continue
        frame = everything
        frame.count += int(count)
        for each in stack.split(";"):
            if SCAFFOLD.match(each):
                continue
            name = re.sub(r":\d+\)$", ")", each)
            frame = frame.called.setdefault(name, Frame(name))
            frame.count += int(count)
    return everything


def _boxes(frame: Frame, whole: int, depth: int, x: float) -> Iterator[tuple[Frame, int, float]]:
    yield frame, depth, x
    for each in sorted(frame.called.values(), key=lambda called: -called.count):
        if each.count >= LEAST * whole:
            yield from _boxes(each, whole, depth + 1, x)
            x += WIDTH * each.count / whole


def _drawn(frame: Frame, depth: int, x: float, whole: int) -> str:
    width, y = WIDTH * frame.count / whole, TOP + HEIGHT * depth
    colour = OURS if "chatapp/" in frame.name else PYTHON if ".py)" in frame.name else NATIVE
    fits = int((width - 6) / LETTER)
    short = frame.name.partition(" (")[0]
    said = short if len(short) <= fits else f"{short[: fits - 1]}…" if fits > 3 else ""
    return (
        f'<g><title>{escape(frame.name)}: {frame.count / whole:.1%}</title><rect x="{x:.1f}" y="{y}" '
        f'width="{max(width - 0.5, 0.3):.1f}" height="{HEIGHT - 1}" fill="{colour}"/>'
        + (f'<text x="{x + 3:.1f}" y="{y + 11}">{escape(said)}</text>' if said else "")
        + "</g>"
    )
