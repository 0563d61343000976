"""Cases of `evportal-receipt/3`: log part, chain part, pins, witnesses, TPM, online and offline."""

import base64
from collections.abc import Iterator

from ledger.chain import antelope
from ledger.chain.antelope import sha256
from tests.vectors.chain import (
    KEPT,
    KEY,
    OTHER_TPM,
    STRANGERS,
    Json,
    action,
    certification,
    deferred,
    entry,
    other_signature,
    transaction,
)
from tests.vectors.log_world import (
    AUDITOR,
    CLUB,
    FLEET,
    LOG_KEY,
    OTHER_LOG_KEY,
    SAVANNA,
    LogWorld,
    WitnessKey,
    b64,
    producer_public,
)
from tests.vectors.logged_making import (
    LOGGED,
    NO_CHAIN,
    NONE,
    UNPINNED,
    changed_receipt,
    offline_case,
    online_case,
)
from tests.vectors.making import WORLD, both, failed, undecided


def cases() -> Iterator[Json]:
    yield from _good()
    yield from _trees()
    yield from _pins()
    yield from _witnesses()
    yield from _tpm()


# --- what is right


def _good() -> Iterator[Json]:
    savanna = LOGGED.but(world=WORLD.but(header={"schedule_version": SAVANNA}))
    yield offline_case("good-offline", "nobody is asked, log and witnesses are pinned")
    yield offline_case("good-offline-savanna", "under Savanna the producer signs the id", savanna)
    yield online_case("good-online", "two nodes agree, and the log holds it")
    yield online_case("good-online-savanna", "the same under Savanna", savanna)
    yield online_case("good-online-unpinned", "online nothing of the log has to be pinned", **UNPINNED)
    no_log = LOGGED.receipt(log=None)
    yield online_case("good-online-no-log", "a chain part alone adds no step", receipt=no_log, notices={"log": None})
    no_chain = LOGGED.receipt(chain=None)
    why = "no chain part: what it would show is not asked"
    yield offline_case("good-no-chain", why, receipt=no_chain, steps=NO_CHAIN, notices={"producer_key": None})
    yield online_case("good-online-no-chain", "a log part alone", receipt=no_chain, notices={"producer_key": None})
    silent = LOGGED.but(producer=False)
    yield offline_case("good-producer-unknown", "the producer's signature was not to be had", silent)
    zipped = LOGGED.but(world=WORLD.but(entries=[entry(STRANGERS), entry(WORLD.packed, zipped=True)]))
    yield offline_case("good-zlib", "the transaction stands compressed in its block", zipped)
    eos = "EOS" + _base58_of(producer_public())
    content = LOGGED.receipt(chain={**LOGGED.chain(), "producer_key": eos})
    yield offline_case(
        "good-producer-eos", "the producer's key in its old form", receipt=content, notices={"producer_key": eos}
    )
    behind = both(LOGGED.world.but(lib=4700))
    yield online_case("good-online-behind", "the log does not decide for nodes", nodes=behind, steps=undecided(3))
    for number in (1, 2):
        old = WORLD.receipt(credited_by=None) if number == 2 else WORLD.receipt()
        why = "a form from before the log: nothing is there for an offline check"
        steps = {**NO_CHAIN, **undecided(13, 14, 15)}
        yield offline_case(f"good-form-{number}", why, receipt=old, steps=steps, notices=NONE)
    only_chain = {**undecided(13, 14, 15)}
    yield offline_case(
        "good-no-log", "offline without a log part", receipt=no_log, steps=only_chain, notices={"log": None}
    )
    credited = LOGGED.receipt(credited_by="1912")
    yield offline_case(
        "good-credited", "taken back, as the receipt says", receipt=credited, notices={"credited": "1912"}
    )
    kept = LOGGED.but(world=WORLD.but(producers=1, permissions=KEPT))
    told = {"producers": 1, "replaceable_by": ["evledger@active", "evledger@owner"]}
    yield online_case("good-online-kept", "notices of nodes beside those of the log", kept, notices=told)


def _base58_of(key: str) -> str:
    """The old form has another checksum."""
    from tpm import base58

    data = antelope.public_key_decode(key)[1]
    return base58.encode(data + antelope.ripemd160(data)[:4])


