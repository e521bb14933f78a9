"""Asks a language model with the SDK `openai`. Usage: llm_openai.py BASE SESSION SECRETS."""

import json
import sys

import httpx
from openai import APIError, OpenAI

PROMPTS = ["plain", "slow", "key", "key over two", "tool", "error", "cut", "refused", "limited"]


def asked(client, prompt, **more):
    messages = [{"role": "user", "content": prompt}]
    return client.chat.completions.create(model="test-1", messages=messages, **more)


def streamed(client, prompt):
    """The chunks; where a secret is split over two, what they give together."""
    seen = {"name": prompt, "chunks": [], "exception": None}
    try:
        for chunk in asked(client, prompt, stream=True, stream_options={"include_usage": True}):
            seen["chunks"].append(chunk.model_dump(mode="json", exclude_unset=True))
    except (APIError, httpx.HTTPError) as error:
        seen["exception"] = fault(error)
    choices = [choice for chunk in seen["chunks"] for choice in chunk["choices"]]
    seen["text"] = "".join(choice["delta"].get("content") or "" for choice in choices)
    if prompt == "key over two":
        seen["chunks"] = len(seen["chunks"])
    return seen


def left(client, prompt):
    """Leaves after three chunks."""
    texts = []
    with asked(client, prompt, stream=True) as stream:
        for chunk in stream:
            texts.append(chunk.choices[0].delta.content)
            if len(texts) == 3:
                break
    return {"name": f"{prompt}, left", "texts": texts}


def whole(client, prompt):
    answer = asked(client, prompt).model_dump(mode="json", exclude_unset=True)
    return {"name": f"{prompt}, whole", "answer": answer}


def fault(error):
    body = getattr(error, "body", None)
    return {
        "type": type(error).__name__,
        "message": str(error),
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "body": body if isinstance(body, dict) else str(body),
        "request": getattr(error, "request_id", None),
    }


def main():
    base, session, secrets = sys.argv[1:4]
    client = OpenAI(
        base_url=f"{base}/v1",
        api_key=json.loads(secrets)["key"],
        default_headers={"ouli-session": session},
        max_retries=0,
        timeout=10,
        http_client=httpx.Client(trust_env=False),
    )
    seen = [streamed(client, prompt) for prompt in PROMPTS]
    seen += [whole(client, "plain"), whole(client, "key"), left(client, "slow")]
    # The same request again is another exchange.
    seen.append({**streamed(client, "plain"), "name": "plain again"})
    json.dump({"session": session, "seen": seen}, sys.stdout, indent=1)


main()
