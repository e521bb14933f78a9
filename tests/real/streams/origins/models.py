"""An origin that speaks the streaming protocols of two providers of language models."""

import asyncio
import json

from aiohttp import web

from serving import serve


def key_of(request):
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return request.headers.get("x-api-key", bearer)


def words_for(prompt, key):
    """The parts of the answer; the prompt tells which."""
    half = len(key) // 2
    return {
        "plain": ["Gr\u00fc", "\u00df dich", ", ", "\u2713 \U0001f388", "!"],
        "key": ["Your key is ", key, ", is it not?"],
        "key over two": ["Your key is ", key[:half], key[half:], ", is it not?"],
        "slow": [f"word {at} " for at in range(6)],
    }.get(prompt, ["I do not know ", "that."])


async def answer(request, pieces, end, pause):
    """Sends the pieces of an event stream, and its end; at `None` it is cut."""
    response = web.StreamResponse()
    response.headers["content-type"] = "text/event-stream; charset=utf-8"
    response.headers["x-request-id"] = "req-1"
    await response.prepare(request)
    try:
        for piece in pieces:
            if piece is None:
                request.transport.abort()
                return response
            await response.write(piece.encode())
            await asyncio.sleep(pause)
        await response.write(end)
        await response.write_eof()
    except ConnectionError:
        # The client has disconnected.
        pass
    return response


def pause_of(prompt):
    return 0.02 if prompt == "slow" else 0.003


# The chat completions protocol.


def chunk(delta, finish=None, **more):
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000}
    return {**head, "model": "test-1", "choices": [choice], **more}


def tool_call(prompt):
    call = {"index": 0, "id": "call_1", "type": "function"}
    yield chunk({"tool_calls": [{**call, "function": {"name": "weather", "arguments": ""}}]})
    for part in ('{"city"', ': "Z\u00fcr', 'ich"}'):
        yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
    yield chunk({}, "tool_calls")


def chunks(prompt, key):
    yield chunk({"role": "assistant", "content": ""})
    if prompt == "tool":
        yield from tool_call(prompt)
    else:
        for word in words_for(prompt, key):
            yield chunk({"content": word})
        yield chunk({}, "stop")
    yield chunk({}, None, choices=[], usage=usage("prompt_tokens", "completion_tokens"))


def usage(one, other):
    both = {one: 7, other: 5}
    return {**both, "total_tokens": 12} if one == "prompt_tokens" else both


async def completions(request):
    asked = await request.json()
    prompt, key = asked["messages"][-1]["content"], key_of(request)
    if prompt == "refused":
        error = {"message": f"Incorrect API key provided: {key}.", "code": "invalid_api_key"}
        return web.json_response({"error": {**error, "type": "invalid_request_error"}}, status=401)
    if prompt == "limited":
        error = {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}
        headers = {"retry-after": "1", "x-ratelimit-remaining-requests": "0"}
        return web.json_response({"error": error}, status=429, headers=headers)
    if not asked.get("stream"):
        message = {"role": "assistant", "content": "".join(words_for(prompt, key))}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        counted = usage("prompt_tokens", "completion_tokens")
        whole = chunk({}, object="chat.completion", choices=choices, usage=counted)
        return web.json_response(whole)
    return await answer(request, data_lines(prompt, key), b"data: [DONE]\n\n", pause_of(prompt))


def data_lines(prompt, key):
    for at, one in enumerate(chunks(prompt, key)):
        if at == 3 and prompt == "cut":
            yield None
        if at == 3 and prompt == "error":
            one = {"error": {"message": "The server had an error.", "type": "server_error"}}
        yield f"data: {json.dumps(one)}\n\n"


# The messages protocol.


def text_block(at, words):
    yield "content_block_start", {"index": at, "content_block": {"type": "text", "text": ""}}
    for word in words:
        yield "content_block_delta", {"index": at, "delta": {"type": "text_delta", "text": word}}
    yield "content_block_stop", {"index": at}


def tool_block(at):
    tool = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    yield "content_block_start", {"index": at, "content_block": tool}
    for part in ("", '{"city"', ': "Z\u00fcr', 'ich"}'):
        delta = {"type": "input_json_delta", "partial_json": part}
        yield "content_block_delta", {"index": at, "delta": delta}
    yield "content_block_stop", {"index": at}


def events(prompt, key):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "test-1"}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None}
    yield "message_start", {"message": {**message, "usage": usage("input_tokens", "output_tokens")}}
    yield "ping", {}
    yield from text_block(0, words_for(prompt, key))
    if prompt == "tool":
        yield from tool_block(1)
    delta = {"stop_reason": "tool_use" if prompt == "tool" else "end_turn", "stop_sequence": None}
    yield "message_delta", {"delta": delta, "usage": {"output_tokens": 5}}
    yield "message_stop", {}


async def messages(request):
    asked = await request.json()
    prompt, key = asked["messages"][-1]["content"], key_of(request)
    if prompt in ("refused", "limited"):
        kind, status = {
            "refused": ("authentication_error", 401),
            "limited": ("overloaded_error", 529),
        }[prompt]
        error = {"type": kind, "message": f"not with {key}"}
        return web.json_response({"type": "error", "error": error}, status=status)
    if not asked.get("stream"):
        [(_, first), *_] = events(prompt, key)
        whole = first["message"]
        whole["content"] = [{"type": "text", "text": "".join(words_for(prompt, key))}]
        return web.json_response({**whole, "stop_reason": "end_turn"})
    return await answer(request, typed_lines(prompt, key), b"", pause_of(prompt))


def typed_lines(prompt, key):
    for at, (kind, data) in enumerate(events(prompt, key)):
        if at == 4 and prompt == "cut":
            yield None
        if at == 4 and prompt == "error":
            kind, data = "error", {"error": {"type": "overloaded_error", "message": "Overloaded"}}
        yield f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


def application():
    app = web.Application()
    app.router.add_post("/v1/chat/completions", completions)
    app.router.add_post("/v1/messages", messages)
    return app


asyncio.run(serve(application()))
