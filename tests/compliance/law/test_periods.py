"""Periods: laws over random dates, and a clerk who counts days one by one."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from holidays.countries.france import France
from hypothesis import given
from hypothesis import strategies as st

from compliance.calendars import in_calendar, local_date, plus_days, plus_months, public_holidays
from compliance.legal_settings import DEFAULT, overridden
from compliance.periods import STEPS, due, due_after, expires_on
from compliance.problems import CaseError
from written_law import DAY, PERIODS, closed, closed_days, counted, same_day

LAW = DEFAULT.at(date(2026, 1, 1))
starts = st.dates(min_value=date(2008, 1, 1), max_value=date(2090, 12, 31))
steps = st.sampled_from(sorted(STEPS))


def test_ten_thousand_random_periods_agree_with_a_clerk_who_counts_days() -> None:
    chance = random.Random(20260525)
    names = sorted(STEPS)
    for _ in range(10_000):
        step, extended = chance.choice(names), chance.random() < 0.5
        start = date(2008, 1, 1) + timedelta(days=chance.randrange(30_000))
        assert due(step, start, extended) == counted(step, start, extended), (step, start, extended)


def test_the_table_of_steps_is_the_written_one() -> None:
    assert STEPS.keys() == PERIODS.keys()
    for name, step in STEPS.items():
        row = PERIODS[name]
        assert (step.name, step.arithmetic.name, step.length.count, step.length.unit) == (
            name,
            row.arithmetic,
            row.count,
            row.unit,
        )
        assert (step.extension_months, step.extension_needs_reasons) == (row.more_months, row.needs_reasons)
        assert (step.silence, step.citation) == (row.silence, row.article)
        assert step.starts


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


@given(starts, st.sampled_from([name for name, row in PERIODS.items() if row.unit in ("months", "weeks", "days")]))
def test_the_two_arithmetics_differ_where_the_last_day_is_closed_and_nowhere_else(start: date, step: str) -> None:
    """The same length under the other's rules: French, with the setting `fr.roll`, moves as European does."""
    rolling = overridden({"fr.roll": "next-working-day"}).at(date(2026, 1, 1))
    plain, moved = due(step, start), due(step, start, law=rolling)

    if PERIODS[step].arithmetic == "EU":
        assert moved == plain and not closed(plain)
    elif closed(plain):
        assert moved > plain and not closed(moved)
        assert all(closed(plain + n * DAY) for n in range((moved - plain).days))
    else:
        assert moved == plain


@given(starts, st.sampled_from(["permit_decision", "authority_decision", "committee_opinion", "holder_delivery"]))
def test_an_extended_period_is_one_period_into_which_no_clamp_or_closed_day_leaks(start: date, step: str) -> None:
    row = PERIODS[step]
    total = same_day(start, row.count + row.more_months)

    assert due(step, start, True) == next(
        day for n in range(9) if not closed(day := total + n * DAY) or row.arithmetic == "FR"
    )


@given(starts, st.integers(min_value=1, max_value=300))
def test_a_permit_lasts_from_date_to_date(issued: date, months: int) -> None:
    last = expires_on(issued, months)
    assert (last.year * 12 + last.month) - (issued.year * 12 + issued.month) == months
    assert last.day == issued.day or (last + DAY).day == 1


def test_the_calendar_of_holidays_is_the_library_s() -> None:
    for year in range(1950, 2101):
        assert public_holidays(year) == frozenset(France(years=[year], expand=False)), year


def test_the_calendar_of_holidays_is_the_one_found_by_the_moon() -> None:
    public_holidays.cache_clear()
    for year in range(2008, 2200):
        assert public_holidays(year) == closed_days(year), year


def test_a_subdivision_goes_by_its_code_or_its_name() -> None:
    for name in ("57", "Moselle"):
        law = overridden({"calendar.subdivision": name}).at(date(2029, 1, 1))
        assert due("completion", date(2029, 3, 2), law=law) == date(2029, 4, 3), name


@pytest.mark.parametrize("name", ["Atlantis", ""])
def test_a_subdivision_nobody_knows_is_a_named_problem(name: str) -> None:
    with pytest.raises(CaseError) as refused:
        overridden({"calendar.subdivision": name})
    assert refused.value.problems[0].code == "invalid-setting"


def test_holidays_go_on_after_the_last_year_the_library_knows() -> None:
    assert date(2150, 7, 14) in public_holidays(2150)
    assert due("completion", date(2150, 6, 16)) == date(2150, 7, 15)


def test_alsace_has_good_friday() -> None:
    law = overridden({"calendar.subdivision": "Alsace"}).at(date(2029, 1, 1))
    good_friday = date(2029, 3, 30)

    assert due("completion", date(2029, 3, 2)) == good_friday
    assert due("completion", date(2029, 3, 2), law=law) == date(2029, 4, 3)


