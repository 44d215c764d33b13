"""Whatever the logits say, an answer under a schema is whole JSON that fits it, within any token limit.

Random logits stand for the worst adapter there is. The tokens are those of the real base's tokenizer, and
once those of plain bytes.
"""

import json

import pytest
import torch

from inference_worker.base.load import load_tokenizer
from inference_worker.engine.chooser import Chooser
from inference_worker.engine.closing import Place, place_after
from inference_worker.engine.grammar import CACHED_GRAMMARS, GrammarCompiler
from inference_worker.engine.prompt import PromptEncoder
from inference_worker.errors import RequestInvalid
from protocol.json_schema import ANY_OBJECT, check_schema, schema_text
from tests.inference_worker.engine.requests import sampled
from tests.inference_worker.engine.schema_reference import fits
from tests.inference_worker.running_worker import byte_tokenizer
from tests.inference_worker.tiny_base import real_base_folder

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 30},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "bé", 3, None]}, "maxItems": 3},
        "rest": {"type": "object", "additionalProperties": {"type": "boolean"}},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
CHAIN = {
    "type": "object",
    "properties": {"first": {"$ref": "#/$defs/link"}},
    "required": ["first"],
    "$defs": {
        "link": {
            "type": "object",
            "properties": {
                "weight": {"type": "number", "exclusiveMinimum": 0, "maximum": 2.5},
                "next": {"anyOf": [{"$ref": "#/$defs/link"}, {"type": "null"}]},
            },
            "required": ["weight", "next"],
            "additionalProperties": False,
        }
    },
}
CODES = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "pattern": "^[A-Z][0-9]{2}(\\.[0-9]{1,3})?$"},
        "words": {"type": "array", "items": {"type": "string", "minLength": 4}, "minItems": 2},
        "day": {"type": "string", "format": "date"},
        "kind": {"const": 'x"\\\n\té'},
    },
    "required": ["code", "words", "day", "kind"],
    "additionalProperties": False,
}
SCHEMAS = {"any": json.loads(ANY_OBJECT), "person": PERSON, "chain": CHAIN, "codes": CODES}


@pytest.fixture(scope="module")
def real():
    torch.set_num_threads(1)
    tokenizer = load_tokenizer(real_base_folder())
    return PromptEncoder(tokenizer, len(tokenizer)), GrammarCompiler(tokenizer, len(tokenizer))


@pytest.fixture(scope="module")
def plain():
    tokenizer = byte_tokenizer()
    return PromptEncoder(tokenizer, len(tokenizer)), GrammarCompiler(tokenizer, len(tokenizer))


def answer(prompts, grammars, schema, seed, max_tokens, **options):
    """Text and ids of an answer drawn from random logits, and whether it ended by itself."""
    grammar = grammars.compile(schema_text(schema), max_tokens)
    params = sampled(max_tokens, grammar, seed=seed, **options)
    chooser, noise = Chooser(params, (1,)), torch.Generator().manual_seed(seed)
    ids, end = [], int(prompts.tokenizer.eos_token_id)
    while len(ids) < max_tokens and end not in ids:
        ids.append(chooser.choose(3 * torch.randn(prompts.vocab, generator=noise), len(ids)).token)
    return prompts.decoder()(ids), ids, end in ids


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("room", [0, 1, 6, 40])
@pytest.mark.parametrize(("seed", "temperature"), [(1, 0.0), (2, 1.0), (3, 2.0)])
def test_any_logits_give_a_whole_value_that_fits(real, name, room, seed, temperature):
    """SPEC 4.143, 4.144: `room` tokens more than the shortest value takes."""
    schema = SCHEMAS[name]
    shortest = len(real[1].compile(schema_text(schema), 1000).shortest)
    text, ids, _ = answer(*real, schema, seed, shortest + room, temperature=temperature)
    assert fits(json.loads(text), schema), text
    assert len(ids) <= shortest + room


@pytest.mark.parametrize("name", SCHEMAS)
def test_bytes_as_tokens_give_a_whole_value_that_fits(plain, name):
    """SPEC 4.144: every token limit from the least on, and so a limit at every place of an answer."""
    schema = SCHEMAS[name]
    shortest = len(plain[1].compile(schema_text(schema), 1000).shortest)
    for room in range(0, 40, 3):
        text, _, _ = answer(*plain, schema, room, shortest + room, temperature=1.0)
        assert fits(json.loads(text), schema), text


