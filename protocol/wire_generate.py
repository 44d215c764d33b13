"""Asking a worker for an answer, and the events it answers with."""

from dataclasses import dataclass
from typing import Self

from protocol.context import Context, ContextRow, context_rows_json, read_context, read_context_rows
from protocol.ensemble import Ensemble, ensemble_of, members_json, read_members
from protocol.errors import CidError, EnsembleError
from protocol.fields import Fields
from protocol.hashing import to_hex
from protocol.logprobs import TokenScores
from protocol.sampling import Sampling
from protocol.types import MAX_UINT32
from protocol.wire_fields import (
    MAX_FENCE,
    MAX_TEXT,
    MAX_TOKENS,
    NAME,
    VERSION,
    opened,
    optional_cid,
    token_ids,
)

MAX_MESSAGES = 512
ROLES = ("system", "user", "assistant")
FINISH_REASONS = ("stop", "length", "cancelled")

Messages = tuple[tuple[str, str], ...]
"""(role, content) pairs."""


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One assignment to answer: exactly one of messages, prompt and prompt_ids is set. `tenant` is whoever it
    is for: the worker shares itself fairly between tenants, and keeps their prompts apart. `adapter_cid` is
    an adapter's bundle or an ensemble's record; `ensemble` spells its members out; without both, the base.
    `context` are rows to put before what is asked, which then is no prompt of ids.
    """

    request_id: str
    fence: int
    adapter_cid: str | None
    messages: tuple[tuple[str, str], ...] | None
    prompt: str | None
    prompt_ids: tuple[int, ...] | None
    max_tokens: int
    sampling: Sampling
    tenant: str | None = None
    ensemble: Ensemble | None = None
    context: tuple[ContextRow, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain values; the answer is always streamed."""
        return {
            "v": VERSION,
            "request_id": self.request_id,
            "fence": self.fence,
            "adapter_cid": self.adapter_cid,
            "messages": _messages_json(self.messages),
            "prompt": self.prompt,
            "prompt_ids": None if self.prompt_ids is None else list(self.prompt_ids),
            "max_tokens": self.max_tokens,
            "sampling": self.sampling.to_json(),
            "stream": True,
            "tenant": self.tenant,
            "ensemble": None if self.ensemble is None else members_json(self.ensemble),
            "context": context_rows_json(self.context),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "generate")
        messages, prompt, prompt_ids = _read_prompt(fields, with_ids=True)
        request = cls(
            request_id=fields.text("request_id", 128, NAME),
            fence=fields.integer("fence", 0, MAX_FENCE),
            adapter_cid=optional_cid(fields, "adapter_cid"),
            messages=messages,
            prompt=prompt,
            prompt_ids=prompt_ids,
            max_tokens=fields.integer("max_tokens", 1, MAX_TOKENS),
            sampling=Sampling.read(fields.child("sampling")),
            tenant=None if fields.absent("tenant") else fields.text("tenant", 128, NAME),
            ensemble=_read_ensemble(fields),
            context=read_context_rows(fields, "context"),
        )
        if request.adapter_cid is not None and request.ensemble is not None:
            raise fields.wrong("ensemble", "is given beside adapter_cid; name one of them")
        if request.context and request.prompt_ids is not None:
            raise fields.wrong("context", "goes with messages or prompt, not with prompt_ids")
        if not fields.boolean("stream"):
            raise fields.wrong("stream", "answers are always streamed")
        fields.done()
        return request


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One output token: its place, its id and the text it completes (none inside a split character).

    `scores` are there where logprobs were asked for, the end token excepted.
    """

    index: int
    id: int
    text: str
    scores: TokenScores | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        scores = None if self.scores is None else self.scores.to_json()
        return {"v": VERSION, "index": self.index, "id": self.id, "text": self.text, "scores": scores}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "token")
        event = cls(
            fields.integer("index", 0, MAX_TOKENS),
            fields.integer("id", 0, MAX_UINT32),
            fields.text("text", MAX_TEXT),
            None if fields.absent("scores") else TokenScores.read(fields.child("scores")),
        )
        fields.done()
        return event


@dataclass(frozen=True, slots=True)
class GenerateResult:
    """The whole answer. `profile_id` names the arithmetic it was made with (32 bytes); `context` says where
    rows of the Datanet stand in the prompt, None where there are none.
    """

    prompt_ids: tuple[int, ...]
    output_ids: tuple[int, ...]
    text: str
    finish_reason: str
    profile_id: bytes
    context: Context | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "v": VERSION,
            "prompt_ids": list(self.prompt_ids),
            "output_ids": list(self.output_ids),
            "text": self.text,
            "finish_reason": self.finish_reason,
            "profile_id": to_hex(self.profile_id),
            "context": None if self.context is None else self.context.to_json(),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "done")
        result = cls(
            token_ids(fields, "prompt_ids"),
            token_ids(fields, "output_ids"),
            fields.text("text", MAX_TEXT),
            fields.choice("finish_reason", FINISH_REASONS),
            fields.hexadecimal("profile_id", 32),
            read_context(fields, "context"),
        )
        fields.done()
        return result


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """Why a worker will not or cannot go on; `code` is stable, `message` is for people."""

    code: str
    message: str

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"v": VERSION, "code": self.code, "message": self.message}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "error")
        event = cls(fields.text("code", 64, NAME), fields.text("message", 4096))
        fields.done()
        return event


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """Exactly one of messages and prompt is set; `context` as in a GenerateRequest."""

    messages: tuple[tuple[str, str], ...] | None
    prompt: str | None
    context: tuple[ContextRow, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "v": VERSION,
            "messages": _messages_json(self.messages),
            "prompt": self.prompt,
            "context": context_rows_json(self.context),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "tokenize")
        messages, prompt, _ = _read_prompt(fields, with_ids=False)
        context = read_context_rows(fields, "context")
        fields.done()
        return cls(messages, prompt, context)


@dataclass(frozen=True, slots=True)
class TokenizeResult:
    """Token ids of a prompt, as `generate` would see it."""

    ids: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"v": VERSION, "ids": list(self.ids)}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "tokenized")
        result = cls(token_ids(fields, "ids"))
        fields.done()
        return result


def _messages_json(messages: Messages | None) -> list[dict[str, str]] | None:
    return None if messages is None else [{"role": role, "content": content} for role, content in messages]


def _read_messages(fields: Fields) -> Messages | None:
    if fields.absent("messages"):
        return None
    messages = []
    for message in fields.objects("messages", MAX_MESSAGES):
        messages.append((message.choice("role", ROLES), message.text("content", MAX_TEXT)))
        message.done()
    return tuple(messages)


def _read_ensemble(fields: Fields) -> Ensemble | None:
    if fields.absent("ensemble"):
        return None
    try:
        return ensemble_of(read_members(fields, "ensemble"))
    except (CidError, EnsembleError) as error:
        raise fields.wrong("ensemble", str(error)) from error


def _read_prompt(
    fields: Fields, with_ids: bool
) -> tuple[Messages | None, str | None, tuple[int, ...] | None]:
    messages = _read_messages(fields)
    prompt = None if fields.absent("prompt") else fields.text("prompt", MAX_TEXT)
    ids = None if not with_ids or fields.absent("prompt_ids") else token_ids(fields, "prompt_ids")
    if sum(part is not None for part in (messages, prompt, ids)) != 1 or messages == ():
        raise fields.wrong("prompt", "exactly one of messages, prompt and prompt_ids must be given")
    return messages, prompt, ids