def test_a_period_whose_length_is_a_setting_is_counted_the_same_way() -> None:
    alsace = overridden({"calendar.subdivision": "Alsace"}).at(date(2029, 1, 1))

    assert due_after(date(2028, 9, 30), 6, LAW) == date(2029, 3, 30)
    assert due_after(date(2028, 9, 30), 6, alsace) == date(2029, 4, 3)
    assert due_after(date(2028, 8, 31), 6, LAW) == date(2029, 2, 28)
    for start, where in ((date(1899, 1, 1), "start"), (date(2199, 10, 1), "due")):
        with pytest.raises(CaseError) as refused:
            due_after(start, 6, LAW)
        assert [(p.code, p.where) for p in refused.value.problems] == [("date-out-of-range", where)]


@given(st.datetimes(datetime(2000, 1, 1), datetime(2037, 12, 31)), st.integers(-12, 14))
def test_a_day_ends_at_midnight_in_paris_whatever_the_clocks_do(moment: datetime, offset: int) -> None:
    """The European rule of summer time, applied by hand: the last Sundays of March and October at 01:00 UTC."""

    def last_sunday(month: int) -> datetime:
        day = date(moment.year, month, 31)
        while day.strftime("%w") != "0":
            day -= DAY
        return datetime(day.year, day.month, day.day, 1)

    summer = last_sunday(3) <= moment < last_sunday(10)
    in_paris = (moment + timedelta(hours=2 if summer else 1)).date()

    assert local_date(moment.replace(tzinfo=UTC)) == in_paris
    assert local_date(moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=offset)))) == in_paris


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2029, 3, 25), date(2029, 10, 28)])
def test_the_day_the_clocks_change_is_one_day_long(day: date) -> None:
    begins = datetime.combine(day, time(), ZoneInfo("Europe/Paris"))
    ends = datetime.combine(day + DAY, time(), ZoneInfo("Europe/Paris"))

    assert local_date(begins) == local_date(ends - timedelta(microseconds=1)) == day
    assert local_date(begins.astimezone(UTC) - timedelta(microseconds=1)) == day - DAY
    assert local_date(ends.astimezone(UTC)) == day + DAY
    assert due("committee_opinion", begins) == due("committee_opinion", ends.astimezone(UTC) - timedelta(seconds=1))


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
    (problem,) = refused.value.problems
    assert (problem.code, problem.where) == ("date-out-of-range", "due" if start.year == 2199 else "start")


@pytest.mark.parametrize(
    ("reckoning", "where"),
    [
        (lambda: local_date(datetime(9999, 12, 31, 23, 59, tzinfo=UTC)), "instant"),
        (lambda: in_calendar(date(1899, 12, 31)), "date"),
        (lambda: expires_on(date(2199, 1, 1), 600), "expires_on"),
        (lambda: plus_months(date(9990, 1, 1), 600), "period"),
        (lambda: plus_months(date(2, 1, 1), -24), "period"),
        (lambda: plus_days(date(9999, 12, 1), 60), "period"),
    ],
)
def test_what_leaves_the_calendar_says_where(reckoning: Callable[[], date], where: str) -> None:
    with pytest.raises(CaseError) as refused:
        reckoning()
    assert [(p.code, p.where) for p in refused.value.problems] == [("date-out-of-range", where)]


def test_months_are_counted_back_to_the_first_year_there_is() -> None:
    assert plus_months(date(2, 1, 1), -12) == date(1, 1, 1)


def test_months_are_counted_on_to_the_last_year_there_is() -> None:
    assert plus_months(date(9998, 12, 31), 12) == date(9999, 12, 31)


def test_working_days_of_a_subdivision_are_its_own() -> None:
    """30 March 2029 is Good Friday, a holiday in Alsace only; 2 April is Easter Monday."""
    alsace = overridden({"calendar.subdivision": "Alsace"}).at(date(2029, 1, 1))

    assert due("secretariat_transmission", date(2029, 3, 26)) == date(2029, 4, 5)
    assert due("secretariat_transmission", date(2029, 3, 26), law=alsace) == date(2029, 4, 6)


def test_an_unknown_step_is_a_named_problem() -> None:
    with pytest.raises(CaseError) as refused:
        due("coffee_break", date(2026, 1, 1))
    (problem,) = refused.value.problems
    assert str(problem) == "rule: a step the rules know is expected (unknown-step)"


@pytest.mark.parametrize("day", [date(1900, 6, 15), date(2199, 6, 15)])
def test_the_first_and_the_last_year_of_the_calendar_are_in_it(day: date) -> None:
    assert local_date(datetime(day.year, day.month, day.day, 12, tzinfo=UTC)) == day
    assert expires_on(day, 1) == same_day(day, 1)


def test_periods_whose_length_is_a_setting_follow_it() -> None:
    law = overridden({"fr.sample-days": 20, "fr.urgent-days": 10}).at(date(2026, 1, 1))

    assert due("hdh_approval", date(2026, 3, 2), law=law) == date(2026, 3, 22)
    assert due("committee_opinion_urgent", date(2026, 3, 2), law=law) == date(2026, 3, 12)
    assert due("hdh_approval", date(2026, 3, 2)) == date(2026, 3, 17)
