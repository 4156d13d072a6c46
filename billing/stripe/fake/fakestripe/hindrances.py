"""What happens to webhooks on their way, by order of a test: lost, doubled, late, or in another order."""

from collections.abc import Iterator
from dataclasses import dataclass, field

# Events and their types, each sent when the one before it was.
Chain = list[tuple[str, str]]
KINDS = ("drop", "duplicate", "delay", "reorder")


@dataclass
class Hindrance:
    """`count` is how many events it still meets, `None` for all; `types` which ones, empty for all."""

    do: str
    types: list[str] = field(default_factory=list)
    count: int | None = None
    ms: int = 0
    times: int = 2
    held: Chain = field(default_factory=list)

    def meets(self, kind: str) -> bool:
        return (not self.types or kind in self.types) and (self.count is None or self.count > 0)


class Hindrances:
    def __init__(self) -> None:
        self.rules: list[Hindrance] = []

    def passed(self, event: str, kind: str) -> Iterator[tuple[float, Chain]]:
        """What is to be sent now because this event was to be sent, and in how many seconds."""
        rule = next((rule for rule in self.rules if rule.meets(kind)), None)
        if rule is None:
            yield 0.0, [(event, kind)]
            return
        if rule.count is not None:
            rule.count -= 1
        if rule.do == "delay":
            yield rule.ms / 1000, [(event, kind)]
        elif rule.do == "duplicate":
            for _ in range(rule.times):
                yield 0.0, [(event, kind)]
        elif rule.do == "reorder":
            rule.held.append((event, kind))
            if rule.count == 0:
                yield 0.0, self.backwards(rule)

    def released(self) -> list[Chain]:
        return [self.backwards(rule) for rule in self.rules if rule.held]

    @staticmethod
    def backwards(rule: Hindrance) -> Chain:
        held, rule.held = rule.held[::-1], []
        return held
