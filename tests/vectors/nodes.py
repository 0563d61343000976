"""Cases of the nodes: who is asked, who answers, and how strictly an answer is read; the contract that they tell of."""

from collections.abc import Iterator
from typing import Any

from tests.vectors.chain import BLOCK_NUM, CODE_HASH, KEPT, NULL, RECORD_PERMISSION, URLS, Json, permission
from tests.vectors.making import (
    QUIET,
    SILENT,
    WORLD,
    both,
    case,
    drop,
    edit,
    failed,
    one,
    put,
    says,
    silent,
    swap,
    undecided,
)

ALL = undecided(*range(2, 12))
LAST = "last_irreversible_block_num"
LATER, EARLIER = "2026-02-01T10:00:01.000", "2026-02-01T10:00:00.000"
HERE = ("http://127.0.0.1:8888", "http://localhost:8888", "http://[::1]:8888/", "http://LOCALHOST.:8888//")


def cases() -> Iterator[Json]:
    yield from _who()
    yield from _disagreeing()
    yield from _places()
    yield from _json()
    yield from _infos()
    yield from _rows()
    yield from _absent_rows()
    yield from _contract()
    yield from _holders()


def _who() -> Iterator[Json]:
    honest = WORLD.answers()
    yield case("nodes-none", "nobody is asked", nodes=[], steps=ALL, notices=SILENT)
    yield case("nodes-one", "one is not enough", nodes=[(URLS[0], honest)], steps=ALL, notices={"hosts": 1})
    quiet = [(URLS[0], honest), (URLS[1], {})]
    yield case("nodes-one-silent", "the second gives no answer", nodes=quiet, steps=ALL, notices={"hosts": 1})
    three = [(url, honest) for url in (*URLS, "http://127.0.0.4:8888")]
    yield case("nodes-three", "three agree", nodes=three, notices={"hosts": 3})
    three[2] = (three[2][0], {})
    yield case("nodes-three-one-silent", "two agree, one is silent", nodes=three, steps=ALL)
    nothing = {**SILENT, "hosts": 0}
    yield case("nodes-silent", "both are silent", nodes=[(url, {}) for url in URLS], steps=ALL, notices=nothing)


def _disagreeing() -> Iterator[Json]:
    lie = edit("row", lambda content: content["rows"][0].__setitem__("digest", "0" * 64))
    yield case("lie-one", "one of two has another digest", nodes=one(WORLD, lie), steps=undecided(10))
    yield case("lie-both", "both have another digest", nodes=both(WORLD, lie), steps=failed(10))
    third = "http://127.0.0.4:8888"
    why = "two have another digest, one agrees"
    yield case(
        "lie-two-of-three",
        why,
        nodes=[*both(WORLD, lie), (third, WORLD.answers())],
        steps=undecided(10),
        notices={"hosts": 3},
    )
    why = "two have another digest, one is silent"
    steps = {**ALL, **failed(10)}
    yield case("lie-two-one-silent", why, nodes=[*both(WORLD, lie), (third, {})], steps=steps)
    chain = put("info", "chain_id", "0" * 64)
    yield case("lie-chain-one", "one is of another chain", nodes=one(WORLD, chain), steps=undecided(2))
    yield case("lie-chain-both", "both are", nodes=both(WORLD, chain), steps=failed(2))
    row = edit("row", lambda content: content["rows"][0].__setitem__("id", 1870))
    yield case("lie-row-id", "the row of another id", nodes=both(WORLD, row), steps=failed(10))
    hidden = put("row", "rows", [])
    yield case("lie-row-hidden", "no row, above the floor", nodes=both(WORLD, hidden), steps=failed(10))


def _places() -> Iterator[Json]:
    honest = WORLD.answers()
    for number, other in enumerate(HERE[1:], start=1):
        why = f"P4: {HERE[0]} and {other} are one"
        yield case(f"same-{number}", why, nodes=[(HERE[0], honest), (other, honest)], steps=ALL, notices={"hosts": 1})
    slash = [(URLS[0], honest), (URLS[0] + "/", honest)]
    yield case("same-slash", "a slash at the end", nodes=slash, steps=ALL, notices={"hosts": 1})
    three = [*((url, honest) for url in HERE[:2]), (URLS[0], honest)]
    yield case("same-and-another", "two that are one, and another", nodes=three)
    why = "two nodes on one host, as on a developer's machine"
    ports = [("http://127.0.0.1:8888", honest), ("http://localhost:8889", honest)]
    yield case("ports", why, nodes=ports, notices={"hosts": 1})
    why = "of two that are one the first is asked"
    lie = says("row", '{"rows":[]}')(honest)
    nodes = [(HERE[0], lie), (HERE[1], honest), (URLS[0], lie)]
    yield case("same-first-counts", why, nodes=nodes, steps=failed(10))


