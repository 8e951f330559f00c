# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scope of a studio, and URLs of streams. The rest of a stream's service is tested with the simulator."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady
from ansible_collections.labstream.aws.plugins.module_utils._nimble.api import (
    create_streaming_session_stream,
    get_streaming_session_stream,
)
from ansible_collections.labstream.aws.plugins.module_utils._nimble.streams import (
    StudioStreams,
    build_scope,
)

from tests.unit.plugins.module_utils.support import build_key

CLIENT = SimpleNamespace(
    meta=SimpleNamespace(
        endpoint_url="https://studio.example.org",
        region_name="us-west-2",
        service_model=SimpleNamespace(endpoint_prefix="nimble"),
    )
)
ARN = "arn:aws:nimble:us-west-2:123456789012:studio/lab"


def test_the_scope_of_a_studio_is_its_arn_at_the_endpoint():
    assert build_scope(CLIENT, ARN).to_text() == f"nimble|studio.example.org|{ARN}"


def test_a_stream_is_named_with_its_session():
    name = StudioStreams(CLIENT, "lab", 3600).describe(build_key("session-anna"), "stream-1")
    assert name == "Stream 'stream-1' of session 'session-anna'"


STREAM = {"studio_id": "lab", "session_id": "session-anna", "stream_id": "stream-1"}


@pytest.mark.parametrize(
    "call", [create_streaming_session_stream, lambda client: get_streaming_session_stream(client, **STREAM)]
)
def test_a_stream_whose_url_is_not_of_a_web_page_is_rejected(call):
    described = {"stream": {"streamId": "stream-1", "state": "READY", "url": "javascript:alert(1)"}}
    operations = ("create_streaming_session_stream", "get_streaming_session_stream")
    client = SimpleNamespace(**{name: lambda **_parameters: described for name in operations})
    with pytest.raises(NotReady, match="the scheme 'javascript'"):
        call(client)
