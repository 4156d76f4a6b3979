"""Routes as data: conditions in the order of the law, each with the code it leaves behind when it fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compliance.application import Application
from compliance.coded import Alternative

Test = Callable[[Application], bool]


@dataclass(frozen=True, slots=True)
class Cited:
    """The text a route rests on: every text it may be, and which one it is for an application."""

    texts: tuple[str, ...]
    of: Callable[[Application], str]

    def __call__(self, application: Application) -> str:
        return self.of(application)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a route: its code when it fails; its own citation where it is not the route's."""

    holds: Test
    code: str
    citation: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A route: its name, the text it rests on (by the law in force), its conditions in order."""

    name: str
    citation: Cited
    conditions: tuple[Condition, ...]

    def first_failure(self, application: Application) -> Alternative | None:
        """The first condition that fails, or None when the route fits."""
        for condition in self.conditions:
            if not condition.holds(application) and not self._left_out(condition, application.law.set_aside):
                return Alternative(self.name, condition.code, condition.citation or self.citation(application))
        return None

    def _left_out(self, condition: Condition, aside: frozenset[str]) -> bool:
        return condition.code in aside or f"{self.name}/{condition.code}" in aside


@dataclass(frozen=True, slots=True)
class Choice:
    """The route that applies, its citation, and every route before it with its first failing condition."""

    route: str
    citation: str
    alternatives: tuple[Alternative, ...]


def choose(application: Application, routes: Sequence[Route]) -> Choice:
    """The first route whose conditions all hold; the last one has none."""
    alternatives: list[Alternative] = []
    for route in routes[:-1]:
        failure = route.first_failure(application)
        if failure is None:
            return Choice(route.name, route.citation(application), tuple(alternatives))
        alternatives.append(failure)
    return Choice(routes[-1].name, routes[-1].citation(application), tuple(alternatives))


def cites(citation: str) -> Cited:
    """A citation that does not depend on the date."""
    return Cited((citation,), lambda application: citation)
