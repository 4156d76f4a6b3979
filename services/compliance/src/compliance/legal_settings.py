"""The points where the law is uncertain: dated settings with a confidence, never constants."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from compliance.problems import CaseError, Problem

Value = bool | int | str | date | tuple[str, ...] | None


class Version(NamedTuple):
    """A value and the first day on which it holds."""

    since: date
    value: Value


@dataclass(frozen=True, slots=True)
class Setting:
    """One uncertain point: its values over time, how sure we are, what a lawyer should verify."""

    name: str
    versions: tuple[Version, ...]
    confidence: str
    verify: str


ALWAYS = date(1900, 1, 1)


def _setting(name: str, value: Value, confidence: str, verify: str) -> Setting:
    return Setting(name, (Version(ALWAYS, value),), confidence, verify)


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        _setting("fr.roll", "none", "medium", "whether a French period ending on a closed day moves"),
        _setting(
            "fr.express-favourable",
            ("favourable", "favourable_with_recommendations"),
            "medium",
            "whether an opinion with recommendations is expressly favourable",
        ),
        _setting("fr.silence-exception", "required-opinions-express", "medium", "wording of LIL:66-V"),
        _setting("fr.late-opinion", "without-effect", "low", "the effect of an opinion after its period"),
        _setting("fr.urgent-days", 15, "low", "length of the urgent procedure in calendar days, no extension"),
        _setting("fr.sample-procedure", "open", "medium", "whether the simplified procedure is still in force"),
        _setting("fr.sample-days", 15, "medium", "length of the simplified procedure in calendar days"),
        _setting("fr.mr-texts", date(2026, 5, 24), "medium", "numbers and later updates of MR-001 and MR-003"),
        _setting("fr.mr002", False, "low", "how MR-002 and the MR-001 of 2026 share their scope"),
        _setting(
            "fr.insurers-excluded", ("FR_MR007", "FR_MR008"), "medium", "exclusion of insurers from MR-007, MR-008"
        ),
        _setting("fr.local-committee", "does-not-replace-cesrees", "low", "simplification law of 2026"),
        _setting("fr.sren-31-scope", "state_body", "medium", "decree and derogations"),
        _setting("eu.optout-exception-law", False, "low", "a national law under EHDS:71(4)"),
        _setting("eu.ethics-required", "pseudonymised", "low", "national law on ethical assessment"),
        _setting("eu.third-countries", (), "high", "third countries listed under EHDS:91(1)"),
        _setting("eu.exclude-on-refresh", True, "medium", "refreshed extracts leave out who opted out since"),
        _setting("eu.deletion-after-revocation", 6, "medium", "months to delete after a revocation"),
        _setting("output.min-cell", 11, "medium", "smallest cell of a table that may leave, per holder"),
        _setting("calendar.subdivision", None, "medium", "Alsace-Moselle, bodies of other states"),
    )
}


@dataclass(frozen=True, slots=True)
class Law:
    """The values in force for one case: what the rules read."""

    roll: bool
    express_favourable: frozenset[str]
    late_opinion_counts: bool
    urgent_days: int
    sample_procedure: bool
    sample_days: int
    mr_texts: date
    insurers_excluded: frozenset[str]
    optout_exception_law: bool
    ethics_required: str
    third_countries: frozenset[str]
    deletion_after_revocation: int
    min_cell: int
    subdivision: str | None
    set_aside: frozenset[str]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one case: the dated ones of the pack, with the case's own in their place."""

    overrides: tuple[tuple[str, Value], ...] = ()
    set_aside: frozenset[str] = frozenset()
    """Rules that a draft leaves out, by code, or by route and code (`FR_MR007/INSURER_EXCLUDED`). Only policy replay
    says so: no file of settings can."""

    def value(self, name: str, on: date) -> Value:
        """The value of a setting on a day."""
        for known, value in self.overrides:
            if known == name:
                return value
        return next(v.value for v in reversed(SETTINGS[name].versions) if v.since <= on)

    def at(self, on: date) -> Law:
        """The law as of a day; equal settings share one reading."""
        return _law(self, on)


DEFAULT = Settings()


def overridden(values: Mapping[str, object]) -> Settings:
    """Settings with these values in place of the dated ones; raises CaseError naming every key that is unknown or of
    the wrong type."""
    problems: list[Problem] = []
    overrides: list[tuple[str, Value]] = []
    for name, raw in values.items():
        where = f"/settings/{name}" if name in SETTINGS else "/settings"
        if name not in SETTINGS:
            problems.append(Problem("unknown-setting", where, "a setting the rules know is expected"))
            continue
        try:
            overrides.append((name, _read(name, raw)))
        except ValueError as error:
            problems.append(Problem("invalid-setting", where, str(error)))
    if problems:
        raise CaseError(problems)
    return Settings(tuple(sorted(overrides)))


