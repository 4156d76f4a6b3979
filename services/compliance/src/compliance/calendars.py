"""The calendar: local dates in Europe/Paris, date-to-date months, French public holidays, working days."""

from calendar import monthrange
from datetime import MAXYEAR, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from compliance.problems import OutOfCalendar

PARIS = ZoneInfo("Europe/Paris")
DAY = timedelta(days=1)
FIRST_YEAR, LAST_YEAR = 1900, 2199


def local_date(instant: datetime) -> date:
    """The date of an instant in Europe/Paris, where a day ends at 24:00; raises OutOfCalendar."""
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise OutOfCalendar("instant")
    return instant.astimezone(PARIS).date()


def in_calendar(day: date, where: str = "date") -> date:
    """The day itself; raises OutOfCalendar when the law cannot be applied to it."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise OutOfCalendar(where)
    return day


def plus_months(day: date, months: int) -> date:
    """The same day number `months` later (earlier if negative), or the last day of that month (EU:1182/71)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= MAXYEAR:
        raise OutOfCalendar("period")
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def plus_days(day: date, days: int) -> date:
    """`days` calendar days later; raises OutOfCalendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise OutOfCalendar("period") from None


@lru_cache(maxsize=1024)
def public_holidays(year: int, subdivision: str | None = None) -> frozenset[date]:
    """French public holidays of a year, as the library `holidays` gives them: national ones unless a subdivision is
    named. The library knows no year after 2100; the rule behind it goes on."""
    if year > 2100 or (subdivision is None and year >= 2008):
        return _by_rule(year)
    return _by_library(year, subdivision)


def _by_library(year: int, subdivision: str | None) -> frozenset[date]:
    # Imported late: it takes longer to load than all of this package, and few cases need it.
    from holidays.countries.france import France

    return frozenset(France(years=[year], subdiv=subdivision, expand=False))  # type: ignore[no-untyped-call]  # the library has no annotations here


def _by_rule(year: int) -> frozenset[date]:
    easter = _easter(year)
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
    return frozenset(date(year, month, day) for month, day in fixed) | {easter + n * DAY for n in (1, 39, 50)}


def _easter(year: int) -> date:
    """Easter Sunday, Gregorian (Meeus, Jones, Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    h = (19 * a + b - d - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    i, k = divmod(c, 4)
    leap = (32 + 2 * e + 2 * i - h - k) % 7
    month, day = divmod(h + leap - 7 * ((a + 11 * h + 22 * leap) // 451) + 114, 31)
    return date(year, month, day + 1)


def is_working_day(day: date, subdivision: str | None = None) -> bool:
    """No Saturday, no Sunday, no public holiday."""
    return day.weekday() < 5 and day not in public_holidays(day.year, subdivision)


def next_working_day(day: date, subdivision: str | None = None) -> date:
    """The day itself, or the first working day after it."""
    while not is_working_day(day, subdivision):
        day = plus_days(day, 1)
    return day


def plus_working_days(day: date, count: int, subdivision: str | None = None) -> date:
    """The `count`-th working day after the day, which is not counted itself."""
    while count:
        day = plus_days(day, 1)
        count -= is_working_day(day, subdivision)
    return day


def known_subdivision(name: str) -> bool:
    """Whether the calendar knows a French subdivision of this name."""
    from holidays.countries.france import France

    return name in France.subdivisions or name in France.subdivisions_aliases
