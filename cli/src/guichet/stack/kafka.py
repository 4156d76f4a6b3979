"""Real Apache Kafka brokers in KRaft mode on this machine: each a broker and a controller, on the JRE of a wheel."""

import asyncio
import base64
import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code

from guichet.stack import jars, java, processes
from guichet.stack.errors import StackError
from guichet.stack.ports import free_ports, is_free
from guichet.stack.processes import Process

READINESS_TOPIC = "stack.readiness"
"""Written once at each start, because only an acknowledged record proves that a broker serves."""


FEATURES = "bootstrap.checkpoint"
"""What a new cluster can do, as Kafka's tool writes it into the folder of each broker."""


def new_uuid() -> str:
    """A random id, as of a cluster: 16 bytes in URL-safe base 64, as Kafka's own tool makes them."""
    while (made := base64.urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii").rstrip("=")).startswith("-"):
        continue
    return made


@dataclass(slots=True)
class Broker:
    """One node: its id from 1 on, its two ports and, while it runs, its process."""

    node: int
    port: int
    controller_port: int
    process: Process | None = None


@dataclass(slots=True)
class Kafka:
    """A cluster of `count` brokers whose data lives in `home`/kafka; ports are kept while free, else chosen again."""

    home: Path
    count: int = 1
    cluster_id: str = field(default_factory=new_uuid)
    brokers: list[Broker] = field(default_factory=list)
    heap_mb: int = 256
    learning: Path | None = None
    """Where the broker of a trial run writes, as it ends, what `java.linked` then keeps."""

    @property
    def bootstrap(self) -> str:
        """`host:port` of every broker, joined by commas."""
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)

    def _choose_ports(self) -> None:
        """Ports of brokers that run stay; those of dead ones are chosen again only when another program took them.

        A controller's port cannot change while its peers run, because each node knows all voters by address.
        """
        running = [broker for broker in self.brokers if broker.process and broker.process.alive()]
        if not self.brokers:
            chosen = free_ports(2 * self.count)
            self.brokers = [Broker(i + 1, chosen[2 * i], chosen[2 * i + 1]) for i in range(self.count)]
            return
        taken = {port for broker in self.brokers for port in (broker.port, broker.controller_port)}
        for broker in self.brokers:
            if broker in running:
                continue
            if not is_free(broker.port):
                broker.port = free_ports(1, taken)[0]
            if not is_free(broker.controller_port):
                if running:
                    raise StackError(
                        f"the controller port of broker {broker.node} is taken", "guichet down; guichet up"
                    )
                broker.controller_port = free_ports(1, taken)[0]

    def _properties(self, broker: Broker) -> str:
        voters = ",".join(f"{each.node}@127.0.0.1:{each.controller_port}" for each in self.brokers)
        copies = min(3, self.count)
        settings = {
            "process.roles": "broker,controller",
            "node.id": broker.node,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{broker.port},CONTROLLER://127.0.0.1:{broker.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.home / "kafka" / str(broker.node),
            "num.partitions": 6,
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.num.partitions": 1,
            # A killed broker waits for its own old registration to expire before it may come back.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            # Twice a second a controller that has nothing to say would write that it has nothing to say.
            "metadata.max.idle.interval.ms": 5000,
            "default.replication.factor": copies,
            "min.insync.replicas": max(1, copies - 1),
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": max(1, copies - 1),
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 8 << 20,
            "log.segment.bytes": 64 << 20,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def log(self, broker: Broker) -> Path:
        """Where a broker writes what it has to say."""
        return self.home / "logs" / f"kafka-{broker.node}.log"

    async def start(self, tell: jars.Tell = lambda _: None, seconds: float = 120.0) -> None:
        """Starts every broker that does not run and returns when the cluster has acknowledged a record.

        Raises StackError when that has not happened within `seconds`, or a broker ended instead.
        """
        classpath = await asyncio.to_thread(jars.classpath, tell)
        if self.learning is None:
            await link(classpath, tell)
        self._choose_ports()
        starting = [broker for broker in self.brokers if not (broker.process and broker.process.alive())]
        await asyncio.gather(*(self._start_one(broker, classpath) for broker in starting))
        await self._until_ready(time.monotonic() + seconds)

    async def _start_one(self, broker: Broker, classpath: str) -> None:
        folder = self.home / "kafka"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{broker.node}.properties"
        file.write_text(self._properties(broker), "utf-8")
        command = java.command(classpath, heap_mb=self.heap_mb)
        tool = [*command, "kafka.tools.StorageTool", "format", "-c", str(file)]
        await self._format(broker, folder / str(broker.node), java.formatted(classpath), tool)
        if self.learning:
            command = [*command, f"-XX:AOTCacheOutput={self.learning}"]
        broker.process = processes.spawn(
            f"kafka-{broker.node}", [*command, "kafka.Kafka", str(file)], home=self.home, log=self.log(broker)
        )

    async def _format(self, broker: Broker, folder: Path, kept: Path, tool: Sequence[str]) -> None:
        """Prepares the folder of a new broker, by Kafka's own tool the first time that these jars are used.

        Of what it writes only `meta.properties` tells one broker from another: later ones take a copy of the rest.
        """
        if self._is_formatted(broker, folder, kept):
            return
        formatting = await asyncio.create_subprocess_exec(
            *tool, "-t", self.cluster_id, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await formatting.communicate()
        if formatting.returncode != 0:
            raise StackError(f"Kafka could not format its folder: {output.decode('utf-8', 'replace')[-500:]}")
        with contextlib.suppress(OSError):  # What cannot be kept is made again.
            partial = kept.with_suffix(f".{secrets.token_hex(4)}")
            shutil.copyfile(folder / FEATURES, partial)
            partial.replace(kept)

    def _is_formatted(self, broker: Broker, folder: Path, kept: Path) -> bool:
        meta = folder / "meta.properties"
        if meta.is_file() or not kept.is_file():
            return meta.is_file()
        folder.mkdir(exist_ok=True)
        shutil.copyfile(kept, folder / FEATURES)
        known = {"version": 1, "cluster.id": self.cluster_id, "node.id": broker.node, "directory.id": new_uuid()}
        partial = meta.with_suffix(".partial")
        partial.write_text("".join(f"{name}={value}\n" for name, value in known.items()), "ascii")
        partial.replace(meta)
        return True

    async def _until_ready(self, deadline: float) -> None:
        while True:
            for broker in self.brokers:
                if not (broker.process and broker.process.alive()):
                    raise StackError(
                        f"broker {broker.node} ended while starting: {processes.tail(self.log(broker), 5)}",
                        f"read {self.log(broker)}",
                    )
            try:
                async with asyncio.timeout(15):
                    if await self._listens() and await self.serves():
                        return
            except (OSError, TimeoutError):
                pass
            except KafkaError as error:
                if not (error.retriable or isinstance(error, KafkaConnectionError)):
                    raise
            if time.monotonic() > deadline:
                raise StackError("Kafka did not become ready in time", f"read {self.home / 'logs'}")
            await asyncio.sleep(0.1)

    async def _listens(self) -> bool:
        for broker in self.brokers:  # Asked first, because the client makes a noise about every refused connection.
            _, writer = await asyncio.open_connection("127.0.0.1", broker.port)
            writer.close()
            await writer.wait_closed()
        return True

    async def serves(self) -> bool:
        """Whether all brokers of *this* cluster answer and a record is acknowledged by all in-sync replicas."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        try:
            await admin.start()
            described = await admin.describe_cluster()
            if described["cluster_id"] != self.cluster_id or len(described["brokers"]) < self.count:
                return False
        finally:
            await admin.close()
        await create_topics(self.bootstrap, {READINESS_TOPIC: 1})
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, request_timeout_ms=5000
        )
        try:
            await producer.start()
            await producer.send_and_wait(READINESS_TOPIC, b"ready")
        finally:
            await asyncio.wait_for(producer.stop(), 5)
        return True

    def alive(self) -> bool:
        """Whether every broker's process runs."""
        return bool(self.brokers) and all(broker.process and broker.process.alive() for broker in self.brokers)

    async def stop(self, seconds: float = 20.0) -> None:
        """Ends all brokers in order; one that has not ended within `seconds` is killed."""
        running = [broker.process for broker in self.brokers if broker.process]
        await asyncio.gather(*(asyncio.to_thread(process.stop, seconds=seconds) for process in running))


async def link(classpath: str, tell: jars.Tell) -> None:
    """Runs a broker for a moment, once for each JRE and set of jars: all later ones start in half the time."""
    kept = java.linked(classpath)
    if kept.is_file():
        return
    with contextlib.ExitStack() as held:
        await asyncio.to_thread(held.enter_context, jars.alone(kept.parent, "linking"))
        if kept.is_file():
            return
        tell("linking Kafka's classes, once for all later starts")
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(dir=kept.parent, prefix="linking-")))
        trial = Kafka(folder, learning=folder / kept.name)
        try:
            await trial.start()
        finally:
            await trial.stop(120)
        for old in kept.parent.glob("linked-*.aot"):
            old.unlink()
        with contextlib.suppress(FileNotFoundError):  # A JRE that keeps nothing starts as slowly as before.
            (folder / kept.name).replace(kept)


async def create_topics(
    bootstrap: str,
    topics: Mapping[str, int],
    *,
    settings: Mapping[str, Mapping[str, str]] | None = None,
    replication: int | None = None,
) -> None:
    """Creates each topic with its number of partitions; one that exists is left as it is.

    `settings` has topic configuration by topic name; replication is three, or the number of brokers when fewer.
    Raises StackError when the broker refuses one.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=15_000)
    await admin.start()
    try:
        copies = replication or min(3, len((await admin.describe_cluster())["brokers"]))
        wanted = [
            NewTopic(name, partitions, copies, topic_configs=dict((settings or {}).get(name, {})))
            for name, partitions in topics.items()
        ]
        response = await admin.create_topics(wanted, timeout_ms=15_000)
        _refuse_errors(response.topic_errors)
    finally:
        await admin.close()


def _refuse_errors(errors: Sequence[Sequence[object]]) -> None:
    for name, code, *_ in errors:
        error = for_code(code)
        if code != 0 and error is not TopicAlreadyExistsError:
            if getattr(error, "retriable", False):
                raise error()
            raise StackError(f"Kafka refused topic {name}: {error.__name__}")
