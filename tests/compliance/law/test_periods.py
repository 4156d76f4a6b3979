"""Periods: laws over random dates, and an independent slow counter of days."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from holidays.countries.france import France
from hypothesis import given
from hypothesis import strategies as st

from compliance.calendars import local_date, plus_months, public_holidays
from compliance.legal_settings import DEFAULT, overridden
from compliance.periods import STEPS, due, expires_on
from compliance.problems import CaseError

DAY = timedelta(days=1)
LAW = DEFAULT.at(date(2026, 1, 1))
starts = st.dates(min_value=date(2008, 1, 1), max_value=date(2090, 12, 31))
steps = st.sampled_from(sorted(STEPS))


def closed(day: date, _cache: dict[int, frozenset[date]] = {}) -> bool:  # noqa: B006 - a cache
    if day.year not in _cache:
        _cache[day.year] = frozenset(France(years=[day.year], expand=False))
    return day.weekday() > 4 or day in _cache[day.year]


def count_slowly(step: str, start: date, extended: bool) -> date:
    """Walk day by day, month by month, as a clerk with a paper calendar would."""
    rule = STEPS[step]
    day = start
    if rule.length.unit == "working days":
        left = rule.length.count
        while left > 0:
            day += DAY
            if not closed(day):
                left -= 1
        return day
    if rule.length.unit == "months before":
        return walk_months(start, -rule.length.count)
    if rule.length.unit in ("weeks", "days"):
        for _ in range(rule.length.count * (7 if rule.length.unit == "weeks" else 1)):
            day += DAY
    else:
        day = walk_months(start, rule.length.count + (rule.extension_months if extended else 0))
    if rule.arithmetic.name == "EU":
        while closed(day):
            day += DAY
    return day


def walk_months(start: date, months: int) -> date:
    year, month = start.year, start.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        if month == 13:
            year, month = year + 1, 1
        if month == 0:
            year, month = year - 1, 12
    number = start.day
    while True:
        try:
            return date(year, month, number)
        except ValueError:
            number -= 1


def test_ten_thousand_random_periods_agree_with_a_clerk_who_counts_days() -> None:
    chance = random.Random(20260525)
    names = sorted(STEPS)
    for _ in range(10_000):
        step, extended = chance.choice(names), chance.random() < 0.5
        start = date(2008, 1, 1) + timedelta(days=chance.randrange(30_000))
        assert due(step, start, extended) == count_slowly(step, start, extended), (step, start, extended)


@given(steps, starts, st.integers(min_value=0, max_value=400), st.booleans())
def test_a_later_start_never_ends_earlier(step: str, start: date, days: int, extended: bool) -> None:
    assert due(step, start, extended) <= due(step, start + timedelta(days=days), extended)


@given(steps, starts)
def test_an_extension_never_shortens(step: str, start: date) -> None:
    assert due(step, start, True) >= due(step, start)
    if not STEPS[step].extension_months:
        assert due(step, start, True) == due(step, start)


@given(steps, starts)
def test_a_european_period_ends_on_a_working_day_and_a_french_one_stays(step: str, start: date) -> None:
    rule, last = STEPS[step], due(step, start)
    if rule.length.unit == "months before":
        assert last == plus_months(start, -1)
    elif rule.arithmetic.name == "EU" or rule.length.unit == "working days":
        assert not closed(last)
    elif rule.length.unit == "months":
        assert last == plus_months(start, rule.length.count)
    else:
        assert last == start + timedelta(days=rule.length.count)


@given(starts, st.integers(min_value=1, max_value=300))
def test_a_permit_lasts_from_date_to_date(issued: date, months: int) -> None:
    last = expires_on(issued, months)
    assert (last.year * 12 + last.month) - (issued.year * 12 + issued.month) == months
    assert last.day == issued.day or (last + DAY).day == 1


def test_the_calendar_of_holidays_is_the_library_s() -> None:
    for year in range(1950, 2101):
        assert public_holidays(year) == frozenset(France(years=[year], expand=False)), year


def test_holidays_go_on_after_the_last_year_the_library_knows() -> None:
    assert date(2150, 7, 14) in public_holidays(2150)
    assert due("completion", date(2150, 6, 16)) == date(2150, 7, 15)


def test_alsace_has_good_friday() -> None:
    law = overridden({"calendar.subdivision": "Alsace"}).at(date(2029, 1, 1))
    good_friday = date(2029, 3, 30)

    assert due("completion", date(2029, 3, 2)) == good_friday
    assert due("completion", date(2029, 3, 2), law=law) == date(2029, 4, 3)


def test_a_french_period_moves_when_the_setting_says_so() -> None:
    law = overridden({"fr.roll": "next-working-day"}).at(date(2026, 1, 1))

    assert due("committee_opinion", date(2026, 4, 1)) == date(2026, 5, 1)
    assert due("committee_opinion", date(2026, 4, 1), law=law) == date(2026, 5, 4)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-10-14T22:30:00+00:00", "2026-10-15"),
        ("2026-10-14T21:59:59+00:00", "2026-10-14"),
        ("2026-12-31T23:00:00+00:00", "2027-01-01"),
        ("2026-03-29T00:59:59+00:00", "2026-03-29"),
        ("2026-10-25T22:59:59+00:00", "2026-10-25"),
        ("2026-10-25T23:00:00+00:00", "2026-10-26"),
    ],
)
def test_the_date_of_an_instant_is_its_date_in_paris(instant: str, day: str) -> None:
    assert local_date(datetime.fromisoformat(instant)) == date.fromisoformat(day)


@pytest.mark.parametrize("start", [date(9999, 12, 31), date(2199, 12, 31), date(1, 1, 1), date(1899, 12, 31)])
@pytest.mark.parametrize("step", sorted(STEPS))
def test_a_date_out_of_range_is_a_named_problem(step: str, start: date) -> None:
    if start == date(2199, 12, 31) and step == "extension_request":
        assert due(step, start) == date(2199, 11, 30)
        return
    with pytest.raises(CaseError) as refused:
        due(step, start)
    assert refused.value.problems[0].code == "date-out-of-range"


def test_an_instant_out_of_range_is_a_named_problem() -> None:
    with pytest.raises(CaseError):
        local_date(datetime(9999, 12, 31, 23, 59, tzinfo=UTC))
    with pytest.raises(CaseError):
        expires_on(date(2199, 1, 1), 600)


def test_an_unknown_step_is_a_named_problem() -> None:
    with pytest.raises(CaseError) as refused:
        due("coffee_break", date(2026, 1, 1))
    assert refused.value.problems[0].code == "unknown-step"