def test_the_same_seed_gives_the_same_answer(real):
    """SPEC 4.20"""
    one, again = (answer(*real, PERSON, 5, 60, temperature=1.5) for _ in range(2))
    assert one == again
    assert one != answer(*real, PERSON, 6, 60, temperature=1.5)


def test_a_bias_against_every_closing_token_changes_nothing_of_it(real):
    """SPEC 4.144"""
    prompts, _ = real
    closing = {prompts.encode(None, text)[0] for text in ('"', "}", "]", '"}', '"]')}
    against = tuple(sorted((token, -100.0) for token in closing))
    text, ids, ended = answer(*real, PERSON, 3, 50, temperature=1.0, logit_bias=against)
    assert fits(json.loads(text), PERSON), text
    assert ended or len(ids) == 50


def test_no_control_token_is_in_an_answer(real):
    """SPEC 4.143: their spelling is text to a naive reading of the vocabulary."""
    prompts, _ = real
    control = set(prompts.tokenizer.added_tokens_decoder)
    for seed in range(3):
        _, ids, ended = answer(*real, SCHEMAS["any"], seed, 80, temperature=2.0)
        assert not control & set(ids[:-1] if ended else ids)


def test_token_bytes_are_those_of_the_tokenizers_own_decoding(real):
    """SPEC 4.141"""
    prompts, grammars = real
    tokenizer = prompts.tokenizer
    for token in range(0, prompts.vocab, 7):
        assert grammars.bytes_of(token).decode("utf-8", "replace") == tokenizer.decode([token]), token


@pytest.mark.parametrize(
    ("schema", "max_tokens", "field"),
    [
        (PERSON, 8, "max_tokens"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"],
          "$defs": {"a": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]}}},
         5000, "json_schema"),
        ({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}, 50, "json_schema"),
        ({"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)y"}}}, 50, "json_schema"),
        ({"type": "object", "properties": {"a": {"type": "integer", "minimum": 5, "maximum": 3}},
          "required": ["a"]}, 50, "json_schema"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, 50, "json_schema"),
    ],
    ids=["limit too low", "endless", "bad pattern", "look-ahead", "empty range", "never"],
)  # fmt: skip
def test_a_schema_that_cannot_be_kept_is_refused_before_anything_runs(plain, schema, max_tokens, field):
    """SPEC 4.145"""
    check_schema(schema_text(schema))
    with pytest.raises(RequestInvalid) as refused:
        plain[1].compile(schema_text(schema), max_tokens)
    assert refused.value.field == field


HOSTILE = {
    "blow-up": {"type": "string", "pattern": "(a?){64}(a?){64}a{99}"},
    "nested repeats": {"type": "string", "pattern": "((a{1,99}){1,99}){1,99}"},
    "look-behind of a kind": {"type": "string", "pattern": ".*a.{200}"},
    "alternatives": {"anyOf": [{"type": "string", "pattern": f"^(x|y)*{i}$"} for i in range(300)]},
    "long arrays": {"type": "array", "items": {"type": "array", "items": {"enum": [1]}, "minItems": 256},
                    "minItems": 256},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_schemas_are_compiled_within_their_limits_or_refused(plain, name):
    """SPEC 4.145"""
    schema = {"type": "object", "properties": {"a": HOSTILE[name]}, "required": ["a"]}
    check_schema(schema_text(schema))
    try:
        text, _, _ = answer(*plain, schema, 1, 600, temperature=1.0)
    except RequestInvalid:
        return
    assert fits(json.loads(text), schema)


def test_compiled_grammars_are_kept_in_bounded_number(plain):
    """SPEC 4.145"""
    grammars = plain[1]
    first = grammars.compile(ANY_OBJECT, 10)
    assert grammars.compile(ANY_OBJECT, 10) is first
    for index in range(CACHED_GRAMMARS):
        grammars.compile(schema_text({"type": "object", "title": str(index)}), 10)
    assert len(grammars._known) == CACHED_GRAMMARS
    assert grammars.compile(ANY_OBJECT, 10) is not first


@pytest.mark.parametrize("text", ['{"a":"', '{"a":"b\\\\"', '"\\"', '"x\\\\\\"é', "[1,", '"\\'])
def test_the_place_in_json_follows_from_any_cut_of_its_bytes(text):
    """SPEC 4.144"""
    data = text.encode()
    whole = place_after(Place.OUTSIDE, data)
    for cut in range(len(data)):
        assert place_after(place_after(Place.OUTSIDE, data[:cut]), data[cut:]) is whole
