"""What the TPM service is measured against: other ways to a signature of a P-256 key in swtpm.

Each peer has a key like the service's (same template, an auth value, loaded or persistent where the peer can do that),
and a swtpm of its own, of the same program as the service's: the few slots are nobody else's.
"""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tpm2_pytss import ESAPI, ESYS_TR, FAPI, TPM2B_DIGEST, TPM2B_SENSITIVE_CREATE

from bench.tpm.device import swtpm_in
from tpm.service.device.objects import ECDSA, NO_TICKET, STORAGE_KEY, TEMPLATES, sensitive

AUTH = secrets.token_bytes(32)
FAPI_PROFILES = Path("/etc/tpm2-tss/fapi-profiles")
FAPI_PROFILE = "P_ECCP256SHA256"
PERSISTENT_KEY = "0x81000010"

Sign = Callable[[bytes], object]


def rate(sign: Sign, count: int) -> float:
    """Return signatures a second, one after the other, each of another digest (32 bytes)."""
    digests = [secrets.token_bytes(32) for _ in range(count)]
    begun = time.perf_counter()
    for digest in digests:
        sign(digest)
    return count / (time.perf_counter() - begun)


@contextmanager
def esapi(directory: Path) -> Iterator[Sign]:
    """Raw ESAPI through tpm2_pytss: TPM2_Sign with a loaded key and nothing else."""
    with swtpm_in(directory).running() as swtpm, ESAPI(swtpm.tcti) as esys:
        primary, *_ = esys.create_primary(TPM2B_SENSITIVE_CREATE(), STORAGE_KEY, ESYS_TR.OWNER)
        private, public, *_ = esys.create(primary, sensitive(AUTH), TEMPLATES["ecc-p256", "sign"])
        key = esys.load(primary, private, public)
        esys.tr_set_auth(key, AUTH)
        yield lambda digest: esys.sign(key, TPM2B_DIGEST(digest), ECDSA, NO_TICKET)


@contextmanager
def command_line(directory: Path) -> Iterator[Sign]:
    """tpm2_sign of tpm2-tools: a process for each signature; the key is persistent, which saves loading it."""
    with swtpm_in(directory).running() as swtpm:
        tools = {**os.environ, "TPM2TOOLS_TCTI": swtpm.tcti, "TSS2_LOG": "all+none"}

        def run(*arguments: str, given: bytes | None = None) -> None:
            subprocess.run(arguments, env=tools, cwd=directory, input=given, check=True, capture_output=True)

        auth = f"hex:{AUTH.hex()}"
        run("tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc", "-c", "primary.ctx")
        run("tpm2_flushcontext", "-t")
        made = ("tpm2_create", "-Q", "-C", "primary.ctx", "-G", "ecc256:ecdsa-sha256", "-p", auth, "-c", "key.ctx")
        run(*made, "-u", "key.pub", "-r", "key.priv")
        run("tpm2_flushcontext", "-t")
        run("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "key.ctx", PERSISTENT_KEY)
        run("tpm2_flushcontext", "-t")
        sign = ("tpm2_sign", "-Q", "-c", PERSISTENT_KEY, "-p", auth, "-g", "sha256", "-d", "-o", "signature")
        yield lambda digest: run(*sign, given=digest)


@contextmanager
def feature_api(directory: Path) -> Iterator[Sign]:
    """FAPI through tpm2_pytss, with Debian's profile and a keystore of its own; it loads the key for each use."""
    stores = {name: str(directory / name) for name in ("user_dir", "system_dir", "log_dir")}
    for store in stores.values():
        Path(store).mkdir(parents=True)
    with swtpm_in(directory).running() as swtpm:
        profile = {"profile_name": FAPI_PROFILE, "profile_dir": f"{FAPI_PROFILES}/", "tcti": swtpm.tcti}
        settings = directory / "fapi.json"
        settings.write_text(json.dumps({**profile, **stores, "system_pcrs": [], "ek_cert_less": "yes"}))
        os.environ["TSS2_FAPICONF"] = str(settings)
        with FAPI() as api:
            api.provision()
            api.create_key("HS/SRK/bench", "sign, noDa")
            yield lambda digest: api.sign("HS/SRK/bench", digest)