def _trees() -> Iterator[Json]:
    others = [entry(transaction(action(bytes([n]), account="alice", name="greet"))) for n in range(7)]
    mine = entry(WORLD.packed)
    for kind, version in (("", 1), ("savanna-", SAVANNA)):
        for count, place in ((1, 0), (2, 0), (3, 2), (5, 4), (6, 3), (7, 6)):
            entries = [*others[:place], mine, *others[place : count - 1]]
            logged = LOGGED.but(world=WORLD.but(entries=entries, header={"schedule_version": version}))
            yield offline_case(f"block-{kind}{count}-{place}", f"transaction {place} of {count}", logged)
    entries = [deferred(), mine, entry(STRANGERS, status="hard_fail"), deferred(2)]
    yield offline_case("block-deferred", "beside deferred ones", LOGGED.but(world=WORLD.but(entries=entries)))
    entries = [entry(STRANGERS), entry(WORLD.packed, signatures=[other_signature("WA"), KEY.sign(_signing())])]
    yield offline_case("block-signatures", "two signatures", LOGGED.but(world=WORLD.but(entries=entries)))
    for size, index in ((1, 0), (2, 1), (3, 2), (4, 0), (7, 6), (8, 5), (9, 8), (255, 100)):
        logged = LOGGED.but(size=size, index=index)
        yield offline_case(f"size-{size}-{index}", f"leaf {index} of {size}", logged)


def _signing() -> bytes:
    return sha256(bytes.fromhex(WORLD.receipt()["chain_id"]) + WORLD.packed + bytes(32))


# --- pins and witnesses


def _pins() -> Iterator[Json]:
    why = "offline something of the log has to be known from elsewhere"
    yield offline_case("pins-none", why, steps=undecided(14, 15), **UNPINNED)
    yield offline_case("pins-log-key", "the log's key alone", witnesses=[])
    yield offline_case("pins-witness", "a witness alone", log_key=None, witnesses=[CLUB.vkey])
    other = "another key of the log than the pinned one"
    yield offline_case("pins-log-key-other", other, log_key=OTHER_LOG_KEY.vkey, steps=failed(14))
    yield online_case("pins-online-log-key-other", other, log_key=OTHER_LOG_KEY.vkey, steps=failed(14))
    yield offline_case("pins-chain-id", "another chain", chain_id="0" * 64, steps=failed(2))
    yield offline_case("pins-account", "another account", account="evledger1", steps=failed(2))
    yield offline_case("pins-key", "another key", key=Stranger.public, steps=failed(8))


class Stranger:
    """Of nobody here."""

    public = "PUB_R1_6LJeX9nMwNPXvF1kqKdEXWe1TVnSpKuD8EM6dCWPSnNvbYqYYt"


def _witnesses() -> Iterator[Json]:
    three = LOGGED.but(witnesses=(CLUB, AUDITOR, FLEET))
    keys = [CLUB.vkey, AUDITOR.vkey, FLEET.vkey]
    one, none = LOGGED.but(witnesses=(CLUB,)), LOGGED.but(witnesses=())
    yield offline_case("witness-all", "three of three", three, witnesses=keys)
    yield offline_case("witness-2-of-3", "more than half", witnesses=keys)
    yield offline_case("witness-1-of-3", "too few", one, witnesses=keys, steps=undecided(15))
    yield offline_case("witness-1-of-2", "half is not more than half", one, steps=undecided(15))
    yield offline_case("witness-quorum-1", "one is enough where the reader says so", one, quorum=1)
    yield offline_case("witness-quorum-3", "all have to have signed", witnesses=keys, quorum=3, steps=undecided(15))
    yield offline_case("witness-quorum-many", "more than there are", quorum=4, steps=undecided(15))
    yield offline_case("witness-twice-pinned", "one pinned twice counts once", one, witnesses=[CLUB.vkey, CLUB.vkey])
    yield offline_case("witness-none", "nobody has signed", none, steps=undecided(15))
    yield offline_case("witness-none-unpinned", "nobody has signed, and none is pinned", none, witnesses=[])
    yield online_case("witness-online-none", "a witness is missing, whatever nodes say", none, steps=undecided(15))
    yield offline_case(
        "witness-others", "those that signed are not the pinned ones", witnesses=keys[2:], steps=undecided(15)
    )
    impostor = WitnessKey(CLUB.name, 99)
    false = LOGGED.but(witnesses=(impostor, AUDITOR))
    yield offline_case("witness-impostor", "the name of a pinned one with another key", false, steps=failed(15))
    swapped = changed_receipt(lambda content: content["log"]["witnesses"].reverse())
    said = {"log": {**LOGGED.notice(), "witnesses": [AUDITOR.name, CLUB.name]}}
    yield offline_case(
        "witness-order", "the lines are in another order", receipt=swapped, steps=failed(15), notices=said
    )
    # two faces: the witnesses signed the checkpoint of one tree, the log's key that of another of the same size
    faces = LOGGED.but(other_face=True)
    left, right = LOGGED.log(), faces.log()
    own = right["checkpoint"].split("\n\n")[0] + "\n"
    false_note = f"{own}\n{LOG_KEY.line(own)}" + "".join(left["checkpoint"].splitlines(keepends=True)[5:])
    content = faces.receipt(log={**right, "checkpoint": false_note})
    said = {"log": {**faces.notice(), "witnesses": [], "time": None}}
    yield offline_case(
        "faces-signatures", "witnesses' lines of the other face", receipt=content, steps=failed(15), notices=said
    )
    lonely = LOGGED.but(other_face=True, witnesses=())
    yield offline_case("faces-lonely", "the face that no witness has signed", lonely, steps=undecided(15))
    both_faces = {**right, "checkpoint": left["checkpoint"]}
    content = faces.receipt(log=both_faces)
    yield offline_case("faces-proof", "the proof is of the other face", receipt=content, steps=failed(13))


