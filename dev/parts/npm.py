"""JavaScript programs of the tests: npm packages, pinned by digest, run by what Playwright brings for its driver.

Without npm, which Debian brings with hundreds of packages. Unpacked once below var/parts.
"""

import base64
import fcntl
import hashlib
import io
import shutil
import tarfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from dev.chain.wheels import COMPLETE, PARTS, complete
from dev.common.processes import ProcessError

REGISTRY = "https://registry.npmjs.org"
TIMEOUT_S = 60
# Name and version -> SHA-512 of the package, as the registry's `integrity` has it. ocpp-rpc with all that it needs.
OCPP_RPC: Mapping[tuple[str, str], str] = {
    ("ajv", "8.14.0"): "oYs1UUtO97ZO2lJ4bwnWeQW8/zvOIQLGKcvPTsWmvc2SYgBb+upuNS5NxoLaMU4h8Ju3Nbj6Cq8mD2LQoqVKFA==",
    (
        "ajv-formats",
        "2.1.1",
    ): "Wx0Kx52hxE7C18hkMEggYlEifqWZtYaRgouJor+WMdPnQyEK13vgEWyVNup7SoeeoLMsr4kf5h6dOW11I15MUA==",
    ("backoff", "2.5.0"): "wC5ihrnUXmR2douXmXLCe5O3zg3GKIyvRi/hi58a/XyRxVI+3/yM0PYueQOZXPXQ9pxBislYkw+sF9b7C/RuMA==",
    (
        "fast-deep-equal",
        "3.1.3",
    ): "f3qQ9oQy9j2AhBe/H9VC91wLmKBCCU/gDOnKNAYG5hswO7BLKj09Hc5HYNz9cGI++xlpDCIgDaitVs03ATR84Q==",
    (
        "json-schema-traverse",
        "1.0.0",
    ): "NM8/P9n3XjXhIZn1lLhkFaACTOURQXjWhV4BA/RnOv8xvgqtqpAX9IO4mRQxSx1Rlo4tqzeqb0sOlruaOy3dug==",
    ("ocpp-rpc", "2.2.1"): "CEzYrdv8U62c7SLcoEhjs0k2SvTULeAYVzVfoQgE9B5jRz5QeCQMTm854Nva6xgNfNcOVX9qPKcAoWhSmQj6sA==",
    ("precond", "0.2.3"): "QCYG84SgGyGzqJ/vlMsxeXd/pgL/I94ixdNFyh1PusWmTCyVfPJjZ1K1jvHtsbfnXQs2TSkEP2fR7QiMZAnKFQ==",
    ("punycode", "2.3.1"): "vYt7UD1U9Wg6138shLtLOvdAu+8DsC/ilFtEVHcH+wydcSpNE20AfSOduf6MkRFahL5FY7X1oU7nKVZFtfq8Fg==",
    (
        "require-from-string",
        "2.0.2",
    ): "Xf0nWe6RseziFMu+Ap9biiUbmplq6S9/p+7w7YXP/JBHhrUDDUhwa+vANyubuqfZWTveU//DYVGsDG7RKL/vEw==",
    ("uri-js", "4.4.1"): "7rKUyy33Q1yc98pQ1DAmLtwX109F7TIfWlW1Ydo8Wl1ii1SeHieeh0HHfPeL2fMXK6z0s8ecKs9frCuLJvndBg==",
    ("ws", "8.23.0"): "wCkmX8QMOrKjgO8HW2WyDbTSGeqkocxgDzS9iR79rEAexty6/2qzilx3Ag8Tqf9ykop3irLKle0MtVn5qjVnoQ==",
}
# The reader of OCMF texts by Road Labs, with the curves of noble: a second opinion on signed meter values.
OCMF: Mapping[tuple[str, str], str] = {
    (
        "@noble/curves",
        "2.4.0",
    ): "P4/62zrgfH33CneE3Dn4WhJVA22YUU0eR51wKIan4NVRvwsA0YnPTwWGpNbpuacSujmSFLvyzpyuR30+fbq2Ew==",
    (
        "@noble/hashes",
        "2.4.0",
    ): "X5XaVWZIBCT7HHZGm5I7ZQXDwLG+bGXuSrMQAW+7Zvl87h1kmc1ZB1VSRJcpUfoUrGQp4Fkoxm5kZ+Ms+aW+eA==",
    (
        "@peculiar/asn1-ecc",
        "2.11.1",
    ): "7MSNji77fQa/oN3WAfwagMy8EoJFg50sW4hZ1dtr0zU1BSugit0I2DGpIdPhvkNplopQhz5bogxpn1077eaamA==",
    (
        "@peculiar/asn1-pkcs8",
        "2.11.1",
    ): "HqsSrnpQghRp9SM9QSmR6fa4z/BNktnKq7928+oq4qF0VAnuHZ4cyePKvcxh9fP4taBCP/WHNItlVNsYaQm2qw==",
    (
        "@peculiar/asn1-schema",
        "2.11.1",
    ): "jaU9OaCcbZUdyXx9hMETZB9xoNmxTGjOGFqd3cOwKFkpKnyKd9WxF3uqj4PvX4cyOMP9bSdHg5YyML2qtx/d/g==",
    (
        "@peculiar/asn1-x509",
        "2.11.1",
    ): "SXU4/X6B3FquqQAN6ARI0bFDUV7+L1WlvPEPMKzEMkstd2D7UyM0r93fv241+OjdhqAKYGx5MvV3gzZMAp0APA==",
    (
        "@peculiar/utils",
        "2.0.2",
    ): "lHhrK/1QAXGn0GUYkme7t4zo0mQ5QIp+/8YED6pzu8AQFdjA9bAXeNURAHk4sw7n9i89MMNQVom0LkuuLUZMog==",
    (
        "@road-labs/ocmf",
        "0.0.9",
    ): "KwThaD7eUqyqM1fnH9HN96AhHs/eloGa9lqgSD2CrjxzzpTQvonjbIxUNCOo4Z/c5/jOjzccecTf+dAcBXx/LA==",
    (
        "@road-labs/ocmf-crypto",
        "0.0.9",
    ): "yt6qKPikR89iqy4GMO/uUWT3spnU1X0MyeeZ29/dFMz/vuXhq2bLUVbI1hZ8X/7XDXxIY8kozxYwH+XYobfRvQ==",
    (
        "@road-labs/ocmf-crypto-noble",
        "0.0.9",
    ): "oBDfEqjYGQNQ8Fc5DHH9i99KmzsYxYOBhp4dHx4apOkHwSoGfp4bAf/gkrp+D5STAFNC4mpYBihr/MJkoAmvKw==",
    ("asn1js", "3.0.10"): "S2s3aOytiKdFRdulw2qPE51MzjzVOisppcVv7jVFR+Kw0kxwvFrDcYA0h7Ndqbmj0HkMIXYWaoj7fli8kgx1eg==",
    ("date-fns", "4.4.0"): "+1UMbeh68lH1SegH83CGWwpb6OHHbpSgr3+s5Eww5M4CAgswBpoWS0AjTOfEJ33HiYKz1hdj/KTFprzXHmq/6w==",
    ("pvtsutils", "1.3.6"): "PLgQXQ6H2FWCaeRak8vvk1GW462lMxB5s3Jm673N82zI4vqtVUPuZdffdZbPDFRoU8kAhItWFtPCWiPpp4/EDg==",
    ("pvutils", "1.1.5"): "KTqnxsgGiQ6ZAzZCVlJH5eOjSnvlyEgx1m8bkRJfOhmGRqfo5KLvmAlACQkrjEtOQ4B7wF9TdSLIs9O90MX9xA==",
    ("tslib", "2.9.1"): "a4Ux9VKuIMHsOS7ENbEq6hK2ZGYIT27Rtl0E4eD9KqwxhKiQeMZE/9xb3IdYwWaSOyIBQLExhQgXDTYoiCxnWA==",
}


