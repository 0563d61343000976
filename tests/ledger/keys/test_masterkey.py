"""The master key's forms: what fits opens, everything else is refused by name, and the file is whole or refused."""

import base64
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ledger.errors import MasterKeyBusy, MasterKeyMissing, RecoveryKeyError
from ledger.keys import file as keyfile
from ledger.keys import master_key
from ledger.keys.file import KeyFile
from ledger.keys.master_key import PlainMaster, SealedMaster, Secret

KEY, KEY_ID = bytes(range(32)), b"k" * 16


def new_secret() -> Secret:
    return Secret.new(os.urandom(32))


def sealed_master(secret: Secret, recovery_key: X25519PrivateKey) -> SealedMaster:
    public = recovery_key.public_key()
    return SealedMaster(
        id=secret.id,
        public=secret.public,
        made_at="2026-11-23T09:00:00+00:00",
        sealed=f"ledger-master-{secret.id}-0a0b0c0d",
        policy="release",
        recovery=master_key.recovery_wrap(secret, public),
        recovery_key=master_key.fingerprint(public),
    )


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


# --- data keys


def test_what_the_public_half_wraps_the_secret_opens() -> None:
    secret = new_secret()
    one, other = (master_key.wrap(secret.public, KEY_ID, KEY) for _ in range(2))
    assert one != other and len(one) == 80 and KEY not in one
    assert secret.unwrap(KEY_ID, one) == secret.unwrap(KEY_ID, other) == KEY
    again = Secret.from_bytes(secret.to_bytes())
    assert (again.unwrap(KEY_ID, one), again.id, again.directory) == (KEY, secret.id, secret.directory)


def test_nothing_else_opens_it() -> None:
    secret = new_secret()
    wrapped = master_key.wrap(secret.public, KEY_ID, KEY)
    wrong = [(b"j" * 16, wrapped), (KEY_ID, b""), (KEY_ID, wrapped[:-1]), (KEY_ID, wrapped + b"\0")]
    wrong += [(KEY_ID, flipped(wrapped, position)) for position in range(len(wrapped))]
    for key_id, data in wrong:
        with pytest.raises(MasterKeyMissing, match="does not fit"):
            secret.unwrap(key_id, data)
    with pytest.raises(MasterKeyMissing, match="does not fit"):
        new_secret().unwrap(KEY_ID, wrapped)


def test_nothing_secret_is_shown_by_accident() -> None:
    secret = new_secret()
    plain = PlainMaster("0011223344556677", os.urandom(32), secret.directory)
    for shown in (repr(secret), repr(plain), str(secret)):
        assert "b'" not in shown and "X25519" not in shown


def test_version_1_stays_readable() -> None:
    plain = PlainMaster("0011223344556677", os.urandom(32), os.urandom(32))
    wrapped = plain.wrap(KEY_ID, KEY)
    assert plain.unwrap(KEY_ID, wrapped) == KEY
    for key_id, data in [(b"j" * 16, wrapped), (KEY_ID, flipped(wrapped, 20)), (KEY_ID, b"")]:
        with pytest.raises(MasterKeyMissing, match="does not fit"):
            plain.unwrap(key_id, data)


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"[]", b"5", b"{}", b'{"format": "other"}', b'{"format": "evportal-master-key/1"}', b"\xff\xfe"],
)
def test_what_is_no_secret_is_refused(document: bytes) -> None:
    with pytest.raises(MasterKeyMissing, match="expected a master key"):
        Secret.from_bytes(document)


def test_a_damaged_secret_is_refused_and_not_told() -> None:
    secret = new_secret()
    content = json.loads(secret.to_bytes())
    for name in ("private", "directory"):
        for value in ("", "AAAA", "?", 5, None):
            with pytest.raises(MasterKeyMissing) as refused:
                Secret.from_bytes(json.dumps({**content, name: value}).encode())
            assert content["private"] not in str(refused.value) and refused.value.__cause__ is None


# --- the recovery key


def test_the_recovery_key_opens_its_copy_and_no_other_does() -> None:
    secret, recovery_key = new_secret(), X25519PrivateKey.generate()
    master = sealed_master(secret, recovery_key)
    assert master_key.recovery_open(master, recovery_key).to_bytes() == secret.to_bytes()
    other = X25519PrivateKey.generate()
    with pytest.raises(RecoveryKeyError, match="was wrapped for recovery key") as refused:
        master_key.recovery_open(master, other)
    for key in (recovery_key, other):
        assert master_key.fingerprint(key.public_key()) in str(refused.value)
    pretended = replace(master, recovery_key=master_key.fingerprint(other.public_key()))
    with pytest.raises(RecoveryKeyError, match="altered"):
        master_key.recovery_open(pretended, other)


def test_an_altered_recovery_copy_is_refused() -> None:
    secret, recovery_key = new_secret(), X25519PrivateKey.generate()
    master = sealed_master(secret, recovery_key)
    for position in range(0, len(master.recovery), 7):
        with pytest.raises(RecoveryKeyError, match="altered"):
            master_key.recovery_open(replace(master, recovery=flipped(master.recovery, position)), recovery_key)
    another = sealed_master(new_secret(), recovery_key)
    with pytest.raises(RecoveryKeyError, match="altered"):
        master_key.recovery_open(replace(master, recovery=another.recovery), recovery_key)
    forged = master_key._SUITE.encrypt(
        new_secret().to_bytes(), recovery_key.public_key(), master_key._RECOVERY_INFO + master.id.encode()
    )
    with pytest.raises(RecoveryKeyError, match="holds another key"):
        master_key.recovery_open(replace(master, recovery=forged), recovery_key)


