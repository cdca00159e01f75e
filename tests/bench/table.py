"""table.py - medians, ratios, and which rows of cf are behind.

SPDX-License-Identifier: MIT
"""
import statistics

from work import AIMS, LOWER_IS_BETTER

NOISE = 0.02                            # nearer than that is not behind
BASES = ("native", "pasta", "slirp")    # ratios are to these: n, p, s


def short(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.3g}"


def ratio(x):
    return f"{x:.0f}" if x >= 10 else f"{x:.2f}".removeprefix("0")


def cell(runner, med, failed):
    """A median with its ratios to the runners that stand before it in BASES."""
    if runner not in med:
        return "fail" if failed else "-"
    mine = BASES[:BASES.index(runner)] if runner in BASES else BASES
    ratios = [ratio(med[runner] / med[b]) + b[0] for b in mine if med.get(b)]
    return " ".join([short(med[runner]), *ratios] + ([f"({failed} failed)"] if failed else []))


def missed(runner, name, unit, med):
    """What of its aim, and of pasta, this row does not reach."""
    if runner not in med:
        return []
    lower = unit in LOWER_IS_BETTER
    got, said = med[runner], []
    if aim := AIMS[runner].get(name):
        number = float(aim.removesuffix("n"))
        mine = got / med["native"] if aim.endswith("n") and med.get("native") else got
        if (mine > number if lower else mine < number):
            said.append(f"below its aim: {runner} {name}: {ratio(mine)} of {ratio(number)}")
    behind = got / med["pasta"] - 1 if med.get("pasta") else 0
    if (behind if lower else -behind) > NOISE:
        said.append(f"behind pasta:  {runner} {name}: {ratio(got / med['pasta'])}p")
    return said


def text(results, runners, works):
    lines, short_of = [["row", "unit", *runners, "aim"]], []
    for work in works:
        for name, suffix, unit in work.rows():
            cells = results[work.name]
            med = {r: statistics.median(v) for r in runners if (v := cells[r].get(suffix))}
            lines.append([name, unit + (" ↓" if unit in LOWER_IS_BETTER else " ↑"),
                          *(cell(r, med, len(cells[r].get("fail", []))) for r in runners),
                          AIMS["cf"].get(name, "").removeprefix("0")])
            short_of += [m for r in AIMS for m in missed(r, name, unit, med)]
    wide = [max(map(len, column)) for column in zip(*lines)]
    lines.insert(1, ["-" * w for w in wide])
    said = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, wide)) + " |" for line in lines]
    return "\n".join(said + [""] * bool(short_of) + short_of)
