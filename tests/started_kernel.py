"""Kernels for tests, as the runner starts them, that cells can be sent to."""

import asyncio
import contextlib

from phi_kit.study.notebook.kernel import kernel_class, kernel_config

SECONDS = 120  # on a busy machine a cell takes its time; one that hangs, for ever


class Kernel:
    """A kernel that cells can be sent to."""

    def __init__(self, manager, client):
        self.manager, self.client = manager, client

    @property
    def pid(self):
        return self.manager.provisioner.pid

    async def run(self, code, *, heard=lambda: None):
        """What a cell prints; an error by its name. `heard` is called as it prints."""
        printed = []

        def take(message):
            content = message["content"]
            if content.get("name") == "stdout":
                printed.append(content["text"])
                heard()

        reply = await self.client.execute_interactive(
            code, output_hook=take, timeout=SECONDS
        )
        content = reply["content"]
        return content.get("ename") or "".join(printed)

    async def asleep(self):
        """A cell that has begun to sleep, and does so till it is interrupted."""
        begun = asyncio.Event()
        cell = "import time\nprint('well')\ntime.sleep(10 ** 6)"
        running = asyncio.ensure_future(self.run(cell, heard=begun.set))
        await asyncio.wait_for(begun.wait(), SECONDS)
        return running


@contextlib.asynccontextmanager
async def started(warm):
    with kernel_config() as config:
        manager = kernel_class(warm)(config=config)
        # As nbclient starts them: cells are not written into anybody's history.
        await manager.start_kernel(
            extra_arguments=["--HistoryManager.hist_file=:memory:"]
        )
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=SECONDS)
            yield Kernel(manager, client)
        finally:
            client.stop_channels()
            if await manager.is_alive():
                await manager.shutdown_kernel()
            await manager.cleanup_resources()


def run(warm, *cells):
    """What the cells print in one kernel."""

    async def all_of_them():
        async with started(warm) as kernel:
            return [await kernel.run(cell) for cell in cells]

    return asyncio.run(all_of_them())