def node() -> Path:
    """The runtime, as Playwright brings it for its own driver."""
    from playwright._impl._driver import compute_driver_executable

    return Path(compute_driver_executable()[0])


def modules(packages: Mapping[tuple[str, str], str], name: str) -> Path:
    """A directory with `node_modules` of these packages; fetched where it is not there. Raises ProcessError."""
    digest = hashlib.sha256(repr(sorted(packages.items())).encode()).hexdigest()[:12]
    target = PARTS / f"{name}-{digest}"
    if complete(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(target.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete(target):
            shutil.rmtree(target, ignore_errors=True)
            for (package, version), integrity in packages.items():
                _unpack(_fetched(package, version, integrity), target / "node_modules" / package)
            (target / COMPLETE).touch()
    return target


def _fetched(package: str, version: str, integrity: str) -> bytes:
    url = f"{REGISTRY}/{package}/-/{package.rpartition('/')[2]}-{version}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - https, a constant
            content: bytes = answer.read()
    except OSError as error:
        raise ProcessError(f"{url} cannot be fetched: {error}") from error
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != integrity:
        raise ProcessError(f"{url} has another digest than the one that is pinned: {found}")
    return content


def _unpack(content: bytes, target: Path) -> None:
    """Regular files alone, below the one directory that a package of npm has."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive.getmembers():
            inside = Path(*Path(member.name).parts[1:])
            if not member.isfile() or ".." in inside.parts:
                continue
            file = archive.extractfile(member)
            assert file is not None
            path = target / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.read())
