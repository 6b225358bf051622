# SPDX-License-Identifier: GPL-2.0-only
"""Line charts on two logarithmic axes, as SVG that reads on light and dark pages alike."""

import math
import xml.sax.saxutils

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 74, 150, 44, 56
LABEL_HEIGHT = 13
COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#e08e0b", "#7a4fa3", "#0f9aa8", "#8a5a2b", "#c2185b",
           "#5b7f00", "#444444")
DASHES = ("", "6 3", "2 3")


class Axis:
    """From the decade below the lowest value to that above the highest."""

    def __init__(self, values, start, end):
        low, high = math.log10(min(values)), math.log10(max(values))
        self.low = math.floor(low + 1e-9)
        self.high = max(math.ceil(high - 1e-9), self.low + 1)
        self.start, self.end = start, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def number(value):
    if value < 1:
        return f"{value:g}"
    for limit, sign in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{sign}"
    return f"{value:g}"


def escaped(text):
    return xml.sax.saxutils.escape(text)


def text(x, y, words, anchor="middle", size=12, extra=""):
    return (f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}"{extra}>'
            f"{escaped(words)}</text>")


def axes(across, up, labels):
    lines = []
    for value in across.ticks():
        x = across.at(value)
        lines.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        lines.append(text(x, HEIGHT - BOTTOM + 18, number(value)))
    for value in up.ticks():
        y = up.at(value)
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        lines.append(text(LEFT - 8, y + 4, number(value), "end"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    lines.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, labels[0]))
    lines.append(text(18, middle, labels[1], extra=f' transform="rotate(-90 18 {middle:.0f})"'))
    return lines


def spread(wanted):
    """Heights near the wanted ones, in their order, so that no two labels overlap."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = dict(enumerate(wanted))
    lowest = TOP
    for index in order:
        placed[index] = max(placed[index], lowest)
        lowest = placed[index] + LABEL_HEIGHT
    highest = HEIGHT - BOTTOM + LABEL_HEIGHT
    for index in reversed(order):
        placed[index] = min(placed[index], highest)
        highest = placed[index] - LABEL_HEIGHT
    return [placed[index] for index in range(len(wanted))]


def chart(title, labels, series):
    """SVG of {name: [(x, y)]}; points without a value are left out, and so is who has none."""
    series = {name: [(x, y) for x, y in points if x and y] for name, points in series.items()}
    series = {name: points for name, points in series.items() if points}
    across = Axis([x for points in series.values() for x, _ in points], LEFT, WIDTH - RIGHT)
    up = Axis([y for points in series.values() for _, y in points], HEIGHT - BOTTOM, TOP)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             f'width="{WIDTH}" height="{HEIGHT}" role="img">',
             f"<title>{escaped(title)}</title>",
             "<style>text{font-family:sans-serif;fill:#222}.grid{stroke:#ddd;fill:none}"
             "polyline{fill:none;stroke-width:2}</style>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
             text(LEFT, 24, title, "start", 15), *axes(across, up, labels)]
    heights = spread([up.at(points[-1][1]) + 4 for points in series.values()])
    for index, ((name, points), height) in enumerate(zip(series.items(), heights)):
        colour = COLOURS[index % len(COLOURS)]
        dash = DASHES[index // len(COLOURS) % len(DASHES)]
        path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in points)
        lines.append(f'<polyline points="{path}" stroke="{colour}"'
                     + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")
        lines += [f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3" fill="{colour}"/>'
                  for x, y in points]
        x, y = across.at(points[-1][0]), up.at(points[-1][1])
        lines.append(f'<path d="M{x + 4:.1f} {y:.1f}L{WIDTH - RIGHT + 8} {height - 4:.1f}" '
                     f'stroke="{colour}" stroke-width="0.6" fill="none"/>')
        lines.append(f'<text x="{WIDTH - RIGHT + 11}" y="{height:.0f}" font-size="11" '
                     f'style="fill:{colour}">{escaped(name)}</text>')
    return "\n".join([*lines, "</svg>", ""])
