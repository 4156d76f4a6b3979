from invariant import check_invariant
from workshop import Bus, Handler, body, build_engine, drain, headers

from chassis.ids import new_event_id


async def test_every_event_is_acted_upon_once_and_in_order(database, language):
    bus = Bus(language.noted.topic, 2)
    handler = Handler(language)
    engine = build_engine(database, language, handler, bus=bus)
    inputs = []
    for number in range(50):
        key, event_id = f"k{number % 7}", new_event_id()
        bus.write(key.encode(), body(number), headers(event_id), number % 7 % 2)
        inputs.append((key, event_id, number))
    await engine.on_partitions_assigned(set(bus.logs))
    await drain(engine, bus)
    async with database.connection() as connection:
        await check_invariant(connection, inputs=inputs, ends=await bus.end_offsets(bus.logs))
    assert handler.calls == [50]
