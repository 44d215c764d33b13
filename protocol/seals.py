"""What a challenger records before it shows a proof, so that whoever copies the proof earns nothing."""

from protocol.hashing import Keccak, address_word, tag, words
from protocol.types import Address


def seal_digest(challenger: Address, proof: bytes, keccak: Keccak) -> bytes:
    """keccak256(abi.encode(TAG_SEAL, challenger, keccak256(proof))); `proof` is the whole calldata."""
    return keccak(words(tag("seal", keccak), address_word(challenger), keccak(proof)))