def _tpm() -> Iterator[Json]:
    made, key = LOG_KEY.attestation(), certification()
    ak = sha256(base64.b64decode(made["ak"])).hex()
    attested = LOGGED.but(key_attestation=made, attestation=key)
    yield offline_case("tpm-good", "the log's key was made in the TPM of the pinned AK", attested, ak=ak)
    yield offline_case("tpm-unpinned", "nobody pinned the AK", attested)
    without = attested.but(key_attestation=None)
    yield offline_case(
        "tpm-missing", "an AK is pinned, nothing certifies the log's key", without, ak=ak, steps=failed(14)
    )
    other = attested.but(key_attestation=LOG_KEY.attestation(OTHER_TPM))
    yield offline_case("tpm-other", "made in another TPM than the pinned one", other, ak=ak, steps=failed(14))
    false = attested.but(key_attestation=OTHER_LOG_KEY.attestation())
    yield offline_case("tpm-other-key", "it certifies another key", false, steps=failed(14))
    broken = attested.but(key_attestation={**made, "signature": made["signature"][:-8] + "AAAAAAA="})
    yield offline_case("tpm-broken", "the AK did not sign it", broken, steps=failed(14))
    yield from _enrolled(attested, made)


def _enrolled(attested: LogWorld, made: Json) -> Iterator[Json]:
    def with_(stated: Json, logged: LogWorld = attested) -> LogWorld:
        return logged.but(ak_certificates={CLUB.name: stated})

    good = CLUB.ak_certificate(made)
    yield offline_case("ak-good", "a witness saw the TPM itself", with_(good))
    no_key = attested.but(key_attestation=None)
    yield offline_case("ak-of-signer", "the TPM of the key that signs records", with_(good, no_key))
    neither = no_key.but(attestation=None)
    why = "the receipt names no TPM that it could be of"
    yield offline_case("ak-no-tpm", why, with_(good, neither), steps=failed(15))
    yield offline_case("ak-unpinned", "also where none is pinned", with_(good), witnesses=[])
    for name, stated in (
        ("other-tpm", CLUB.ak_certificate(LOG_KEY.attestation(OTHER_TPM))),
        ("other-ek", CLUB.ak_certificate({**made, "ek_certificate": b64(b"another")})),
        ("other-witness", AUDITOR.ak_certificate(made)),
        ("time", {**good, "time": good["time"] + 1}),
        ("root", {**good, "root": sha256(b"another root").hex()}),
        ("upper-case", CLUB.ak_certificate(made, root=good["root"].upper())),
        ("format", CLUB.ak_certificate(made, format="evportal-ak-certificate/2")),
        ("signature-base64", {**good, "signature": good["signature"][:-2] + "B="}),
        ("signature-short", {**good, "signature": b64(b"no signature")}),
    ):
        yield offline_case(
            f"ak-{name}", "what a witness says of the TPM does not hold", with_(stated), steps=failed(15)
        )
