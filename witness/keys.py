"""The witness' own key (Ed25519), and what it signs.

The key file has one line, `PRIVATE+KEY+name+id+base64(0x04 || seed)`, mode 0600. The key signs cosignatures and, with
another beginning, certificates of attestation keys (witness/tpm/enrolment.py).
"""

import base64
import os
import secrets
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from witness.errors import FormError, SetupError
from witness.notes import COSIGNATURE, Signature, VerifierKey, base64_bytes, cosigned

_HEAD = "PRIVATE+KEY+"


class SigningKey:
    """An Ed25519 key with a name."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = VerifierKey.of(name, COSIGNATURE, public)

    @classmethod
    def new(cls, name: str) -> "SigningKey":
        """A key that nobody had before; raises FormError for a name that not everybody reads: other than ASCII."""
        if not all("!" <= each <= "~" for each in name):
            raise FormError("name of a witness: expected letters, digits and signs of ASCII, without blanks")
        return cls(name, secrets.token_bytes(32))

    @property
    def name(self) -> str:
        return self.verifier.name

    def cosign(self, text: str, time: int) -> Signature:
        """The cosignature of this POSIX time over the text of a checkpoint."""
        blob = time.to_bytes(8, "big") + self._key.sign(cosigned(time, text))
        return Signature(self.name, self.verifier.key_id, blob)

    def sign(self, message: bytes) -> bytes:
        """Sign what is no cosignature; raises ValueError for what could be taken for one."""
        if message.startswith(b"cosignature/"):
            raise ValueError("that would be a cosignature")
        return self._key.sign(message)

    def write(self, path: Path) -> None:
        """Write the key file; raises SetupError where a file is already: a key is never written over."""
        encoded = base64.b64encode(bytes([COSIGNATURE]) + self._seed).decode()
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise SetupError(f"{path}: there is a key already") from None
        except OSError as error:
            raise SetupError(f"{path}: {error.strerror}") from error
        with open(handle, "w") as file:  # noqa: PTH123 - the descriptor has the mode from its first moment
            file.write(f"{_HEAD}{self.name}+{self.verifier.key_id.hex()}+{encoded}\n")
            file.flush()
            os.fsync(file.fileno())


def read_key(path: Path) -> SigningKey:
    """Read a key file that nobody else may read; raises SetupError."""
    try:
        text, mode = path.read_text(), stat.S_IMODE(path.stat().st_mode)
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path}: cannot be read: {error}") from error
    if mode & 0o077:
        raise SetupError(f"{path}: others may read it: expected mode 600, got {mode:o}")
    name, _, rest = text.removesuffix("\n").removeprefix(_HEAD).partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        data = base64_bytes(encoded)
        if not text.startswith(_HEAD) or len(data) != 33 or data[0] != COSIGNATURE:
            raise FormError("expected PRIVATE+KEY+name+id+base64")
        key = SigningKey(name, data[1:])
    except FormError as error:
        raise SetupError(f"{path}: no key of a witness: {error}") from error
    if key.verifier.key_id.hex() != key_id:
        raise SetupError(f"{path}: name and key do not belong together: expected the id {key.verifier.key_id.hex()}")
    return key
