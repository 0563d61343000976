"""Portal and script say the same of texts that a meter signed, whatever nonsense they say: verdict, reason, energy."""

import random
import re

from ledger.standalone import verify_meter
from stations.metering.judging import SignedValue, judge
from tests.vectors.meters import TOKEN, at, meter, pair, payload_of, value

CASES = 600
VALUE = re.compile(r':("(?:[^"\\]|\\.)*"|-?[0-9.eE+-]+|true|false|null)')
MEMBER = re.compile(r'"[A-Z]{2}":("(?:[^"\\]|\\.)*"|-?[0-9.]+),')
OTHERS = (
    *('"B"', '"E"', '"C"', '"X"', '"G"', '"M"', '"Wh"', '"T1"', '"T3"', '"F2"', '"S"', '"t"', '"NONE"', '"INVALID"'),
    *("1000", "1011.25", "0", "-1", "1e3", "1E-3", "0.0", '"1"', "null", "true", "[]", "{}", '""', "NaN", "1e400"),
    *('"1-0:1.8.0*198"', '"01-00:B2.08.00"', '"01-00:98.08.00.FF"', '"rfid:04AB076A345B85,x"', '"DEADBEEF"'),
    *('"2026-11-30T18:00:00.5+01 R"', '"2026-11-30T18:00:00Z S"', '"2026-11-30T18:00:00,000+0160 S"'),
    *(
        '"2026-11-30T24:00:00,000+0100 I"',
        "1.4",
        '"1.4.1"',
        "1.40",
        "0e21",
        "0.000000000000000000001",
        '"\\ud800"',
        "1" * 41,
    ),
)
CONTEXTS = ("", "", "", "Transaction.Begin", "Transaction.End", "Sample.Clock")


def nonsense(payload: str, chance: random.Random) -> str:
    """Some values replaced, a character changed, a member left out or twice."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        kind = chance.randrange(6)
        if kind < 4:
            found = chance.choice(list(VALUE.finditer(payload)))
            payload = payload[: found.start(1)] + chance.choice(OTHERS) + payload[found.end(1) :]
        elif kind == 4:
            place = chance.randrange(len(payload))
            payload = payload[:place] + chance.choice('0123456789",:{}[] \t\nEBTé\0e.-\\') + payload[place + 1 :]
        elif members := list(MEMBER.finditer(payload)):
            found = chance.choice(members)
            payload = payload[: found.start()] + found[0] * chance.choice((0, 2)) + payload[found.end() :]
    return payload


def test_both_say_the_same() -> None:
    chance = random.Random(14)
    key = meter().public_key
    verdicts = set()
    for _ in range(CASES):
        one = meter()
        between = [one.begin(10, at(0), TOKEN), one.during(500, at(5), TOKEN), one.end(900, at(9), TOKEN)]
        texts = chance.choice((pair(), between, [meter().both((10, at(0)), (20, at(1)), TOKEN)]))
        place = chance.randrange(len(texts))
        texts[place] = meter().sealed(nonsense(payload_of(texts[place]), chance))
        values = [value(text, chance.choice(CONTEXTS)) for text in texts]
        ours = judge([SignedValue.of(found) for found in values], key, token_uid=TOKEN)
        script = verify_meter.judge(values, key, TOKEN)
        said = script["verdict"], script["reason"], script.get("energy_wh")
        assert (ours.verdict, ours.reason, ours.energy_wh) == said, (ours, script, texts[place])
        verdicts.add(ours.reason)
    assert len(verdicts) > 12
