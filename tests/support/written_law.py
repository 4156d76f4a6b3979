"""The law written down a second time, by hand: articles, periods, closed days, French routes.

Nothing here comes from the product or from a library of holidays, so that the product cannot agree with itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)

_ARTICLES = """
LIL:65-2 LIL:66-I LIL:66-II LIL:66-III LIL:66-IV LIL:66-V LIL:76 D2019-536:88 D2019-536:89 D2019-536:90
D2019-536:91 D2019-536:100 CSP:L1111-8 CSP:L1461-1 CSP:L1461-1-IV CSP:L1461-1-V-1 CSP:L1461-1-V-2 CSP:L1461-3
CSP:L1461-3-I CSP:L1461-3-II CSP:L1461-3-III CSP:R1461-1 CSP:R1461-7 CSP:R1461-9-I CSP:R1461-9-II
CSP:R1461-9-II-2 CSP:R1461-12 CNIL:2018-153 CNIL:2026-050 CNIL:2018-154 CNIL:2026-051 CNIL:2018-155
CNIL:2018-256 CNIL:2018-257 CNIL:2023-082 CNIL:2023-083 CNIL:2021-118 CNIL:SAMPLE A2017-07-17 A2024-05-06
SNDS-REF:3.2 SNDS-REF:4.5 CJA:R421-1 D2026-209 SREN:31 GDPR:6 GDPR:12(3) GDPR:14 GDPR:30 GDPR:32 GDPR:33
GDPR:35 EU:1182/71 EHDS:50(1) EHDS:53(2) EHDS:54 EHDS:54(a) EHDS:54(b) EHDS:54(c) EHDS:54(d) EHDS:54(e)
EHDS:55(3) EHDS:57(1)(j)(iii) EHDS:59 EHDS:60(2) EHDS:60(3) EHDS:61(2) EHDS:61(3) EHDS:61(4) EHDS:62(4)
EHDS:62(5) EHDS:63(2) EHDS:63(3) EHDS:63(4) EHDS:64(4) EHDS:64(5) EHDS:66(2) EHDS:67(2)(a) EHDS:67(2)(c)
EHDS:67(2)(d) EHDS:67(2)(e) EHDS:67(2)(f) EHDS:67(2)(g) EHDS:67(2)(h) EHDS:67(2)(i) EHDS:67(2)(j)
EHDS:67(2)(k) EHDS:67(3) EHDS:67(4) EHDS:67(5) EHDS:68(3) EHDS:68(4) EHDS:68(5) EHDS:68(6) EHDS:68(7)
EHDS:68(9) EHDS:68(12) EHDS:68(13) EHDS:69(1) EHDS:69(2)(b) EHDS:69(2)(c) EHDS:69(2)(d) EHDS:69(2)(e)
EHDS:69(2)(f) EHDS:69(2)(g) EHDS:69(4) EHDS:71(3) EHDS:71(4) EHDS:72(1) EHDS:72(5) EHDS:73(1) EHDS:73(1)(e)
EHDS:73(2) EHDS:81 EHDS:87(1) EHDS:91(1) EHDS:99 EHDS:105 EHDS:REC63
"""
ARTICLES = frozenset(_ARTICLES.split())
"""Every citation that may be given."""


@dataclass(frozen=True)
class Period:
    """A line of the table of steps."""

    arithmetic: str
    count: int
    unit: str
    more_months: int
    needs_reasons: bool
    silence: str
    article: str


def _table(text: str) -> dict[str, Period]:
    rows: dict[str, Period] = {}
    for line in text.strip().splitlines():
        step, arithmetic, length, more, silence, article = (cell.strip() for cell in line.split("|"))
        count, unit = length.split(" ", 1)
        months = more.replace(" r", "")
        rows[step] = Period(arithmetic, int(count), unit, int(months or 0), more.endswith(" r"), silence, article)
    return rows


PERIODS = _table("""
secretariat_transmission    | FR | 7 working days  |     | none                  | D2019-536:88
committee_opinion           | FR | 1 months        | 1   | deemed-favourable     | D2019-536:90
committee_opinion_urgent    | FR | 15 days         |     | deemed-favourable     | D2019-536:100
authority_decision          | FR | 2 months        | 2 r | not-authorised        | LIL:66-V
hdh_approval                | FR | 15 days         |     | none                  | CNIL:SAMPLE
lab_audit                   | FR | 36 months       |     | none                  | CNIL:2018-257
rights_request              | EU | 1 months        | 2 r | none                  | GDPR:12(3)
completion                  | EU | 4 weeks         |     | lapse                 | EHDS:68(4)
permit_decision             | EU | 3 months        | 3 r | none                  | EHDS:68(4)
permit_decision_accelerated | EU | 2 months        | 1   | none                  | EHDS:68(6)
request_assessment          | EU | 3 months        |     | none                  | EHDS:69(4)
statistical_answer          | EU | 3 months        |     | none                  | EHDS:69(4)
trusted_holder_assessment   | EU | 2 months        |     | none                  | EHDS:72(5)
trusted_holder_decision     | EU | 2 months        |     | none                  | EHDS:72(5)
publication_decision        | EU | 30 working days |     | none                  | EHDS:57(1)(j)(iii)
fee_agreement               | EU | 1 months        |     | authority-may-set-fee | EHDS:62(4)
holder_delivery             | EU | 3 months        | 3   | none                  | EHDS:60(2)
access                      | EU | 2 months        |     | none                  | EHDS:68(7)
hearing                     | EU | 4 weeks         |     | none                  | EHDS:63(2)
extension_request           | EU | 1 months before |     | none                  | EHDS:68(12)
deletion                    | EU | 6 months        |     | none                  | EHDS:68(12)
results                     | EU | 18 months       |     | none                  | EHDS:61(4)
catalogue_check             | EU | 12 months       |     | none                  | EHDS:60(3)
""")
"""Step, whose arithmetic, length, months of extension (r: with reasons), silence, article. The silence of
`authority_decision` also depends on the opinions."""


def easter(year: int) -> date:
    """The Sunday after the full moon of spring, found by walking from moon to moon (tables of the Gregorian reform)."""
    golden = year % 19 + 1
    century = year // 100 + 1
    left_out = 3 * century // 4 - 12
    moon = (8 * century + 5) // 25 - 5
    epact = (11 * golden + 20 + moon - left_out) % 30
    if epact == 24 or (epact == 25 and golden > 11):
        epact += 1
    full = date(year, 3, 1) + DAY * (43 - epact if epact <= 23 else 73 - epact)
    sunday = full + DAY
    while sunday.weekday() != 6:
        sunday += DAY
    return sunday


_CLOSED: dict[int, frozenset[date]] = {}


def closed_days(year: int) -> frozenset[date]:
    """The national public holidays of a year: eleven, fewer when two fall on one day."""
    if year not in _CLOSED:
        sunday = easter(year)
        moving = {sunday + DAY, sunday + 39 * DAY, sunday + 50 * DAY}
        fixed = "01-01 05-01 05-08 07-14 08-15 11-01 11-11 12-25"
        _CLOSED[year] = frozenset(moving | {date.fromisoformat(f"{year}-{day}") for day in fixed.split()})
    return _CLOSED[year]


def closed(day: date) -> bool:
    """A Saturday, a Sunday or a public holiday."""
    return day.strftime("%w") in "06" or day in closed_days(day.year)


def same_day(start: date, months: int) -> date:
    """The day of the same number so many months away, month by month; the last day of a month too short for it."""
    year, month = start.year, start.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        if month == 13:
            year, month = year + 1, 1
        elif month == 0:
            year, month = year - 1, 12
    day = date(year, month, 1)
    while day.day < start.day and (day + DAY).month == month:
        day += DAY
    return day


def counted(step: str, start: date, extended: bool = False) -> date:
    """The last day of a period, counted as a clerk with a paper calendar would: a day at a time."""
    row = PERIODS[step]
    if row.unit == "months before":
        return same_day(start, -row.count)
    if row.unit == "working days":
        day, left = start, row.count
        while left:
            day += DAY
            left -= not closed(day)
        return day
    if row.unit == "months":
        day = same_day(start, row.count + (row.more_months if extended else 0))
    else:
        day = start
        for _ in range(row.count * {"days": 1, "weeks": 7}[row.unit]):
            day += DAY
    while row.arithmetic == "EU" and closed(day):
        day += DAY
    return day
