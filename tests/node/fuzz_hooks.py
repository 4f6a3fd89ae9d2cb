"""What schemathesis is told about our media types: a piece of an upload is bytes."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
