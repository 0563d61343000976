"""A client generated from the OpenAPI document walks through every resource."""

import base64
import hashlib
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

from dev.parts.tpm_service import TpmStack
from tests.tpm.conftest import ALL_SCOPES
from tests.tpm.tpm2_tools import certificate_public_pem, make_credential

PACKAGE = "generated_tpm_client"
DIGEST = hashlib.sha256(b"hello").digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Generated:
    """The generated package: `call` does an operation by its operationId and remembers that it did."""

    def __init__(self, directory: Path, client: Any) -> None:
        root = importlib.import_module(PACKAGE)
        names = [found.name for found in pkgutil.walk_packages([str(directory / PACKAGE)], f"{PACKAGE}.")]
        # a name that Python has already gets an underscore behind it
        self.operations = {name.rpartition(".")[2].rstrip("_"): name for name in names if name.count(".") == 3}
        self.models = importlib.import_module(f"{PACKAGE}.models")
        self.client = root.AuthenticatedClient(**client)
        self.called: set[str] = set()

    def call(self, operation: str, *path: str | int, status: int = 200, **arguments: Any) -> Any:
        """Return the parsed answer, which has to have this status."""
        self.called.add(operation)
        module: ModuleType = importlib.import_module(self.operations[operation])
        answer = module.sync_detailed(*path, client=self.client, **arguments)
        assert answer.status_code == status, answer.content
        return answer.parsed


@pytest.fixture(scope="module")
def document(tpm_stack: TpmStack) -> dict[str, Any]:
    made: dict[str, Any] = httpx2.get(f"{tpm_stack.service_url}/v1/openapi.json").json()
    return made


@pytest.fixture(scope="module")
def generated(
    tpm_stack: TpmStack, document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Generated]:
    directory = tmp_path_factory.mktemp("generated")
    (directory / "openapi.json").write_bytes(httpx2.get(f"{tpm_stack.service_url}/v1/openapi.json").content)
    (directory / "config.yml").write_text("post_hooks: []\n")
    tool = str(Path(sys.executable).with_name("openapi-python-client"))
    argv = [tool, "generate", "--path", "openapi.json", "--meta", "none", "--output-path", PACKAGE]
    argv += ["--config", "config.yml", "--fail-on-warning"]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    portal = tpm_stack.provider.pool.ensure_client("portal", ALL_SCOPES)
    token = tpm_stack.credentials(portal, ALL_SCOPES)()
    sys.path.insert(0, str(directory))
    yield Generated(directory, {"base_url": tpm_stack.service_url, "token": token})
    sys.path.remove(str(directory))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def make_key(generated: Generated, name: str, type: str, usage: str) -> Any:
    models = generated.models
    kind = {"type_": models.KeysCreateBodyType(type), "usage": models.KeysCreateBodyUsage(usage)}
    body = models.KeysCreateBody(name=name, **kind)
    key = generated.call("keys_create", body=body, status=201)
    assert isinstance(key, models.Key)
    return key


def health_random_hash(generated: Generated) -> None:
    models = generated.models
    assert generated.call("health").to_dict() == {"live": True, "tpm": "ok", "integrity": "verified"}
    assert len(base64.b64decode(generated.call("random", body=models.RandomBody(bytes_=32)).random)) == 32
    body = models.HashBody(algorithm=models.HashBodyAlgorithm.SHA256, data=b64(b"hello"))
    assert generated.call("hash", body=body).digest == b64(DIGEST)


def keys_and_signatures(generated: Generated) -> None:
    models = generated.models
    key = make_key(generated, "generated", "ecc-p256", "sign")
    assert (key.name, key.policy, key.public_key_eosio[:7]) == ("generated", None, "PUB_R1_")
    assert generated.call("keys_get", "generated") == key
    assert key in generated.call("keys_list").keys

    item = models.DigestItem(digest=b64(DIGEST), format_=models.DigestItemFormat.DER)
    signed = generated.call("keys_sign", "generated", body=item, idempotency_key="once")
    assert isinstance(signed, models.Signed)
    assert generated.call("keys_sign", "generated", body=item, idempotency_key="once") == signed
    mixed = models.SignBatch(batch=[item, models.MessageItem(data=b64(b"hello")), 5])
    first, second, third = generated.call("keys_sign", "generated", body=mixed).results
    assert isinstance(first, models.Signed)
    assert (second.error.code, third.error.code) == ("key_usage", "invalid_request")

    form = models.KeysVerifyBodyType0Format.DER
    body = models.KeysVerifyBodyType0(digest=b64(DIGEST), format_=form, signature=signed.signature)
    assert generated.call("keys_verify", "generated", body=body).valid is True

    certified = generated.call("keys_certify", "generated", body=models.KeysCertifyBody(nonce=b64(bytes(8))))
    assert base64.b64decode(certified.attest).startswith(bytes.fromhex("ff544347"))
    generated.call("keys_delete", "generated", status=204)
    problem = generated.call("keys_get", "generated", status=404)
    assert isinstance(problem, models.Problem)
    assert problem.code == "key_not_found"


def encryption(generated: Generated) -> None:
    models = generated.models
    make_key(generated, "generated-mail", "rsa-2048", "decrypt")
    encrypted = generated.call("keys_encrypt", "generated-mail", body=models.KeysEncryptBody(data=b64(b"hello")))
    body = models.KeysDecryptBody(ciphertext=encrypted.ciphertext)
    assert generated.call("keys_decrypt", "generated-mail", body=body).data == b64(b"hello")
    generated.call("keys_delete", "generated-mail", status=204)


def sealed_objects(generated: Generated) -> None:
    models = generated.models
    body = models.SealedCreateBody(data=b64(b"hello"), policy="release")
    sealed = generated.call("sealed_create", "generated", body=body, status=201)
    assert (sealed.size, sealed.policy) == (5, "release")
    assert generated.call("sealed_create", "generated", body=body) == sealed
    assert generated.call("sealed_get", "generated") == sealed
    assert sealed in generated.call("sealed_list").sealed
    assert generated.call("sealed_unseal", "generated").data == b64(b"hello")
    generated.call("sealed_delete", "generated", status=204)


def pcrs_identity_and_attestations(generated: Generated, tmp_path: Path) -> None:
    models = generated.models
    before = generated.call("pcrs_list").pcrs[16]
    after = generated.call("pcrs_extend", 16, body=models.PcrsExtendBody(data=b64(b"event")))
    assert (after.pcr, after.value == before.value) == (16, False)

    identity = generated.call("identity")
    ek_pem = certificate_public_pem(tmp_path, base64.b64decode(identity.ek.certificate))
    made = make_credential(tmp_path, ek_pem=ek_pem, ak_name=base64.b64decode(identity.ak.name), secret=b"secret")
    opened = generated.call("identity_activate", body=models.IdentityActivateBody(**made))
    assert opened.credential == b64(b"secret")

    body = models.AttestationsCreateBody(nonce=b64(bytes(32)), pcrs=[8, 16])
    attestation = generated.call("attestations_create", body=body)
    assert attestation.pcrs["16"] == after.value
    assert len(base64.b64decode(attestation.pcrs["8"])) == 32
    manifest = generated.call("manifest")
    assert hashlib.sha256(manifest.manifest.encode()).hexdigest() == manifest.digest


def test_it_walks_through_every_resource(generated: Generated, document: dict[str, Any], tmp_path: Path) -> None:
    health_random_hash(generated)
    keys_and_signatures(generated)
    encryption(generated)
    sealed_objects(generated)
    pcrs_identity_and_attestations(generated, tmp_path)
    names = {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
    assert generated.called == names == set(generated.operations)
