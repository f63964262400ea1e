"""A caller in Python: Microsoft's own SDK for Graph, with another base URL and credential."""

import asyncio
import json
import sys
import time

from azure.core.credentials import AccessToken
from kiota_abstractions.api_error import APIError
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.communications.calls.item.mute.mute_post_request_body import MutePostRequestBody
from msgraph.generated.communications.calls.item.participants.item.mute.mute_post_request_body import (
    MutePostRequestBody as ParticipantMutePostRequestBody,
)
from msgraph.generated.communications.calls.item.unmute.unmute_post_request_body import UnmutePostRequestBody


class Credential:
    def __init__(self, token):
        self.token = token

    def get_token(self, *scopes, **options):
        return AccessToken(self.token, int(time.time()) + 3600)


def status_of(operation):
    # The SDK's words begin with a capital, Graph's do not.
    return operation.status.value.lower()


def shown(operation):
    return {
        "type": type(operation).__name__,
        "id": operation.id,
        "status": status_of(operation),
        "clientContext": operation.client_context,
    }


async def main(base_url, token, call_id, participant_id, absent_id):
    provider = AzureIdentityAuthenticationProvider(Credential(token), allowed_hosts=["127.0.0.1"])
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = base_url
    graph = GraphServiceClient(request_adapter=adapter)
    call = graph.communications.calls.by_call_id(call_id)

    muted = await call.mute.post(MutePostRequestBody(client_context="from-python"))
    read = await call.operations.by_comms_operation_id(muted.id).get()
    unmuted = await call.unmute.post(UnmutePostRequestBody())

    no_wait = RequestConfiguration()
    no_wait.headers.add("Prefer", "respond-async")
    running = await call.mute.post(MutePostRequestBody(), no_wait)
    polled = running
    while status_of(polled) == "running":
        await asyncio.sleep(0.1)
        polled = await call.operations.by_comms_operation_id(running.id).get()

    participant = await call.participants.by_participant_id(participant_id).mute.post(
        ParticipantMutePostRequestBody()
    )
    try:
        await graph.communications.calls.by_call_id(absent_id).mute.post(MutePostRequestBody())
        error = None
    except APIError as raised:
        error = {"status": raised.response_status_code, "code": raised.error.code, "message": raised.error.message}

    print(
        json.dumps(
            {
                "muted": shown(muted),
                "read": shown(read),
                "unmuted": shown(unmuted),
                "running": shown(running),
                "polled": shown(polled),
                "participant": shown(participant),
                "error": error,
            }
        )
    )


asyncio.run(main(*sys.argv[1:]))
