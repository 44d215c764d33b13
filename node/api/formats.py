"""The JSON of an answer in the two OpenAI forms, whole or in pieces. Pure: no I/O, no clock.

The extra member `openledger` names the request and where its receipt and attribution will be; clients that
do not know it keep or ignore it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from node.api.logprobs import chat_logprobs, text_logprobs
from node.serving.live import Finished, Token
from protocol.hashing import to_hex


@dataclass(frozen=True)
class Envelope:
    """What is the same in every piece of one answer. `origin` is this node's public address, `logprobs`
    whether the client asked for them; `chosen` why the node took this model, where the client left it to us;
    `retrieved` the rows in the prompt, None where none were asked for.
    """

    form: Literal["chat", "text"]
    request_id: bytes
    model: str
    created: int
    origin: str
    logprobs: bool = False
    chosen: str = ""
    retrieved: tuple[int, ...] | None = None

    @property
    def answer_id(self) -> str:
        """The id in OpenAI's style."""
        return ("chatcmpl-" if self.form == "chat" else "cmpl-") + self.request_id.hex()

    def links(self) -> dict[str, object]:
        """The `openledger` member."""
        name = to_hex(self.request_id)
        return {
            "request_id": name,
            "receipt_url": f"{self.origin}/v1/receipts/{name}",
            "attribution_url": f"{self.origin}/v1/attribution/{name}",
            "answer_url": f"{self.origin}/answers/{name}",
            **({} if self.retrieved is None else {"retrieved": list(self.retrieved)}),
            **({"auto": {"model": self.model, "reason": self.chosen}} if self.chosen else {}),
        }

    def whole(self, tokens: Sequence[Token], finished: Finished) -> dict[str, object]:
        """The answer of a request that was not streamed."""
        text = "".join(token.text for token in tokens)
        said: dict[str, object] = (
            {"message": {"role": "assistant", "content": text, "refusal": None}}
            if self.form == "chat"
            else {"text": text}
        )
        logprobs = self._logprobs(tokens, 0)
        choice = {"index": 0, **said, "logprobs": logprobs, "finish_reason": finished.finish_reason}
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

    def piece(self, token: Token, offset: int) -> dict[str, object] | None:
        """One more token, `offset` characters into the text; None where it has nothing to tell."""
        if not token.text and not (self.logprobs and token.scores is not None):
            return None
        said: dict[str, object] = {"text": token.text}
        if self.form == "chat":
            said = {"delta": {"content": token.text}}
        return self._chunk(said, None, self._logprobs([token], offset))

    def last(self, finished: Finished) -> dict[str, object]:
        """The chunk with the finish reason; it carries `openledger`."""
        chunk = self._chunk({"delta": {}} if self.form == "chat" else {"text": ""}, finished.finish_reason)
        return {**chunk, "openledger": {**self.links(), "price": str(finished.price)}}

    def usage_chunk(self, finished: Finished) -> dict[str, object]:
        """The chunk without choices that `stream_options.include_usage` asks for."""
        return {**self._head(self._chunk_name()), "choices": [], "usage": usage(finished)}

    def _logprobs(self, tokens: Sequence[Token], offset: int) -> dict[str, object] | None:
        if not self.logprobs:
            return None
        return chat_logprobs(tokens) if self.form == "chat" else text_logprobs(tokens, offset)

    def _chunk(
        self, said: dict[str, object], reason: str | None, logprobs: dict[str, object] | None = None
    ) -> dict[str, object]:
        choice = {"index": 0, **said, "logprobs": logprobs, "finish_reason": reason}
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
