"""Draws what figures.py made: plots.py FIGURES FOLDER. Runs in an environment with matplotlib,
which nothing else here needs."""

from __future__ import annotations

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"dtrain": "#1b6ca8", "limit": "#b0b0b0", "TensorFlow": "#e8710a", "PyTorch": "#c33c54",
           "met": "#2e8b57", "not met": "#c33c54"}
# The same results give the same files.
matplotlib.rcParams.update({"svg.hashsalt": "dtrain", "font.size": 9, "axes.grid": True,
                            "grid.alpha": 0.3, "axes.axisbelow": True})


def _bars(axes, figure: dict) -> None:
    """Groups of bars side by side; whiskers from least to most."""
    labels = figure["labels"]
    width = 0.8 / len(figure["series"])
    for index, series in enumerate(figure["series"]):
        at = [i + (index - (len(figure["series"]) - 1) / 2) * width for i in range(len(labels))]
        present = [(x, value) for x, value in zip(at, series["values"]) if value is not None]
        if not present:
            continue
        middle = [value["median"] for _, value in present]
        errors = [[m - value["low"] for m, (_, value) in zip(middle, present)],
                  [value["high"] - m for m, (_, value) in zip(middle, present)]]
        axes.bar([x for x, _ in present], middle, width, yerr=errors, label=series["name"],
                 color=COLOURS.get(series["name"]), error_kw={"lw": 0.8}, capsize=2)
    axes.set_xticks(range(len(labels)), labels, rotation=30 if len(labels) > 4 else 0,
                    ha="right" if len(labels) > 4 else "center")
    axes.set_ylabel(figure["unit"])
    if figure.get("log"):
        axes.set_yscale("log")
    axes.figure.legend(loc="outside upper right", ncols=len(figure["series"]))


def _lines(axes, figure: dict) -> None:
    """How far each figure is from what is wanted: beyond 1 is better."""
    shown = figure["checks"]
    colours = [COLOURS["met" if check["value"] >= 1 else "not met"] for check in shown]
    axes.barh(range(len(shown)), [check["value"] for check in shown], color=colours)
    axes.set_yticks(range(len(shown)), [check["label"] for check in shown])
    axes.invert_yaxis()
    axes.axvline(1, color="black", lw=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.margins(y=0.01)
    axes.set_xlabel(figure["unit"])


def main() -> None:
    figures = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        horizontal = "checks" in figure
        height = 1.5 + 0.22 * len(figure["checks"]) if horizontal else 4.0
        canvas, axes = plt.subplots(figsize=(9.0, height), layout="constrained")
        (_lines if horizontal else _bars)(axes, figure)
        axes.set_title(figure["title"], loc="left")
        canvas.savefig(folder / f"{figure['file']}.png", dpi=120)
        canvas.savefig(folder / f"{figure['file']}.svg", metadata={"Date": None})
        plt.close(canvas)


main()
