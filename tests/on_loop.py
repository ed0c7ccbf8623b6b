"""Runs tests of coroutines on a kind of event loop."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec

Asked = ParamSpec("Asked")


def on_loop(
    factory: Callable[[], asyncio.AbstractEventLoop],
) -> Callable[[Callable[Asked, Awaitable[None]]], Callable[Asked, None]]:
    """Return a decorator that makes a test of a coroutine, each on a loop of its own."""

    def decorated(test: Callable[Asked, Awaitable[None]]) -> Callable[Asked, None]:
        @functools.wraps(test)
        def run(*arguments: Asked.args, **rest: Asked.kwargs) -> None:
            async def tested() -> None:
                await test(*arguments, **rest)

            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(tested())

        return run

    return decorated
