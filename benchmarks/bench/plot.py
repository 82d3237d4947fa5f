"""The curves of `growth` as one picture. Run by a Python that has matplotlib, which nothing else here needs:
`python plot.py picture.svg < curves.json`.
"""

import json
import sys
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

INK, LINE, BAND = "#5f6b6b", "#0b6e5f", "#0b6e5f33"


def draw(curves: list[dict[str, Any]], picture: str) -> None:
    """`curves`: of each the `title` and the `points` (value, median, least, most), in microseconds."""
    plt.rcParams.update({"font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK})
    plt.rcParams.update({"xtick.color": INK, "ytick.color": INK, "svg.fonttype": "none", "svg.hashsalt": ""})
    figure, places = plt.subplots(2, 3, figsize=(10, 5.4), layout="constrained")
    for place, curve in zip(places.flat, curves, strict=False):
        values, middle, least, most = zip(*curve["points"], strict=True)
        place.fill_between(values, least, most, color=BAND, linewidth=0)
        place.plot(values, middle, color=LINE, marker="o", markersize=3)
        place.set_xscale("log")
        place.set_ylim(bottom=0)
        place.set_xlabel(curve["title"])
        place.set_xticks(values, [f"{value:,}" for value in values], minor=False)
        place.minorticks_off()
        place.spines[["top", "right"]].set_visible(False)
    places[0][0].set_ylabel("µs of CPU for a delivery")
    places[1][0].set_ylabel("µs of CPU for a delivery")
    for place in places.flat[len(curves) :]:
        place.set_visible(False)
    figure.savefig(picture, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
