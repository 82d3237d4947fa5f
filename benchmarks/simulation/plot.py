"""What was simulated, as one picture. Run by a Python that has matplotlib, which nothing else here needs:
`python plot.py picture.svg < drawn.json`.
"""

import json
import sys
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

INK = "#5f6b6b"
LINES = ("#0b6e5f", "#c2571a", "#4a5fb0", "#8a3f7c", "#7a7a1f", "#2a8fa8", "#a33b3b", "#5c5c5c", "#b59b2e")


def draw(drawn: dict[str, Any], picture: str) -> None:
    plt.rcParams.update({"font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK})
    plt.rcParams.update({"xtick.color": INK, "ytick.color": INK, "svg.fonttype": "none", "svg.hashsalt": ""})
    figure, places = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    for place in places:
        place.spines[["top", "right"]].set_visible(False)
    _check(places[0], drawn["check"])
    _cores(places[1], drawn["cores"])
    _back(places[2], drawn["back"])
    figure.savefig(picture, metadata={"Date": None})  # on white, so that it is read on any page


def _check(place: Any, found: list[dict[str, Any]]) -> None:
    for colour, servers in zip(LINES, sorted({each["servers"] for each in found}), strict=False):
        of = [each for each in found if each["servers"] == servers]
        readers = [each["readers"] for each in of]
        middle = [each["measured"][0] for each in of]
        place.plot(readers, [each["guess"] for each in of], color=colour, label=f"{servers}")
        below = [each["measured"][0] - min(each["measured"]) for each in of]
        above = [max(each["measured"]) - each["measured"][0] for each in of]
        place.errorbar(readers, middle, yerr=[below, above], color=colour, fmt="o", markersize=3)
    place.set(xscale="log", ylim=(0, None), xlabel="readers of one room", ylabel="µs of CPU for a delivery")
    place.set_xticks(readers, [f"{each:,}" for each in readers])
    place.minorticks_off()
    place.legend(title="servers: predicted (line), measured", frameon=False, fontsize=8, loc="lower left")


def _cores(place: Any, towns: list[dict[str, Any]]) -> None:
    readers = [each["readers"] for each in towns]
    for colour, what in zip(LINES, towns[0]["cores"], strict=False):
        place.plot(readers, [each["cores"][what] or None for each in towns], color=colour, label=what)
    place.set(xscale="log", yscale="log", xlabel="readers", ylabel="cores, of all servers")
    place.legend(frameon=False, fontsize=7)


def _back(place: Any, storms: list[dict[str, Any]]) -> None:
    for colour, each in zip(LINES, storms, strict=False):
        back = each["back"]
        seconds = [step / 2 for step in range(len(back))]
        place.plot(seconds, [100 * share for share in back], color=colour, label=f"{each['machines']}")
    place.set(
        xlabel="seconds after a machine’s loss",
        ylabel="% of its readers that are back",
        xlim=(0, seconds[-1]),
    )
    place.legend(title="machines", frameon=False, fontsize=8)


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
