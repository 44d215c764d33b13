"""The JSON of an answer in the two OpenAI forms, whole or in pieces. Pure: no I/O, no clock.

The extra member `openledger` names the request and where its receipt and attribution will be; clients that
do not know it keep or ignore it.
"""

from dataclasses import dataclass
from typing import Literal

from node.serving.live import Finished
from protocol.hashing import to_hex


@dataclass(frozen=True)
class Envelope:
    """What is the same in every piece of one answer. `origin` is this node's public address."""

    form: Literal["chat", "text"]
    request_id: bytes
    model: str
    created: int
    origin: str

    @property
    def answer_id(self) -> str:
        """The id in OpenAI's style."""
        return ("chatcmpl-" if self.form == "chat" else "cmpl-") + self.request_id.hex()

    def links(self) -> dict[str, str]:
        """The `openledger` member."""
        name = to_hex(self.request_id)
        return {
            "request_id": name,
            "receipt_url": f"{self.origin}/v1/receipts/{name}",
            "attribution_url": f"{self.origin}/v1/attribution/{name}",
            "answer_url": f"{self.origin}/answers/{name}",
        }

    def whole(self, text: str, finished: Finished) -> dict[str, object]:
        """The answer of a request that was not streamed."""
        said: dict[str, object] = (
            {"message": {"role": "assistant", "content": text, "refusal": None}}
            if self.form == "chat"
            else {"text": text}
        )
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": finished.finish_reason}
        name = "chat.completion" if self.form == "chat" else "text_completion"
        return {
            **self._head(name),
            "choices": [choice],
            "usage": usage(finished),
            "openledger": {**self.links(), "price": str(finished.price)},
        }

    def opening(self) -> dict[str, object] | None:
        """A chat stream begins with the role; a text stream with its text."""
        if self.form == "text":
            return None
        return self._chunk({"delta": {"role": "assistant", "content": ""}}, None)

    def piece(self, text: str) -> dict[str, object]:
        """Some more text."""
        return self._chunk({"delta": {"content": text}} if self.form == "chat" else {"text": text}, None)

    def last(self, finished: Finished) -> dict[str, object]:
        """The chunk with the finish reason; it carries `openledger`."""
        chunk = self._chunk({"delta": {}} if self.form == "chat" else {"text": ""}, finished.finish_reason)
        return {**chunk, "openledger": {**self.links(), "price": str(finished.price)}}

    def usage_chunk(self, finished: Finished) -> dict[str, object]:
        """The chunk without choices that `stream_options.include_usage` asks for."""
        return {**self._head(self._chunk_name()), "choices": [], "usage": usage(finished)}

    def _chunk(self, said: dict[str, object], reason: str | None) -> dict[str, object]:
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": reason}
        return {**self._head(self._chunk_name()), "choices": [choice]}

    def _chunk_name(self) -> str:
        return "chat.completion.chunk" if self.form == "chat" else "text_completion"

    def _head(self, name: str) -> dict[str, object]:
        return {"id": self.answer_id, "object": name, "created": self.created, "model": self.model}


def usage(finished: Finished) -> dict[str, int]:
    """Token counts as billed."""
    return {
        "prompt_tokens": finished.prompt_tokens,
        "completion_tokens": finished.output_tokens,
        "total_tokens": finished.prompt_tokens + finished.output_tokens,
    }