_CHOICES = {
    "fr.roll": ("none", "next-working-day"),
    "fr.silence-exception": ("required-opinions-express",),
    "fr.late-opinion": ("without-effect", "counts"),
    "fr.sample-procedure": ("open", "closed"),
    "fr.local-committee": ("does-not-replace-cesrees",),
    "fr.sren-31-scope": ("state_body",),
    "eu.ethics-required": ("pseudonymised", "always", "never"),
}
_SYNONYMS: dict[str, dict[object, Value]] = {
    "fr.roll": {
        False: "none",
        True: "next-working-day",
        **dict.fromkeys(("moves", "EU", "next", "next working day", "next_working_day"), "next-working-day"),
    },
    "eu.ethics-required": {True: "always", False: "never", "none": "never", "all": "always"},
    "fr.late-opinion": {"without effect": "without-effect", False: "without-effect", True: "counts"},
    "fr.silence-exception": {"section 7": "required-opinions-express"},
    "fr.sample-procedure": {True: "open", False: "closed"},
    "fr.local-committee": {"does not replace CESREES": "does-not-replace-cesrees"},
    "fr.mr002": {"off": False},
}


def _read(name: str, raw: object) -> Value:
    if isinstance(raw, str | bool) and raw in _SYNONYMS.get(name, {}):
        return _SYNONYMS[name][raw]
    if name in _CHOICES:
        if not isinstance(raw, str) or raw not in _CHOICES[name]:
            raise ValueError("one of " + ", ".join(_CHOICES[name]) + " is expected")
        return raw
    if name == "fr.mr002":
        raise ValueError("false is expected: MR-002 is not resolved")
    if name == "fr.insurers-excluded":
        return tuple("FR_" + word.removeprefix("FR_").replace("-", "") for word in _words(raw))
    kind = SETTINGS[name].versions[0].value
    if isinstance(kind, bool):
        if not isinstance(raw, bool):
            raise ValueError("true or false is expected")
        return raw
    if isinstance(kind, int):
        if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= 1200:
            raise ValueError("a whole number between 0 and 1200 is expected")
        return raw
    if isinstance(kind, date):
        if not isinstance(raw, str):
            raise ValueError("a date is expected")
        try:
            return date.fromisoformat(raw)
        except ValueError:
            raise ValueError("a date YYYY-MM-DD is expected") from None
    if isinstance(kind, tuple):
        return _words(raw)
    return _subdivision(raw)


def _words(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(word, str) for word in raw):
        raise ValueError("a list of words is expected")
    return tuple(str(word) for word in raw)


def _subdivision(raw: object) -> str | None:
    if raw is None or raw == "none":
        return None
    if not isinstance(raw, str):
        raise ValueError("a subdivision of France is expected")
    from compliance.calendars import known_subdivision

    if not known_subdivision(raw):
        raise ValueError("a subdivision of France is expected")
    return raw


@lru_cache(maxsize=256)
def _law(settings: Settings, on: date) -> Law:
    def word(name: str) -> str:
        return str(settings.value(name, on))

    def number(name: str) -> int:
        value = settings.value(name, on)
        assert isinstance(value, int)
        return value

    def words(name: str) -> frozenset[str]:
        value = settings.value(name, on)
        assert isinstance(value, tuple)
        return frozenset(value)

    mr_texts = settings.value("fr.mr-texts", on)
    assert isinstance(mr_texts, date)
    subdivision = settings.value("calendar.subdivision", on)
    return Law(
        roll=word("fr.roll") != "none",
        express_favourable=words("fr.express-favourable"),
        late_opinion_counts=word("fr.late-opinion") == "counts",
        urgent_days=number("fr.urgent-days"),
        sample_procedure=word("fr.sample-procedure") == "open",
        sample_days=number("fr.sample-days"),
        mr_texts=mr_texts,
        insurers_excluded=words("fr.insurers-excluded"),
        optout_exception_law=bool(settings.value("eu.optout-exception-law", on)),
        ethics_required=word("eu.ethics-required"),
        third_countries=words("eu.third-countries"),
        deletion_after_revocation=number("eu.deletion-after-revocation"),
        min_cell=number("output.min-cell"),
        subdivision=None if subdivision is None else str(subdivision),
        set_aside=settings.set_aside,
    )
