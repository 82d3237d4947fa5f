"""The curves of `growth` as one picture. Run by a Python that has matplotlib, which nothing else here needs:
`python plot.py picture.svg < curves.json`.
"""

import json
import sys
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

STEEP = 20  # times as dear: then the cheap end could not be read on an even scale
INK, LINE, BAND = "#5f6b6b", "#0b6e5f", "#0b6e5f33"


def draw(curves: list[dict[str, Any]], picture: str) -> None:
    """`curves`: of each the `title` and the `points` (value, median, least, most), in microseconds."""
    plt.rcParams.update({"font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK})
    plt.rcParams.update({"xtick.color": INK, "ytick.color": INK, "svg.fonttype": "none", "svg.hashsalt": ""})
    figure, places = plt.subplots(2, 3, figsize=(10, 5.4), layout="constrained")
    for place, curve in zip(places.flat, curves, strict=False):
        place.set_xlabel(curve["title"])
        place.spines[["top", "right"]].set_visible(False)
        if not curve["points"]:
            place.set_title("not measured")
            place.set(xticks=[], yticks=[])
            continue
        values, middle, least, most = zip(*curve["points"], strict=True)
        place.fill_between(values, least, most, color=BAND, linewidth=0)
        place.plot(values, middle, color=LINE, marker="o", markersize=3)
        place.set_xscale("log")
        if max(most) > STEEP * min(least):
            place.set_yscale("log")
        else:
            place.set_ylim(bottom=0)
        place.set_xticks(values, [f"{value:,}" for value in values], minor=False)
        place.yaxis.set_major_formatter("{x:g}")
        place.minorticks_off()
    places[0][0].set_ylabel("µs of CPU for a delivery")
    places[1][0].set_ylabel("µs of CPU for a delivery")
    for place in places.flat[len(curves) :]:
        place.set_visible(False)
    figure.savefig(picture, metadata={"Date": None})  # on white, so that it is read on any page


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