def _json() -> Iterator[Json]:
    info = WORLD.answers()["info"].content
    text = info.decode()
    deep = "[" * 62 + "1" + "]" * 62  # beside the object around it and the number itself: 64 levels
    for name, content in (
        ("64-levels", f'{text[:-1]},"x":{deep}}}'),
        ("20-digits", f'{text[:-1]},"x":18446744073709551615}}'),
        ("float", f'{text[:-1]},"x":[1.5,1e5,-0.0]}}'),
        ("escapes", text.replace("chain_id", "chain\\u005fid")),
        ("half-surrogate", f'{text[:-1]},"x":"\\ud800"}}'),
        ("blanks", f" \r\n\t{text} \n"),
    ):
        yield case(f"json-{name}", "a spelling that is allowed", nodes=both(WORLD, says("info", content)))
    for name, raw in (
        ("65-levels", f'{text[:-1]},"x":[{deep}]}}'),
        ("100000-levels", f'{text[:-1]},"x":{"[" * 100_000}'),
        ("21-digits", f'{text[:-1]},"x":184467440737095516150}}'),
        ("minus-zero", f'{text[:-1]},"x":-0}}'),
        ("nan", f'{text[:-1]},"x":NaN}}'),
        ("infinity", f'{text[:-1]},"x":-Infinity}}'),
        ("twice", f'{text[:-1]},"x":1,"x":1}}'),
        ("twice-inside", f'{text[:-1]},"x":{{"y":1,"y":1}}}}'),
        ("cut", text[:-1]),
        ("more", text + "{}"),
        ("empty", ""),
        ("html", "<html></html>"),
        ("list", f"[{text}]"),
        ("null", "null"),
        ("bom", b"\xef\xbb\xbf" + info),
        ("utf-16", text.encode("utf-16")),
        ("latin-1", f'{text[:-1]},"x":"é"}}'.encode("latin-1")),
        ("comma", text[:-1] + ",}"),
        ("leading-zero", f'{text[:-1]},"x":01}}'),
        ("nbsp", text + "\xa0"),
    ):
        why = "get_info cannot be read, so 2 and 3 cannot be decided"
        yield case(f"json-{name}", why, nodes=both(WORLD, says("info", raw)), steps=undecided(2, 3))
    for status in (404, 500, 302, 429):
        nodes = both(WORLD, says("info", info, status))
        yield case(
            f"status-{status}", "what comes with another status is no answer", nodes=nodes, steps=undecided(2, 3)
        )


def _infos() -> Iterator[Json]:
    upper = swap("info", WORLD.receipt()["chain_id"], WORLD.receipt()["chain_id"].upper())
    yield case("info-upper-case", "hex is lower-case", nodes=both(WORLD, upper), steps=undecided(2))
    yield case(
        "info-no-chain-id", "a member is missing", nodes=both(WORLD, drop("info", "chain_id")), steps=undecided(2)
    )
    yield case("info-no-last", "a member is missing", nodes=both(WORLD, drop("info", LAST)), steps=undecided(3))
    for name, value in (
        ("text", "4714"),
        ("float", 4714.0),
        ("true", True),
        ("list", [4714]),
        ("minus", -1),
        ("33-bits", 2**32),
    ):
        nodes = both(WORLD, put("info", LAST, value))
        yield case(f"info-last-{name}", "no number of 32 bits", nodes=nodes, steps=undecided(3))
    yield case("lib-at", "the block is the last irreversible one", world=WORLD.but(lib=BLOCK_NUM))
    yield case(
        "lib-behind",
        "one node is behind",
        nodes=one(WORLD.but(lib=BLOCK_NUM), put("info", LAST, BLOCK_NUM - 1)),
        steps=undecided(3),
    )
    yield case("lib-behind-both", "not irreversible yet", world=WORLD.but(lib=BLOCK_NUM - 1), steps=undecided(3))
    yield case(
        "producers-1",
        "one producer proves nothing against its operator",
        world=WORLD.but(producers=1),
        notices={"producers": 1},
    )
    fewer = one(WORLD, put("schedule", "active", {"producers": [{}]}))
    yield case("producers-fewer", "the smallest count is told", nodes=fewer, notices={"producers": 1})
    told: tuple[tuple[str, Any], ...] = (("object", {"a": 1}), ("text", "eosio"), ("number", 21), ("null", None))
    for name, producers in told:
        nodes = both(WORLD, put("schedule", "active", {"producers": producers}))
        why = "P3: producers is a list, else nobody knows how many there are"
        yield case(f"producers-{name}", why, nodes=nodes, steps=undecided(3), notices={"producers": None})
    nodes = one(WORLD, says("schedule", "{}"))
    yield case("producers-one-untold", "one node does not tell", nodes=nodes, steps=undecided(3))


