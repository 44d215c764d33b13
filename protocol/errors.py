"""Everything the rules refuse, in one tree; each error carries the values that disagree.

ProtocolError (a ValueError)
├── EncodingError     a value does not fit its word, hex form or range
├── JsonError         bytes are not the strict JSON we accept, or a value has no canonical form
├── FieldError        a record's field is missing, unknown, of the wrong type or out of range
│   ├── WireError     the same, in a message between node and worker
│   └── SchemaRefused  an answer's JSON schema is outside the subset that is offered
├── CidError          not one of the CIDs we accept
├── DagError          a UnixFS graph is corrupt, over its caps or outside the profile
├── ManifestError     rows, clusters or labour contradict each other
├── EnsembleError     members or weights make no ensemble
├── TensorFileError   a weights file is not the strict safetensors we accept
│   └── TensorFileOverCap  its header or its number of tensors is above the cap
├── SharesDoNotSum    parts that must make a whole do not
├── AttributionError  a lane or report is inconsistent
├── ContextError      places of rows that cannot be in one prompt
└── SettlementError   statements cannot make one commitment
"""


class ProtocolError(ValueError):
    """Base of all refusals in `protocol`."""


class EncodingError(ProtocolError):
    """A value does not fit the encoding asked for."""


class JsonError(ProtocolError):
    """Bytes that are not strict JSON, or a value without a canonical form."""


class FieldError(ProtocolError):
    """One field of a record is wrong; `field` is its path, e.g. `rows[3].owner`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class WireError(FieldError):
    """A node-worker message was refused because of `field`."""


class SchemaRefused(FieldError):
    """An answer's JSON schema is outside the subset that is offered; `field` is the path to what is wrong."""


class CidError(ProtocolError):
    """Text or bytes that are not a CID of the accepted kinds."""


class DagError(ProtocolError):
    """A UnixFS graph that must not be believed."""


class ManifestError(ProtocolError):
    """A dataset manifest that contradicts itself."""


class EnsembleError(ProtocolError):
    """Members or weights that make no ensemble."""

    def __init__(self, what: str, expected: object, actual: object) -> None:
        super().__init__(f"ensemble: {what} must be {expected}, not {actual}")
        self.what = what
        self.expected = expected
        self.actual = actual


class TensorFileError(ProtocolError):
    """A weights file that no tensor library should be shown."""


class TensorFileOverCap(TensorFileError):
    """A weights file asks for more than its reader allows."""

    def __init__(self, what: str, actual: int, cap: int) -> None:
        super().__init__(f"{what}: {actual}, at most {cap} accepted")
        self.what = what
        self.actual = actual
        self.cap = cap


class SharesDoNotSum(ProtocolError):
    """Parts do not add up to the whole they must make."""

    def __init__(self, what: str, expected: int, actual: int) -> None:
        super().__init__(f"{what} must sum to {expected}, but sum to {actual}")
        self.expected = expected
        self.actual = actual


class AttributionError(ProtocolError):
    """Lane units or a report that cannot be merged or paid."""


class ContextError(ProtocolError):
    """Places of rows that cannot be in one prompt."""


class SettlementError(ProtocolError):
    """Statements, lines or roots that cannot belong to one epoch."""
