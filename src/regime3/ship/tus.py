"""The tus protocol 1.0.0 (core, creation, expiration, termination) over the node's uploads.

    app.include_router(upload_router(uploads, refusals))

`POST /models/uploads` begins a file: `Upload-Length`, and `Upload-Metadata` with `model`, `file`
and `manifest` (the manifest's sha-256, in hex). `HEAD` tells the offset, `PATCH` appends, `DELETE`
gives up. A request's bytes pass through a bounded buffer into one thread that writes and hashes
while the next arrive; another makes them safe and records the offset. A slow sender is cut off and
may resume. What is taken and when it is published is `uploads`' to say. https://tus.io/protocols
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from email.utils import formatdate
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from regime3.errors import NodeRefused
from regime3.records.models import FILE_PATTERN, ID_PATTERN
from regime3.ship.protocol import CONTENT, EXTENSIONS, PREFIX, VERSION
from regime3.ship.uploads import STALE_S, Part, Uploads, disk_full, is_disk_full

BLOCK_BYTES: Final = 4 << 20
"""Handed to the writing thread at one time; at most two such blocks of a sender are in memory."""
SYNC_BYTES: Final = 64 << 20
"""Made safe and recorded this often: what a kill may cost."""
SILENCE_S_MAX: Final = 30.0
RATE_WINDOW_S: Final = 30.0
RATE_BYTES_S_MIN: Final = 4096
"""A sender slower than this over a window is cut off; it may resume."""
METADATA_CHARS_MAX: Final = 4096
LENGTH_MAX: Final = 1 << 48

Refusals = Callable[..., dict[int | str, dict[str, Any]]]
ModelId = Annotated[str, InPath(min_length=1, max_length=96, pattern=ID_PATTERN)]
FileName = Annotated[str, InPath(min_length=1, max_length=200, pattern=FILE_PATTERN)]
Resumable = Annotated[str | None, Header(description=f"The protocol's version, {VERSION}")]
Size = Annotated[int, Header(ge=0, le=LENGTH_MAX)]
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TusRoute(APIRoute):
    """Every answer names the version; refusals have OpenAI's body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await inner(request)
            except NodeRefused as refused:
                response = _refusal(refused)
            except OSError as error:
                if not is_disk_full(error):
                    raise
                response = _refusal(disk_full(error.strerror or ""))
            response.headers["Tus-Resumable"] = VERSION
            return response

        return handle


def upload_router(uploads: Uploads, refusals: Refusals) -> APIRouter:
    """The routes under `/models/uploads`; `refusals` documents their errors."""
    routes = APIRouter(prefix=PREFIX, tags=["uploads"], route_class=TusRoute)
    _creating(routes, uploads, refusals)
    _sending(routes, uploads, refusals)
    return routes


def _creating(routes: APIRouter, uploads: Uploads, refusals: Refusals) -> None:
    @routes.options("", status_code=204, response_class=Response)
    async def abilities() -> Response:
        """What of the protocol is spoken, and the largest file."""
        return _empty(
            204,
            {
                "Tus-Version": VERSION,
                "Tus-Extension": EXTENSIONS,
                "Tus-Max-Size": str(uploads.bytes_max),
            },
        )

    @routes.post(
        "",
        status_code=201,
        response_class=Response,
        responses=refusals(404, 409, 412, 429, 507),
    )
    async def create(
        upload_length: Size,
        upload_metadata: Annotated[str, Header(max_length=METADATA_CHARS_MAX)],
        tus_resumable: Resumable = None,
    ) -> Response:
        """Begin a file, or find the same one where it was: `Location`, `Upload-Offset`."""
        _check_version(tus_resumable)
        if upload_length > uploads.bytes_max:
            raise NodeRefused(413, "too_large", f"{uploads.bytes_max} bytes are allowed")
        asked = _metadata(upload_metadata)
        part = await asyncio.to_thread(
            uploads.create, asked["model"], asked["file"], asked["manifest"], upload_length
        )
        where = f"{PREFIX}/{part.model}/{part.file}"
        return _empty(201, {"Location": where, **_standing(uploads, part)})


def _sending(routes: APIRouter, uploads: Uploads, refusals: Refusals) -> None:
    place = "/{model}/{file}"

    @routes.head(place, status_code=200, response_class=Response, responses=refusals(404, 412))
    async def offset(model: ModelId, file: FileName, tus_resumable: Resumable = None) -> Response:
        """How much of the file is safe."""
        _check_version(tus_resumable)
        part = await asyncio.to_thread(uploads.find, model, file)
        return _empty(200, {"Cache-Control": "no-store", **_standing(uploads, part)})

    @routes.patch(
        place,
        status_code=204,
        response_class=Response,
        responses=refusals(404, 408, 409, 412, 415, 507),
        openapi_extra={"requestBody": {"required": True, "content": {CONTENT: _BYTES}}},
    )
    async def append(
        model: ModelId,
        file: FileName,
        request: Request,
        upload_offset: Size,
        tus_resumable: Resumable = None,
    ) -> Response:
        """Append to the file; when it is whole, it is checked, and the last one publishes."""
        _check_version(tus_resumable)
        if request.headers.get("content-type", "").partition(";")[0].strip() != CONTENT:
            raise NodeRefused(415, "wrong_content_type", f"Content-Type has to be {CONTENT}")
        part = await asyncio.to_thread(uploads.find, model, file)
        with part.claimed():
            await _receive(request, part, upload_offset)
            if part.recorded == part.length:
                await asyncio.to_thread(uploads.finish, part)
        return _empty(204, _standing(uploads, part))

    @routes.delete(
        place, status_code=204, response_class=Response, responses=refusals(404, 409, 412)
    )
    async def give_up(model: ModelId, file: FileName, tus_resumable: Resumable = None) -> Response:
        """Forget a file's bytes; those of the manifest, and with it the whole upload."""
        _check_version(tus_resumable)
        await asyncio.to_thread(uploads.delete, model, file)
        return _empty(204, {})


