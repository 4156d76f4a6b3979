"""The law of the gate: nobody is ever in a workspace whose environment is not cleared that day for every class."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning import commands as ask
from provisioning import events as e
from provisioning.domain import Open, State, Unheard, decide, evolve, next_step, project_of, settled
from provisioning.events import Step
from provisioning.gate import look
from provisioning.project import Clearance, Extract, Grant, Permit, Person, Project, Table
from safeguards.hosting import Environment, Evidence, Need, days_of_change, findings

FIRST_DAY = date(2029, 1, 1)
HOSTS = ("env-1", "env-2", "env-3")
KINDS = ("HDS", "SECNUMCLOUD", "SNDS_HOMOLOGATION", "SPE_73")
DATASETS = ("d-1", "d-2", "d-3")
CLASSES = ("health", "snds")


@dataclass
class World:
    """Hosts with their evidence, the catalogue, the day, and one workspace that is driven as the service drives it."""

    hosts: dict[str, Environment] = field(default_factory=dict)
    described: dict[str, str] = field(default_factory=dict)
    day: date = FIRST_DAY
    state: State = field(default_factory=Unheard)
    openings: int = 0

    def tell(self, *commands: ask.Command) -> None:
        for command in commands:
            for event in decide(self.state, command):
                self.state = evolve(self.state, event)
                if isinstance(event, e.Opened):
                    self.openings += 1
                    assert not self.failures(), "opened where the gate was shut"

    def failures(self) -> tuple[object, ...]:
        """What the environment lacks today, by the rules alone, for every dataset of the permit."""
        project = self.project
        environment = self.hosts.get(project.environment_id or "")
        if environment is None:
            return ("unknown",)
        datasets = project.permit.datasets
        classes = {grant.dataset_class for grant in datasets}
        classes |= {self.described[g.dataset_id] for g in datasets if g.dataset_id in self.described}
        need = Need(frozenset(classes), project.permit.state_body, project.permit.regime)
        return findings(environment, need, self.day)

    @property
    def project(self) -> Project:
        project = project_of(self.state)
        assert project is not None
        return project

    def clearance(self, environment_id: str) -> Clearance:
        permit = self.project.permit
        described = [self.described[g.dataset_id] for g in permit.datasets if g.dataset_id in self.described]
        return look(self.hosts.get(environment_id), environment_id, permit, described, self.day)

    def judge(self) -> None:
        if project_of(self.state) is not None and self.project.clearance is not None and self.project.environment_id:
            self.tell(ask.Judge(self.clearance(self.project.environment_id)))

    def step(self) -> None:
        """One due step, as the runner does it: asked of the gate first, done by an environment that always obeys."""
        due = next_step(self.state)
        if due is None:
            return
        project, here = self.project, self.project.environment_id or ""
        if due in (Step.CLEAR, Step.FILL, Step.OPEN, Step.PLAN):
            self.tell(ask.Judge(self.clearance(here)))
        if due in (Step.COPY, Step.SWITCH) and project.move and not self.clearance(project.move.target).cleared:
            self.tell(ask.CallOff("TARGET_NOT_CLEARED"))
        if next_step(self.state) is not due or due is Step.CLEAR:
            return
        self.tell(self.done(due))

    def done(self, due: Step) -> ask.Command:
        project = self.project
        match due:
            case Step.PLAN:
                able = [self.clearance(h) for h in HOSTS if h != project.environment_id and self.clearance(h).cleared]
                return ask.Plan(able[0], "LOST") if able else ask.GiveUp(Step.PLAN, "NO_CLEARED_ENVIRONMENT")
            case Step.FILL:
                extracts = tuple(Extract(g, (Table(g.dataset_id, "t", 1, "0"),), 1) for g in project.to_fill)
                return ask.Record(e.Filled(extracts, project.to_drop, 1, 0, project.objections))
            case Step.SWITCH:
                assert project.move is not None
                target = self.clearance(project.move.target)
                return ask.Record(e.CutOver(target, project.entrants, project.permit.expires_on))
            case Step.ADMIT:
                return ask.Record(e.Admitted(project.entrants, project.permit.expires_on))
        simple: dict[Step, e.Done] = {
            Step.PREPARE: e.Prepared(),
            Step.OPEN: e.Opened(project.logins),
            Step.FREEZE: e.Froze("X"),
            Step.CLOSE: e.ShutDown("X"),
            Step.COPY: e.Copied(),
            Step.UNDO: e.RolledBack(),
            Step.LEAVE: e.Left("0"),
            Step.DESTROY: e.Erased("0"),
            Step.REMOVE: e.Removed(project.to_remove, project.tables, 1),
        }
        return ask.Record(simple[due])


@dataclass(frozen=True)
class Days:
    count: int


@dataclass(frozen=True)
class Qualified:
    host: str
    proof: Evidence


@dataclass(frozen=True)
class Lost:
    host: str
    kind: str


@dataclass(frozen=True)
class Registered:
    shown: Environment


@dataclass(frozen=True)
class Described:
    dataset: str
    dataset_class: str


@dataclass(frozen=True)
class Steps:
    count: int


@dataclass(frozen=True)
class Ordered:
    target: str


Happening = Days | Qualified | Lost | Registered | Described | Steps | Ordered | ask.Command


def happen(world: World, what: Happening) -> None:
    """What the handlers and the timers of the service do about it."""
    known = project_of(world.state) is not None
    match what:
        case Days(count):
            until = world.day + timedelta(days=count)
            # The timer is set for the days on which some evidence begins or is over.
            changes = {day for host in world.hosts.values() for day in days_of_change(host.evidence)}
            for day in sorted(day for day in changes if world.day < day <= until):
                world.day = day
                world.judge()
                shut_doors(world)
            world.day = until
        case Qualified(host, proof) if host in world.hosts:
            world.hosts[host] = world.hosts[host].qualified(proof)
            world.judge()
        case Lost(host, kind) if host in world.hosts:
            world.hosts[host] = world.hosts[host].disqualified(kind, world.day)
            world.judge()
        case Registered(shown):
            host = shown.environment_id
            world.hosts[host] = world.hosts[host].registered_again(shown) if host in world.hosts else shown
            world.judge()
        case Described(dataset, dataset_class):
            world.described[dataset] = dataset_class
            world.judge()
        case Steps(count):
            for _ in range(count):
                world.step()
        case Ordered(target) if known:
            world.tell(ask.Plan(world.clearance(target), "ORDERED"))
        case Qualified() | Lost() | Ordered():
            pass
        case command:
            world.tell(command)
            world.judge()
    shut_doors(world)


def shut_doors(world: World) -> None:
    """Freezing and closing are due at once."""
    while next_step(world.state) in (Step.FREEZE, Step.CLOSE):
        world.step()


def proof(kind: str, start: int, days: int, reference: str) -> Evidence:
    first = FIRST_DAY + timedelta(days=start)
    return Evidence(kind, "issuer", reference, first, first + timedelta(days=days))


proofs = st.builds(
    proof, st.sampled_from(KINDS), st.integers(-100, 600), st.integers(0, 900), st.sampled_from(["r-1", "r-2"])
)
hosts = st.builds(
    Environment,
    st.sampled_from(HOSTS),
    st.just("operator"),
    st.sampled_from(["FR", "FR", "DE", "US"]),
    st.sampled_from(["FR", "FR", "US"]),
    st.booleans(),
    st.lists(
        st.builds(proof, st.sampled_from(KINDS), st.integers(-100, 0), st.integers(0, 900), st.just("r-1")), max_size=8
    ).map(tuple),
)
grants = st.builds(
    Grant,
    st.sampled_from(DATASETS),
    st.just("1"),
    st.sampled_from(CLASSES),
    st.just("holder"),
    st.just(("a",)),
    st.just(2014),
    st.just(2020),
)
permits = st.builds(
    Permit,
    st.just("permit"),
    st.integers(1, 8),
    st.just("declaration"),
    st.sampled_from(["FR", "EU"]),
    st.just(date(2033, 1, 1)),
    st.just((Person("p-1", True, True), Person("p-2", True, True))),
    st.lists(grants, min_size=1, max_size=3, unique_by=lambda grant: grant.dataset_id).map(tuple),
    st.sampled_from(HOSTS),
    st.booleans(),
    covers_environments=st.sampled_from([None, HOSTS, ("env-1", "env-2")]),
)
happenings: st.SearchStrategy[Happening] = st.one_of(
    st.builds(Steps, st.integers(1, 12)),
    st.builds(Steps, st.integers(1, 12)),
    st.builds(Days, st.integers(1, 300)),
    st.builds(Qualified, st.sampled_from(HOSTS), proofs),
    st.builds(Lost, st.sampled_from(HOSTS), st.sampled_from(KINDS)),
    st.builds(Registered, hosts),
    st.builds(Described, st.sampled_from(DATASETS), st.sampled_from(CLASSES)),
    st.builds(Ordered, st.sampled_from(HOSTS)),
    st.builds(ask.Grant, permits),
    st.sampled_from([ask.Suspend(), ask.Resume(), ask.CallOff("ORDERED"), ask.Retry()]),
)
ALL = {
    host: Environment(host, "o", "FR", "FR", False, tuple(proof(k, -9, 700, "r-0") for k in KINDS)) for host in HOSTS
}


@settings(max_examples=300)
@given(permits, st.lists(happenings, max_size=30))
def test_no_workspace_is_ever_open_where_the_gate_is_shut_for_one_of_its_classes(
    permit: Permit, story: list[Happening]
) -> None:
    # At first everything is proven, so that most stories get somewhere.
    world = World(hosts=dict(ALL))
    for what in [ask.Grant(replace(permit, version=1)), Steps(8), *story]:
        happen(world, what)
        project = project_of(world.state)
        if project is not None and (isinstance(settled(world.state), Open) or project.unlocked):
            assert not world.failures()
            assert not project.place or project.permit.covers(project.environment_id or "")
    assert world.openings


def test_the_gate_lists_every_criterion_of_every_class_with_its_article() -> None:
    grants_ = (Grant("d-1", "1", "snds", "h", ("a",), 2014, 2020),)
    permit = Permit("p", 1, "declaration", "EU", date(2033, 1, 1), (), grants_, "env-1", state_body=True)
    found = look(None, "env-1", permit, ["health"], FIRST_DAY)
    assert [(c.code, c.citation, c.met) for c in found.criteria] == [
        ("HDS_MISSING", "CSP:L1111-8", False),
        ("STORAGE_OUTSIDE_EEA", "D2026-209", False),
        ("SNDS_HOMOLOGATION_MISSING", "A2024-05-06", False),
        ("SECNUMCLOUD_MISSING", "SREN:31", False),
        ("NON_EU_CONTROL", "SREN:31", False),
        ("SPE_73_MISSING", "EHDS:73(1)", False),
        ("STORAGE_OUTSIDE_UNION", "EHDS:87(1)", False),
    ]
    assert found.classes == {"health", "snds"}