def _rows() -> Iterator[Json]:
    digest = WORLD.digest.hex()
    good = swap("row", '"id":1869', '"id":"1869"')
    yield case("row-id-text", "ids above 32 bits come as text", nodes=both(WORLD, good))
    for name, old, new in (
        ("list", '"id":1869', '"id":[1869]'),
        ("float", '"id":1869', '"id":1869.0'),
        ("exponent", '"id":1869', '"id":1869e0'),
        ("blank-behind", '"id":1869', '"id":"1869 "'),
        ("blank-before", '"id":1869', '"id":" 1869"'),
        ("zero", '"id":1869', '"id":"01869"'),
        ("plus", '"id":1869', '"id":"+1869"'),
        ("minus", '"id":1869', '"id":-1869'),
        ("65-bits", '"id":1869', '"id":18446744073709551616'),
        ("missing", '"id":1869', '"ix":1869'),
        ("twice", '"id":1869', '"id":1869,"id":1869'),
        ("digest-upper-case", digest, digest.upper()),
        ("digest-blank", digest, digest[:2] + " " + digest[2:]),
        ("digest-short", digest, digest[2:]),
        ("digest-missing", '"digest"', '"digeste"'),
        ("rows-object", f'[{{"id":1869,"digest":"{digest}"}}]', f'{{"0":{{"id":1869,"digest":"{digest}"}}}}'),
        ("rows-number", '"rows":[{', '"rows":[7,{'),
        ("rows-null", '"rows":[{', '"rows":null,"row":[{'),
        ("rows-missing", '"rows":[{', '"row":[{'),
    ):
        yield case(
            f"row-{name}", "P3: no row that can be read", nodes=both(WORLD, swap("row", old, new)), steps=undecided(10)
        )


def _absent_rows() -> Iterator[Json]:
    pruned = WORLD.but(row=False, floor=1900)
    yield case("pruned", "absent at or below the floor", world=pruned)
    yield case("pruned-at", "at the floor", world=pruned.but(floor=1869))
    yield case("pruned-text", "the floor may be a text", world=pruned.but(floor="1900"))
    yield case("pruned-above", "absent above the floor", world=pruned.but(floor=1868), steps=failed(10))
    yield case(
        "pruned-no-state",
        "no state row: the floor is 0",
        nodes=both(pruned, put("state", "rows", [])),
        steps=failed(10),
    )
    floors: list[tuple[str, Any]] = [
        ("float", 1900.0),
        ("list", [1900]),
        ("blank", "1900 "),
        ("65-bits", 2**64),
        ("null", None),
    ]
    for name, floor in floors:
        yield case(f"floor-{name}", "no floor", world=pruned.but(floor=floor), steps=undecided(10))
    yield case("floor-silent", "the state is not told", nodes=both(pruned, silent("state")), steps=undecided(10))
    why = "the state is needed only where the row is absent"
    yield case("state-not-needed", why, nodes=both(WORLD, silent("state")))


def _contract() -> Iterator[Json]:
    later, earlier = WORLD.but(code_updated=LATER), WORLD.but(code_updated=EARLIER)
    yield case("code-later", "P15: changed since, the hash is right again", world=later, steps=failed(11))
    yield case(
        "code-later-one",
        "one of two says so",
        nodes=one(WORLD, put("account", "last_code_update", LATER)),
        steps=undecided(11),
    )
    yield case("code-later-unpinned", "the time is not pinned", world=later, code_updated=None)
    yield case("code-earlier", "the nodes are behind", world=earlier, steps=undecided(11))
    other = WORLD.but(code_hash="0" * 64)
    yield case("code-other", "another contract", world=other, steps=failed(11))
    yield case("code-other-unpinned", "the hash is not pinned", world=other, code_hash=None)
    yield case("code-other-earlier", "the nodes are behind", world=earlier.but(code_hash="0" * 64), steps=undecided(11))
    yield case("code-other-later", "another contract since", world=later.but(code_hash="0" * 64), steps=failed(11))
    for name, change in (
        ("silent", silent("code")),
        ("missing", drop("code", "code_hash")),
        ("upper-case", swap("code", CODE_HASH, CODE_HASH.upper())),
        ("short", swap("code", CODE_HASH, CODE_HASH[:-2])),
        ("time-missing", drop("account", "last_code_update")),
        ("time-zone", put("account", "last_code_update", "2026-02-01T10:00:00.500Z")),
        ("time-short", put("account", "last_code_update", "2026-02-01T10:00:00")),
        ("time-number", put("account", "last_code_update", 1)),
    ):
        yield case(f"code-{name}", "hash and time have to be told", nodes=both(WORLD, change), steps=undecided(11))
    nobody = {"replaceable_by": None}
    yield case(
        "account-silent", "nobody tells", nodes=both(WORLD, silent("account")), steps=undecided(11), notices=nobody
    )


