import sys
import uuid
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from workshop import STATES, Language, Shop  # noqa: E402 - found in this folder

from chassis.database import Database  # noqa: E402


@pytest.fixture
async def database(postgres):
    """A new database with the chassis's tables and those of the echoing handler."""
    database = Database(await postgres.create_database(), service="echo")
    await database.open()
    await database.migrate(None)
    async with database.connection() as connection:
        await connection.execute(STATES)
    yield database
    await database.close()


@pytest.fixture
def language():
    """Topics of this test alone."""
    mark = uuid.uuid4().hex[:12]
    return Language.on(f"in.{mark}", f"out.{mark}")


@pytest.fixture
async def shop(database, language):
    """An engine over a bus in memory, with its handler."""
    return await Shop(database, language).open()


@pytest.fixture
async def plant(kafka, topics, postgres, database, language):
    """Topics and a database of this test alone, and the workers it starts."""
    from plant import PARTITIONS, Plant

    names = [language.noted.topic, language.echoed.topic]
    await topics(dict.fromkeys(names, PARTITIONS) | {"guichet.dead-letters": 6})
    plant = Plant(kafka, database, language, postgres.superuser_url)
    try:
        yield plant
    finally:
        print(plant.logged()[-8000:])
        await plant.close()
