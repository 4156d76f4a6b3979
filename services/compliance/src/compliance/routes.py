"""What officers can ask: the assessment of a case as of a day, and each decision on it made again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from chassis.runtime import Runtime
from compliance import storage
from compliance.calendars import local_date
from compliance.decisions import decide_again
from compliance.files import Law, item_of, open_files
from compliance.problems import CaseError
from compliance.released import assess


def routes(runtime: Runtime, law: Law) -> Sequence[BaseRoute]:
    """The routes of compliance."""

    async def show_case(request: Request) -> Response:
        """The output of `guichet assess` for a stored case, oppositions included; 404, 400 and 409 say why not."""
        try:
            request_id = str(UUID(request.path_params["request_id"]))
            asked = request.query_params.get("as_of")
            as_of = date.fromisoformat(asked) if asked else local_date(runtime.clock.now())
        except ValueError:
            return _problem(400, "a request id (UUID) and, if given, as_of=YYYY-MM-DD are expected")
        async with runtime.database.connection() as connection:
            row = await storage.read_case(connection, request_id)
            if row is None or row.dossier is None:
                return _problem(404, "no request of this id was accepted")
            file = (await open_files(connection, {request_id: row}, law))[request_id]
            file.items.extend(map(item_of, await storage.optouts(connection)))
        case = file.case()
        assert case is not None
        try:
            return JSONResponse(assess(case, as_of, file.reference_on(case, as_of), law.settings).as_json())
        except CaseError as error:
            return _problem(409, "; ".join(str(problem) for problem in error.problems))

    async def show_decisions(request: Request) -> Response:
        """What each decision on a request rests on, and whether it comes out the same when it is made again."""
        try:
            request_id = str(UUID(request.path_params["request_id"]))
        except ValueError:
            return _problem(400, "a request id (UUID) is expected")
        async with runtime.database.connection() as connection:
            made = await decide_again(connection, request_id, law)
        if not made:
            return _problem(404, "nothing was decided on a request of this id")
        return JSONResponse({"decisions": [again.as_json() for again in made]})

    return [
        Route("/cases/{request_id}", show_case, methods=["GET"]),
        Route("/cases/{request_id}/decisions", show_decisions, methods=["GET"]),
    ]


def _problem(status: int, detail: str) -> Response:
    return JSONResponse(
        {"type": "about:blank", "status": status, "detail": detail}, status, media_type="application/problem+json"
    )