def _holders() -> Iterator[Json]:
    owner, active, prune = (
        permission("owner", "", accounts=[NULL]),
        permission("active", "owner", accounts=[NULL]),
        permission("prune", "active", keys=1),
    )
    alice = {"permission": {"actor": "alice", "permission": "active"}, "weight": 1}
    fake = {"permission": {"actor": "eosio.null", "permission": "owner"}, "weight": 1}
    upgrade = permission("upgrade", "active", keys=1, links=[("eosio", "setcode")])
    middle, below = (
        permission("middle", "active", keys=1),
        permission("below", "middle", keys=1, links=[("eosio", "setabi")]),
    )
    whole = permission("system", "active", keys=1, links=[("eosio", "")])
    other = permission("votes", "active", keys=1, links=[("eosio", "voteproducer"), ("alice", "setcode")])
    given = [owner, active, prune, RECORD_PERMISSION]
    for name, why, permissions, names in (
        ("keys", "owner and active have keys", KEPT, ["active", "owner"]),
        ("accounts", "held by another account", [permission("owner", "", accounts=[alice]), active], ["owner"]),
        (
            "null-owner",
            "eosio.null@owner is not eosio.null@active",
            [permission("owner", "", accounts=[fake]), active],
            ["owner"],
        ),
        ("null-and-alice", "two accounts", [owner, permission("active", "owner", accounts=[NULL, alice])], ["active"]),
        (
            "wait",
            "who waits long enough satisfies it",
            [owner, permission("active", "owner", accounts=[NULL], waits=1)],
            ["active"],
        ),
        ("empty", "no key, no account, no wait", [permission("owner", ""), permission("active", "owner")], []),
        ("setcode", "a permission linked to eosio::setcode", [*given, upgrade], ["upgrade"]),
        ("setabi", "linked to eosio::setabi, and its parent", [*given, middle, below], ["below", "middle"]),
        ("whole", "linked to all of eosio", [*given, whole], ["system"]),
        ("other-links", "links to other actions do not count", [*given, other], []),
        ("null-link", "an action null is the whole contract", [*given, _null_link(whole)], ["system"]),
    ):
        world = WORLD.but(permissions=permissions)
        told = {"replaceable_by": [f"evledger@{name}" for name in names]}
        yield case(f"holders-{name}", why, world=world, notices=told)
    yield from _told_besides(given)
    yield from _untold(given)


def _told_besides(given: list[Json]) -> Iterator[Json]:
    anybody = WORLD.but(permissions=given, any_links=[{"account": "eosio", "action": "setcode"}])
    told = {"replaceable_by": ["evledger@eosio.any"]}
    yield case("holders-any", "eosio::setcode is linked to eosio.any", world=anybody, notices=told)
    two = one(WORLD, put("account", "permissions", KEPT))
    yield case(
        "holders-one-tells",
        "what one node tells counts",
        nodes=two,
        notices={"replaceable_by": ["evledger@active", "evledger@owner"]},
    )


def _null_link(found: Json) -> Json:
    return {**found, "linked_actions": [{"account": "eosio", "action": None}]}


def _untold(given: list[Json]) -> Iterator[Json]:
    nobody = {"replaceable_by": None}
    unlinked = [{name: value for name, value in found.items() if name != "linked_actions"} for found in given]
    for name, change in (
        ("no-links", put("account", "permissions", unlinked)),
        ("no-any-links", drop("account", "eosio_any_linked_actions")),
        ("no-permissions", drop("account", "permissions")),
        ("permissions-object", put("account", "permissions", {})),
        ("no-owner", put("account", "permissions", given[1:])),
        (
            "keys-object",
            put(
                "account",
                "permissions",
                [{**given[0], "required_auth": {"keys": {}, "accounts": [], "waits": []}}, *given[1:]],
            ),
        ),
        ("link-text", put("account", "permissions", [{**given[0], "linked_actions": ["eosio"]}, *given[1:]])),
    ):
        yield case(f"holders-{name}", "the nodes do not tell who could", nodes=both(WORLD, change), notices=nobody)
    half = one(WORLD, drop("account", "eosio_any_linked_actions"))
    yield case("holders-one-untold", "one tells", nodes=half, notices={"replaceable_by": QUIET["replaceable_by"]})
