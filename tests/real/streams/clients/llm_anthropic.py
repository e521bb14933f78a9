"""Asks a language model with the SDK `anthropic`. Usage: llm_anthropic.py BASE SESSION SECRETS.

The session is told by the path: a base URL is all that some programs can be given.
"""

import json
import sys

from anthropic import Anthropic, APIError

PROMPTS = ["plain", "slow", "key", "key over two", "tool", "error", "cut", "refused", "limited"]


def asked(prompt):
    messages = [{"role": "user", "content": prompt}]
    return {"model": "test-1", "max_tokens": 100, "messages": messages}


def dump(model):
    return model.model_dump(mode="json", exclude_unset=True)


def streamed(client, prompt):
    """The events, and what the SDK made of them."""
    seen = {"name": prompt, "events": [], "message": None, "exception": None}
    split = prompt == "key over two"
    try:
        with client.messages.stream(**asked(prompt)) as stream:
            seen["events"] = events = []
            for event in stream:
                # A placeholder is split at other places than its secret.
                events.append(event.type if split else dump(event))
            seen["message"] = dump(stream.get_final_message())
            seen["request"] = stream.request_id
    except Exception as error:
        # A connection that ends early is an error of the SDK's HTTP library.
        seen["exception"] = fault(error)
    return seen


def raw(client, prompt):
    """The events as they come; the client leaves after four."""
    types = []
    with client.messages.create(**asked(prompt), stream=True) as stream:
        for event in stream:
            types.append(event.type)
            if len(types) == 4:
                break
    return {"name": f"{prompt}, left", "types": types}


def whole(client, prompt):
    return {"name": f"{prompt}, whole", "answer": dump(client.messages.create(**asked(prompt)))}


def fault(error):
    known = isinstance(error, APIError)
    return {
        "type": type(error).__name__,
        "message": str(error),
        "status": getattr(error, "status_code", None),
        "body": error.body if known else None,
        "request": getattr(error, "request_id", None),
    }


def main():
    base, session, secrets = sys.argv[1:4]
    client = Anthropic(
        base_url=f"{base}/__ouli/session/{session}" if session != "direct" else base,
        api_key=json.loads(secrets)["key"],
        max_retries=0,
        timeout=10,
    )
    seen = [streamed(client, prompt) for prompt in PROMPTS]
    seen += [whole(client, "plain"), whole(client, "key"), raw(client, "slow")]
    # The same request again is another exchange.
    seen.append({**streamed(client, "plain"), "name": "plain again"})
    json.dump({"session": session, "seen": seen}, sys.stdout, indent=1)


main()
