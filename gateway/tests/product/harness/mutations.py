"""Good requests gone wrong in every way that chance finds, and the same ways each time.

Valid bodies are where they start from: what is no JSON at all is refused by the first line of code that sees it, and says
nothing about the rest.
"""

import copy
import json
from random import Random

ODD = [
    None, True, False, 0, -1, 1, 1.5, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**30, 1e308, -0.0, float("nan"), float("inf"),
    "", " ", "0", "null", "\0", "\ud800", "x" * 5000, "\u202e\U0001f600", "../../etc/passwd", "' OR 1=1 --", "{{7*7}}", "[[",
    [], {}, [[]], [None], {"": None}, [{}] * 50, {"type": "text"}, {"type": "function"}, {"type": "unknown"},
]


class Mutations:
    """Broken bodies, one after the other. The same seed makes the same ones."""

    def __init__(self, seed: str):
        self.chance = Random(seed)

    def of(self, body: dict) -> bytes:
        """A body with one to three things wrong, or none that matter."""
        broken = copy.deepcopy(body)
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            self._change(broken)
        text = json.dumps(broken).encode()
        return self._damage(text) if self.chance.random() < 0.15 else text

    def text(self) -> str:
        """A string that fits nowhere."""
        return str(self.chance.choice(ODD))

    def _change(self, body: dict) -> None:
        places = _places(body)
        if not places:
            return
        holder, place = self.chance.choice(places)
        how = self.chance.choice(("odd", "odd", "odd", "gone", "deep", "wrapped", "other", "more"))
        if how == "odd":
            holder[place] = self._odd()
        elif how == "gone":
            del holder[place]
        elif how == "deep":
            holder[place] = _nested(holder[place], self.chance.choice((3, 30, 130, 250)))
        elif how == "wrapped":
            holder[place] = self.chance.choice(([holder[place]], {"value": holder[place]}, json.dumps(holder[place])))
        elif how == "other":
            elsewhere, there = self.chance.choice(places)
            holder[place] = copy.deepcopy(elsewhere[there])
        elif isinstance(holder, list):
            holder.extend([holder[place]] * self.chance.choice((1, 5, 200)))
        else:
            holder[self.chance.choice(("", "unknown", "__proto__", "Model", "model "))] = self._odd()

    def _odd(self) -> object:
        # A copy: what is changed further must not be what the next case begins with.
        return copy.deepcopy(self.chance.choice(ODD))

    def _damage(self, text: bytes) -> bytes:
        start = self.chance.randrange(len(text))
        return self.chance.choice((
            text[:start],
            text[:start] + bytes([self.chance.randrange(256)]) + text[start + 1:],
            text[:start] + text[max(0, start - 9):],
            text + text,
            b"\xef\xbb\xbf" + text,
        ))


def _places(body: dict) -> list[tuple[dict | list, str | int]]:
    """Every place in a body where something stands."""
    found, rest = [], [body]
    while rest:
        holder = rest.pop()
        entries = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for place, inner in entries:
            found.append((holder, place))
            if isinstance(inner, (dict, list)):
                rest.append(inner)
    return found


def _nested(value: object, levels: int) -> object:
    for _ in range(levels):
        value = [value]
    return value
