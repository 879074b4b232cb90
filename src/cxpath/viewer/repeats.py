"""A decision that is sent again after a lost connection is answered again, not made again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

HEADER = "x-cxpath-request"
"""Carries the name that a page gives to a decision; the same when it sends the decision again."""

_MOST_NAME = 64
_REMEMBERED = 1_000

Endpoint = Callable[[Request], Awaitable[Response]]


class Repeats:
    """Answers of the latest decisions, by the names that the page gave them.

    A repeat that arrives while the first is still being made waits for it. What was refused is not
    remembered: nothing was decided.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._answers: OrderedDict[str, asyncio.Future[Response]] = OrderedDict()

    def once(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint with its answers remembered; requests without a name pass through."""

        async def answer(request: Request) -> Response:
            name = request.headers.get(HEADER, "")
            if not 0 < len(name) <= _MOST_NAME:
                return await endpoint(request)
            key = f"{request.url.path} {name}"
            if key not in self._answers:
                self._remember(key, asyncio.ensure_future(endpoint(request)))
            # a connection that is lost meanwhile must not break the decision off
            return await asyncio.shield(self._answers[key])

        return answer

    def _remember(self, key: str, answer: asyncio.Future[Response]) -> None:
        self._answers[key] = answer
        answer.add_done_callback(lambda done: self._forget_refused(key, done))
        while len(self._answers) > self._remembered:
            self._answers.popitem(last=False)

    def _forget_refused(self, key: str, done: asyncio.Future[Response]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._answers.pop(key, None)
