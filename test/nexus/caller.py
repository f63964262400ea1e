"""The same workflow as caller.ts, by Temporal's Python SDK and the names of the service alone; and the example of docs/nexus.md."""

import asyncio
import sys
from typing import Any

from docs_example import MuteTheCall
from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, CancelledError, NexusOperationError
from temporalio.worker import Worker


@workflow.defn(name="callModeration")
class CallModeration:
    @workflow.run
    async def run(self, asked: dict[str, Any]) -> dict[str, Any]:
        client = workflow.create_nexus_client(service="moderation", endpoint=asked["endpoint"])
        try:
            return {"result": await client.execute_operation(asked["operation"], asked["input"], output_type=dict)}
        except NexusOperationError as error:
            cause = error.cause
            if isinstance(cause, CancelledError):
                return {"cancelled": True, "message": cause.message}
            if not isinstance(cause, ApplicationError):
                raise
            return {"type": cause.type, "message": cause.message, "details": cause.details[0]}


async def main(address: str, namespace: str, task_queue: str) -> None:
    client = await Client.connect(address, namespace=namespace)
    async with Worker(client, task_queue=task_queue, workflows=[CallModeration, MuteTheCall]):
        print("polling", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
