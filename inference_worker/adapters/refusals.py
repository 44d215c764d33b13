"""Every reason for which an adapter is refused, as a type of its own with a stable code.

A refusal is about the bytes: the same bundle is refused for ever, so the loader may quarantine its content
id.
"""

from __future__ import annotations

from inference_worker.errors import WorkerError


class AdapterRefused(WorkerError):
    """Base of the refusals; `code` tells them apart on the wire."""

    code = "adapter_refused"

    def __init__(self, message: str) -> None:
        # What it quotes is the stranger's, and operators read it in terminals.
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))


class FileNotAllowed(AdapterRefused):
    """The bundle holds a file outside the allow-list; pickles and code come in this way."""

    code = "adapter_file_not_allowed"

    def __init__(self, name: str) -> None:
        super().__init__(f"file {name!r} is not on the allow-list")
        self.name = name


class FileMissing(AdapterRefused):
    """A file that every adapter needs is absent."""

    code = "adapter_file_missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"file {name!r} is missing")
        self.name = name


class OverCap(AdapterRefused):
    """A size, rank or count above what this worker takes."""

    code = "adapter_over_cap"

    def __init__(self, what: str, actual: int, cap: int) -> None:
        super().__init__(f"{what} is {actual}, the cap is {cap}")
        self.what, self.actual, self.cap = what, actual, cap


class BundleMalformed(AdapterRefused):
    """The bundle's list of files does not parse or does not fit the bytes."""

    code = "adapter_bundle_malformed"

    def __init__(self, what: str) -> None:
        super().__init__(f"bundle: {what}")
        self.what = what


class ConfigMalformed(AdapterRefused):
    """`adapter_config.json` is not a JSON object of the expected types."""

    code = "adapter_config_malformed"

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"config {key!r}: {what}")
        self.key, self.what = key, what


class ConfigKeyUnknown(AdapterRefused):
    """A key outside the schema; an unknown key may change the computation."""

    code = "adapter_config_key_unknown"

    def __init__(self, key: str) -> None:
        super().__init__(f"config key {key!r} is not in the schema")
        self.key = key


class FeatureUnsupported(AdapterRefused):
    """A known PEFT feature that this engine would compute wrongly."""

    code = "adapter_feature_unsupported"

    def __init__(self, key: str, value: object) -> None:
        super().__init__(f"{key}={value!r} is not served here")
        self.key, self.value = key, value


class TensorFileMalformed(AdapterRefused):
    """The weights file is not well-formed safetensors: truncated, overlapping, a pickle, an odd dtype."""

    code = "adapter_tensor_file_malformed"

    def __init__(self, what: str) -> None:
        super().__init__(f"safetensors: {what}")
        self.what = what


class TensorUnexpected(AdapterRefused):
    """A tensor that no target module of the config explains."""

    code = "adapter_tensor_unexpected"

    def __init__(self, name: str) -> None:
        super().__init__(f"tensor {name!r} is not part of the configured adapter")
        self.name = name


class PairIncomplete(AdapterRefused):
    """A lora_A without its lora_B, or the reverse, or a configured module without both."""

    code = "adapter_pair_incomplete"

    def __init__(self, name: str) -> None:
        super().__init__(f"tensor {name!r} is missing")
        self.name = name


class ShapeMismatch(AdapterRefused):
    """A tensor's shape is not the one the base and the rank demand."""

    code = "adapter_shape_mismatch"

    def __init__(self, name: str, expected: tuple[int, ...], actual: tuple[int, ...]) -> None:
        super().__init__(f"tensor {name!r}: expected {expected}, got {actual}")
        self.name, self.expected, self.actual = name, expected, actual


class NotFinite(AdapterRefused):
    """A weight is NaN or infinite."""

    code = "adapter_not_finite"

    def __init__(self, name: str) -> None:
        super().__init__(f"tensor {name!r} holds NaN or infinity")
        self.name = name


class WrongBase(AdapterRefused):
    """The adapter was trained on another base model."""

    code = "adapter_wrong_base"

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"adapter is for base {actual}, this worker serves {expected}")
        self.expected, self.actual = expected, actual


class NotLinear(AdapterRefused):
    """An adapter that a weighted sum has no one meaning for."""

    code = "ensemble_not_linear"

    def __init__(self, cid: str, why: str) -> None:
        super().__init__(f"adapter {cid} {why}; ask for it alone")
        self.cid = cid


class MemberRefused(AdapterRefused):
    """An ensemble is not served because one of its members is not."""

    code = "ensemble_member_refused"

    def __init__(self, cid: str, refusal: AdapterRefused) -> None:
        super().__init__(f"member {cid}: {refusal.code}: {refusal}")
        self.cid, self.refusal = cid, refusal


class BrokeWhileServing(AdapterRefused):
    """The adapter's own row produced logits that are not finite."""

    code = "adapter_broke_while_serving"

    def __init__(self, cid: str) -> None:
        super().__init__(f"adapter {cid} produced logits that are not finite")
        self.cid = cid
