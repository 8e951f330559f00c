# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppStream's other protocol, rpc-v2-cbor, which the Terraform provider speaks; botocore has its codec, for clients."""

from __future__ import annotations

import json
from typing import Any

from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from moto.core.utils import get_service_model

from tests.simulator.validation import Malformed

# What comes before the operation in the path of a request.
PREFIX = "/service/PhotonAdminProxyService/operation/"
HEADERS = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}

_PARSER = create_parser("smithy-rpc-v2-cbor")
_SERIALIZER = create_serializer("smithy-rpc-v2-cbor", include_validation=False, timestamp_precision="millisecond")
_TEXT = {"shape": "Text"}
_ERRORS = ServiceModel(
    {
        "metadata": {"targetPrefix": ""},
        "shapes": {"Error": {"type": "map", "key": _TEXT, "value": _TEXT}, "Text": {"type": "string"}},
    }
)


def decode(body: bytes) -> Any:
    """Return what a request's body holds, without nulls in maps; Malformed unless JSON could hold it too.

    No request of AppStream has a timestamp or binary data.
    """
    stream = _PARSER.get_peekable_stream_from_bytes(body)
    try:
        value = json.loads(json.dumps(_PARSER.parse_data_item(stream)))
    except Exception as reason:  # botocore trusts the services: what is no CBOR raises whatever comes
        raise Malformed(f"The body is not valid: {reason}") from reason
    if stream.read(1):
        raise Malformed("The body goes on after its end.")
    return value


def encode_reply(operation: str, members: dict[str, Any]) -> bytes:
    service = get_service_model("appstream")
    shape = service.operation_model(operation).output_shape
    assert shape is not None
    return _encode(members, service, shape.name)


def encode_error(code: str, message: str) -> bytes:
    modeled = get_service_model("appstream").shape_for_error_code(code)
    error = {"__type": f"com.amazonaws.appstream#{code}", "Message" if modeled else "message": message}
    return _encode(error, _ERRORS, "Error")


def _encode(value: dict[str, Any], service: ServiceModel, shape: str) -> bytes:
    """Encode by the shape. botocore writes inputs alone, so this is the input of an operation made for it."""
    operation = OperationModel({"name": shape, "input": {"shape": shape}}, service)
    body: bytes = _SERIALIZER.serialize_to_request(value, operation)["body"]
    return body