def test_a_recovery_key_with_a_passphrase() -> None:
    private, public = master_key.recovery_key_new(b"correct horse")
    assert master_key.recovery_private_is_encrypted(private)
    key = master_key.recovery_private_load(private, b"correct horse")
    expected = master_key.fingerprint(master_key.recovery_public_load(public.decode()))
    assert master_key.fingerprint(key.public_key()) == expected
    with pytest.raises(RecoveryKeyError, match="passphrase is wrong"):
        master_key.recovery_private_load(private, b"wrong horse")
    with pytest.raises(RecoveryKeyError, match=r"[Pp]assword"):
        master_key.recovery_private_load(private)


def test_other_keys_and_no_keys_are_named() -> None:
    other = generate_private_key(SECP256R1())
    private = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(RecoveryKeyError, match="expected an X25519 key, got EC"):
        master_key.recovery_private_load(private)
    with pytest.raises(RecoveryKeyError, match="expected an X25519 key, got EC"):
        master_key.recovery_public_load(public)
    ours, ours_public = master_key.recovery_key_new()
    for text in ("", "hello", ours.decode(), ours_public.decode()[:40]):
        with pytest.raises(RecoveryKeyError, match="expected a PEM"):
            master_key.recovery_public_load(text)
    for data in (b"", b"hello", ours_public, ours[:60]):
        with pytest.raises(RecoveryKeyError, match="expected a PEM"):
            master_key.recovery_private_load(data)


# --- the file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "master_keys"


def write(path: Path, file: KeyFile) -> None:
    with keyfile.locked(path, wait_s=1):
        keyfile.write(path, file)


def test_the_file_comes_back_as_it_was_written(path: Path) -> None:
    assert keyfile.read(path) == KeyFile()
    secret, recovery_key = new_secret(), X25519PrivateKey.generate()
    plain = PlainMaster("0011223344556677", os.urandom(32), secret.directory)
    file = KeyFile((plain, sealed_master(secret, recovery_key)), ("ledger-master-x", "ledger-master-y"))
    write(path, file)
    assert keyfile.read(path) == file
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    write(path, replace(file, masters=file.masters[1:]))
    text = path.read_text()
    for hidden in (secret.private.private_bytes_raw(), secret.directory):
        assert hidden.hex() not in text and base64.b64encode(hidden).decode() not in text


def test_a_file_of_version_1_is_read(path: Path) -> None:
    path.parent.mkdir()
    keys = [os.urandom(32) for _ in range(3)]
    content = {
        "directory": keys[0].hex(),
        "master": [{"id": "aa", "key": keys[1].hex()}, {"id": "bb", "key": keys[2].hex()}],
    }
    path.write_text(json.dumps(content))
    expected = (PlainMaster("aa", keys[1], keys[0]), PlainMaster("bb", keys[2], keys[0]))
    assert keyfile.read(path) == KeyFile(expected)


def test_a_truncated_file_is_refused_wherever_it_ends(path: Path) -> None:
    write(path, KeyFile((sealed_master(new_secret(), X25519PrivateKey.generate()),)))
    whole = path.read_text()
    for length in range(len(whole)):
        path.write_text(whole[:length])
        with pytest.raises(MasterKeyMissing, match="put it back"):
            keyfile.read(path)


def test_an_altered_file_is_refused(path: Path) -> None:
    write(path, KeyFile((sealed_master(new_secret(), X25519PrivateKey.generate()),)))
    content = json.loads(path.read_text())
    (master,) = content["masters"]
    other = new_secret()
    altered: list[object] = [{**content, "version": 3}, {**content, "masters": 5}, {"masters": []}, [], 5, None]
    altered += [{**content, "masters": [{**master, name: None}]} for name in ("public", "recovery")]
    altered += [{**content, "masters": [{key: master[key] for key in master if key != name}]} for name in master]
    altered += [{**content, "masters": [{**master, "public": base64.b64encode(other.public).decode()}]}]
    altered += [{**content, "masters": [{**master, "id": other.id}]}]
    for wrong in altered:
        path.write_text(json.dumps(wrong))
        with pytest.raises(MasterKeyMissing, match="put it back"):
            keyfile.read(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MasterKeyMissing, match="put it back"):
        keyfile.read(path)


def test_what_cannot_be_read_or_written_is_named(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(MasterKeyMissing, match="cannot be read: Is a directory"):
        keyfile.read(path)
    with pytest.raises(MasterKeyMissing, match="cannot be written"):
        keyfile.write(path, KeyFile())
    with pytest.raises(MasterKeyMissing, match="cannot be written"), keyfile.locked(Path(os.devnull) / "x", wait_s=0):
        pass


def test_only_one_at_a_time_writes(path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with keyfile.locked(path, wait_s=1):
            entered.set()
            leave.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(60)
    with pytest.raises(MasterKeyBusy, match="another process"), keyfile.locked(path, wait_s=0):
        pass
    leave.set()
    holder.join()
    with keyfile.locked(path, wait_s=0):
        pass
