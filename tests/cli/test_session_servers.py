import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from guichet.stack import jars, java


async def test_the_session_broker_keeps_what_it_acknowledged(kafka, topics):
    await topics({"fixtures.kept": 3})
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait("fixtures.kept", b"value", key=b"key")
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer("fixtures.kept", bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        assert (await consumer.getone()).value == b"value"
    finally:
        await consumer.stop()


async def test_each_test_may_have_a_database_of_its_own(postgres):
    first, second = await postgres.create_database(), await postgres.create_database("fixtures_named")
    assert first != second and second.endswith("/fixtures_named")
    for url in (first, second):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        await connection.close()


async def test_nobody_reaches_the_database_without_a_password(postgres):
    try:
        await asyncpg.connect(host="127.0.0.1", port=postgres.port, user="postgres", database="postgres", password="no")
    except asyncpg.InvalidPasswordError:
        return
    raise AssertionError("a wrong password was accepted")


async def test_a_broker_starts_from_the_classes_that_were_linked_once(broker):
    assert java.linked(jars.classpath()).is_file()
    (running,) = broker.brokers
    assert any(word.startswith("-XX:AOTCache=") for word in psutil.Process(running.process.pid).cmdline())
    assert "[aot" not in broker.log(running).read_text(), "the virtual machine took them without a word"
