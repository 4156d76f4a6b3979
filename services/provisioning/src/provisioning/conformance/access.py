"""Who comes in, and who does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit, urlunsplit

from provisioning.conformance.suite import Failed, Trial, expect
from provisioning.conformance.visits import Shut
from provisioning.environments import Refused, Trouble, names
from provisioning.project import Table


async def nobody_comes_in_before_the_opening(trial: Trial) -> None:
    """Somebody admitted to a workspace that was not opened does not come in."""
    await trial.made()
    actual = await trial.environment.inspect(trial.workspace_id)
    expect({login.name for login in actual.logins} == _logins(trial, "person-a", "person-b"), "the logins differ")
    expect(not any(login.enters for login in actual.logins), "a login is open")
    await trial.kept_out("person-a")


async def an_opening_lets_exactly_the_admitted_in(trial: Trial) -> None:
    """After the opening those who were admitted come in and see every row; nobody else does."""
    await trial.made(opened=True)
    for ref in ("person-a", "person-b"):
        visit = await trial.visit(ref)
        expect(await visit.count("set_one_records") == 20, "not every row is seen")
        expect(await visit.count("set_two_records") == 5, "not every table is seen")
        await visit.leave()
    await trial.kept_out("person-c")


async def a_wrong_password_is_refused(trial: Trial) -> None:
    """A login is nothing without its password."""
    await trial.made(opened=True)
    url = await trial.environment.connect(trial.workspace_id, "person-a", trial.until)
    try:
        await trial.enter(_with_password(url, "not-the-password-at-all"))
    except Shut:
        return
    raise Failed("a wrong password was let in")


async def a_fresh_password_ends_the_earlier(trial: Trial) -> None:
    """Only the newest password of a person is good."""
    await trial.made(opened=True)
    earlier = await trial.environment.connect(trial.workspace_id, "person-a", trial.until)
    await (await trial.visit("person-a")).leave()
    try:
        await trial.enter(earlier)
    except Shut:
        return
    raise Failed("an earlier password was let in")


async def a_login_ends_on_time(trial: Trial) -> None:
    """A login that is over is refused, whatever else is open."""
    tables = await trial.made(opened=True)
    past = datetime.now(UTC) - timedelta(minutes=1)
    await trial.environment.admit(trial.order(), ["person-a", "person-b"], past, True)
    try:
        await trial.enter(await trial.environment.connect(trial.workspace_id, "person-a", past))
        raise Failed("a login that is over was let in")
    except (Shut, Refused):
        pass
    await trial.environment.admit(trial.order(), ["person-a"], trial.until, True)
    await trial.environment.open(trial.order(), tables)
    await (await trial.visit("person-a")).leave()


async def freezing_ends_sessions_and_keeps_everything(trial: Trial) -> None:
    """Freezing ends every session, keeps everybody out and changes no row."""
    tables = await trial.made(opened=True)
    visits = [await trial.visit(ref) for ref in ("person-a", "person-b")]
    for _ in range(2):
        await trial.environment.freeze(trial.order())
        for visit in visits:
            expect(await visit.count("set_one_records") is None, "a session outlived the freezing")
        await trial.kept_out("person-a")
    actual = await trial.environment.inspect(trial.workspace_id)
    expect(not actual.sessions and not any(login.enters for login in actual.logins), "a door is open")
    expect(await trial.environment.manifests(trial.workspace_id) == tables, "freezing changed the data")


async def a_frozen_workspace_opens_again(trial: Trial) -> None:
    """What was frozen opens again with the same persons and the same rows."""
    tables = await trial.made(opened=True)
    await trial.environment.freeze(trial.order())
    await trial.environment.open(trial.order(), tables)
    visit = await trial.visit("person-b")
    expect(await visit.count("set_one_records") == 20, "rows are missing")
    await visit.leave()


async def opening_again_changes_nothing(trial: Trial) -> None:
    """Opening what is open disturbs no session."""
    tables = await trial.made(opened=True)
    visit = await trial.visit("person-a")
    await trial.environment.open(trial.order(), tables)
    expect(await visit.count("set_one_records") == 20, "a session ended")
    await visit.leave()


async def who_leaves_is_out_and_who_stays_is_not_disturbed(trial: Trial) -> None:
    """Other persons are admitted at once: the session of one who leaves ends, that of one who stays goes on."""
    await trial.made(opened=True)
    leaver, stayer = await trial.visit("person-a"), await trial.visit("person-b")
    for _ in range(2):
        await trial.environment.admit(trial.order(), ["person-b", "person-c"], trial.until, True)
        expect(await leaver.count("set_one_records") is None, "the session of one who left goes on")
        expect(await stayer.count("set_one_records") == 20, "the session of one who stays ended")
    await trial.kept_out("person-a")
    newcomer = await trial.visit("person-c")
    expect(await newcomer.count("set_two_records") == 5, "a newcomer does not see every table")
    actual = await trial.environment.inspect(trial.workspace_id)
    expect({login.name for login in actual.logins} == _logins(trial, "person-b", "person-c"), "the logins differ")
    for visit in (stayer, newcomer):
        await visit.leave()


async def persons_change_in_a_frozen_workspace_without_coming_in(trial: Trial) -> None:
    """Somebody admitted while the workspace is frozen comes in with the next opening, not before."""
    tables = await trial.made(opened=True)
    await trial.environment.freeze(trial.order())
    await trial.environment.admit(trial.order(), ["person-c"], trial.until, False)
    await trial.kept_out("person-c")
    await trial.environment.open(trial.order(), tables)
    await (await trial.visit("person-c")).leave()
    await trial.kept_out("person-a")


async def a_workspace_that_is_not_what_it_should_be_stays_shut(trial: Trial) -> None:
    """An opening over other rows than those of the manifest is refused, and nobody comes in."""
    tables = await trial.made()
    wrong = (Table("set-one", "set_one_records", 21, tables[0].sha256), tables[1])
    try:
        await trial.environment.open(trial.order(), wrong)
        raise Failed("it was opened over other rows")
    except (Refused, Trouble):
        pass
    await trial.kept_out("person-a")
    expect(not any(login.enters for login in (await trial.environment.inspect(trial.workspace_id)).logins), "open")


async def workspaces_do_not_see_one_another(trial: Trial) -> None:
    """A person of one workspace reads nothing of another, and has no login there."""
    await trial.made(opened=True)
    other = Trial(trial.environment, trial.enter)
    try:
        await other.environment.prepare(other.order())
        table = await other.load("set-three", "set_three_records", other.rows(9))
        await other.environment.admit(other.order(), ["person-x"], other.until, False)
        await other.environment.open(other.order(), (table,))
        visit = await trial.visit("person-a")
        expect(await visit.count("set_three_records") is None, "a table of another workspace is read")
        await visit.leave()
        visit = await trial.visit("person-a")
        expect(await visit.count("set_one_records") == 20, "its own table is not read")
        await visit.leave()
        await other.kept_out("person-a")
        await trial.kept_out("person-x")
    finally:
        await other.environment.destroy(other.order())


def _logins(trial: Trial, *refs: str) -> set[str]:
    return {names.login(trial.workspace_id, ref) for ref in refs}


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    place = f"{quote(parts.username or '')}:{quote(password)}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=place))


ALL = (
    nobody_comes_in_before_the_opening,
    an_opening_lets_exactly_the_admitted_in,
    a_wrong_password_is_refused,
    a_fresh_password_ends_the_earlier,
    a_login_ends_on_time,
    freezing_ends_sessions_and_keeps_everything,
    a_frozen_workspace_opens_again,
    opening_again_changes_nothing,
    who_leaves_is_out_and_who_stays_is_not_disturbed,
    persons_change_in_a_frozen_workspace_without_coming_in,
    a_workspace_that_is_not_what_it_should_be_stays_shut,
    workspaces_do_not_see_one_another,
)