_BYTES: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}


# ------------------------------------------------------------------------------------ receiving


async def _receive(request: Request, part: Part, offset: int) -> None:
    """The body into the file. Whatever ends it, what came is made safe first."""
    if offset == part.length == part.recorded and request.headers.get("content-length") == "0":
        return  # whole before: asks only whether it is good
    sent = request.headers.get("content-length", "")
    if sent.isdigit() and offset + int(sent) > part.length:
        raise _too_long(part)
    await asyncio.to_thread(part.begin, offset)
    with ThreadPoolExecutor(1, "upload") as writing, ThreadPoolExecutor(1, "sync") as syncing:
        sink = _Sink(part, writing, syncing)
        try:
            async for chunk in _paced(request.stream()):
                if offset + sink.taken + len(chunk) > part.length:
                    raise _too_long(part)
                await sink.put(chunk)
            await sink.flush()
        except ClientDisconnect:
            raise NodeRefused(408, "sender_gone", "the sender went away") from None
        finally:
            await asyncio.shield(sink.close())


async def _paced(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks of a sender that keeps up. Raises `NodeRefused` 408."""
    window, came = time.monotonic() + RATE_WINDOW_S, 0
    while True:
        try:
            async with asyncio.timeout(SILENCE_S_MAX):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _too_slow() from None
        came += len(chunk)
        if time.monotonic() > window:
            if came < RATE_BYTES_S_MIN * RATE_WINDOW_S:
                raise _too_slow()
            window, came = time.monotonic() + RATE_WINDOW_S, 0
        yield chunk


class _Sink:
    """Gathers chunks into blocks; one block is written while the next is gathered."""

    def __init__(self, part: Part, writing: Executor, syncing: Executor) -> None:
        self.taken = 0
        self._part, self._writing, self._syncing = part, writing, syncing
        self._chunks: list[bytes] = []
        self._gathered = 0
        self._write: asyncio.Future[None] | None = None
        self._sync: asyncio.Future[None] | None = None
        self._synced = part.received

    async def put(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._gathered += len(chunk)
        self.taken += len(chunk)
        if self._gathered >= BLOCK_BYTES:
            await self.flush(wait=False)

    async def flush(self, wait: bool = True) -> None:
        """Write what was gathered; without `wait`, while more comes."""
        loop = asyncio.get_running_loop()
        if self._write is not None:
            write, self._write = self._write, None
            await write
        if self._chunks:
            chunks, self._chunks, self._gathered = self._chunks, [], 0
            self._write = loop.run_in_executor(self._writing, self._part.write, chunks)
        if self._part.received - self._synced >= SYNC_BYTES and (
            self._sync is None or self._sync.done()
        ):
            if self._sync is not None:
                await self._sync
            self._synced = self._part.received
            self._sync = loop.run_in_executor(self._syncing, self._part.sync)
        if wait and self._write is not None:
            write, self._write = self._write, None
            await write

    async def close(self) -> None:
        """Write what is left, wait for the threads, then make safe what was written."""
        with contextlib.suppress(OSError):
            await self.flush()
        for pending in (self._write, self._sync):
            if pending is not None:
                with contextlib.suppress(OSError):
                    await pending
        await asyncio.get_running_loop().run_in_executor(self._syncing, self._part.settle)


# -------------------------------------------------------------------------------------- headers


def _check_version(given: str | None) -> None:
    if given != VERSION:
        raise NodeRefused(
            412, "wrong_version", f"Tus-Resumable has to be {VERSION}", param="Tus-Resumable"
        )


def _metadata(text: str) -> dict[str, str]:
    """`Upload-Metadata`: words and base64, comma-separated. Raises `NodeRefused` 400."""
    found: dict[str, str] = {}
    for pair in text.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise _bad_metadata(f"{name[:40]!r} is not base64 of a text") from None
    for name in ("model", "file", "manifest"):
        if not found.get(name):
            raise _bad_metadata(f"{name} is missing")
    if not _SHA256.fullmatch(found["manifest"]):
        raise _bad_metadata("manifest is not a sha-256 in hex")
    return found


def _bad_metadata(why: str) -> NodeRefused:
    return NodeRefused(400, "invalid_metadata", f"Upload-Metadata: {why}", param="Upload-Metadata")


def _too_long(part: Part) -> NodeRefused:
    return NodeRefused(413, "too_large", f"more than the {part.length} bytes of {part.file}")


def _too_slow() -> NodeRefused:
    return NodeRefused(408, "too_slow", "the sender is too slow; it may resume")


def _standing(uploads: Uploads, part: Part) -> dict[str, str]:
    return {
        "Upload-Offset": str(part.recorded),
        "Upload-Length": str(part.length),
        "Upload-Expires": formatdate(uploads.clock.now() + STALE_S, usegmt=True),
    }


def _empty(status: int, headers: dict[str, str]) -> Response:
    return Response(status_code=status, headers=headers)


def _refusal(refused: NodeRefused) -> JSONResponse:
    headers = {"Tus-Version": VERSION} if refused.status == 412 else {}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(refused.retry_after_s))
    kind = "server_error" if refused.status >= 500 else "invalid_request_error"
    error = {"message": refused.message, "type": kind, "param": refused.param, "code": refused.code}
    return JSONResponse({"error": error}, refused.status, headers)
