"""Changes of receipts and of nodes' answers, at random: bytes, JSON values, spellings, encodings, statuses."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from ledger.chain import antelope
from tests.vectors.loading import Vector
from tpm import base58

Answer = tuple[int, bytes]
Answers = Mapping[str, Mapping[str, Answer]]
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|-?\d+')
MEMBER = re.compile(r'"\w+": ?(?:"[^"\\]{0,200}"|\d+|null)')
BLANKS = (" ", "\t", "\r\n", "\x0b", "\x0c", "\xa0", "\ufeff", "\u2028", "\0", "//x\n", "/**/", ",", "}")
ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig", "latin-1", "cp037")
STATUSES = (200, 201, 202, 301, 400, 404, 500, 500, 503)
DEPTHS = (1, 2, 6, 7, 8, 9, 60, 63, 64, 65, 70, 400)
TIMES = ("2026-02-01T10:00:00.000", "2026-02-01T10:00:01.000", "2020-01-01T00:00:00.000")
REFUSALS = (3060003, "3060003", 3060003.0, 3060002, None)


@dataclass
class Mutator:
    """Makes other cases of a vector; `others` lend answers and receipts of theirs."""

    rng: Random
    others: Sequence[Vector]

    def mutated(self, vector: Vector) -> Vector:
        """One to three changes of it."""
        done = []
        for _ in range(self.rng.choice((1, 1, 1, 2, 2, 3))):
            change = self.rng.choices((self._receipt, self._answer, self._pins, self._swapped), (8, 12, 1, 1))[0]
            vector, what = change(vector)
            done.append(what)
        return replace(vector, why="; ".join(done))

    # --- what is changed

    def _receipt(self, vector: Vector) -> tuple[Vector, str]:
        data, what = self.content(vector.receipt)
        return replace(vector, receipt=data), f"receipt: {what}"

    def _answer(self, vector: Vector) -> tuple[Vector, str]:
        """Of one node, or of all the same."""
        if not vector.urls or not vector.answers[vector.urls[0]]:
            return self._receipt(vector)
        question = self.rng.choice(sorted(vector.answers[vector.urls[0]]))
        new, what = self._answer_of(vector.answers[vector.urls[0]][question])
        changed = vector.urls if self.rng.random() < 0.6 else [self.rng.choice(vector.urls)]
        return _put(vector, changed, question, new), f"{len(changed)} x {question[:60]}: {what}"

    def _answer_of(self, answer: Answer) -> tuple[Answer, str]:
        status, data = answer
        kind = self.rng.random()
        if kind < 0.03:
            status = self.rng.choice(STATUSES)
            return (status, data), f"status {status}"
        if kind < 0.06:
            code = self.rng.choice(REFUSALS)
            refusal = {"code": 500, "message": "Internal Service Error", "error": {"code": code, "name": "x"}}
            return (self.rng.choice(STATUSES), json.dumps(refusal).encode()), f"refused with code {code!r}"
        data, what = self.content(data)
        return (status, data), what

    def _pins(self, vector: Vector) -> tuple[Vector, str]:
        name = self.rng.choice(sorted(vector.pins))
        pins = {
            **vector.pins,
            name: self.rng.choice(self.others).pins[name] if name in ("key", "account", "meter_keys") else None,
        }
        if name == "code_updated" and self.rng.random() < 0.5:
            pins[name] = self.rng.choice(TIMES)
        return replace(vector, pins=pins), f"pin {name}: {pins[name]}"

    def _swapped(self, vector: Vector) -> tuple[Vector, str]:
        """The answer to another question, or what another vector's node says to it."""
        if not vector.urls or not vector.answers[vector.urls[0]]:
            return self._receipt(vector)
        question = self.rng.choice(sorted(vector.answers[vector.urls[0]]))
        call = question.partition(" ")[0]
        pool = [vector, self.rng.choice(self.others)]
        found = [
            answer
            for one in pool
            for url in one.urls[:1]
            for asked, answer in one.answers[url].items()
            if asked.startswith(call) or self.rng.random() < 0.1
        ]
        new = self.rng.choice(found or [(200, b"{}")])
        return _put(vector, vector.urls, question, new), f"{question[:60]}: another answer"

    # --- bytes that are JSON

    def content(self, data: bytes) -> tuple[bytes, str]:
        """Other bytes, and what was done."""
        kinds: list[Callable[[bytes], tuple[bytes, str]]] = [self._bytes, self._value, self._spelling, self._encoding]
        return self.rng.choices(kinds, (2, 8, 4, 0.5))[0](data)

    def _bytes(self, data: bytes) -> tuple[bytes, str]:
        at = self.rng.randrange(len(data) + 1)
        until = min(len(data), at + self.rng.choice((1, 1, 1, 2, 8, 100)))
        part, byte = data[at:until], bytes([self.rng.randrange(256)])
        flipped = bytes([part[0] ^ 1 << self.rng.randrange(8)]) + part[1:] if part else byte
        kinds = {
            "flipped": data[:at] + flipped + data[until:],
            "replaced": data[:at] + byte + data[until:],
            "inserted": data[:at] + byte + data[at:],
            "cut out": data[:at] + data[until:],
            "twice": data[:until] + part + data[until:],
            "cut off": data[:at],
            "doubled": data + data,
        }
        what = self.rng.choices(list(kinds), (4, 4, 4, 3, 3, 1, 0.2))[0]
        return kinds[what], f"bytes {what} at {at}"

    def _encoding(self, data: bytes) -> tuple[bytes, str]:
        name = self.rng.choice(ENCODINGS)
        return data.decode(errors="replace").encode(name, errors="replace"), name

    def _spelling(self, data: bytes) -> tuple[bytes, str]:
        text = data.decode(errors="surrogateescape")
        kinds: list[Callable[[str], tuple[str, str]]] = [self._token, self._blank, self._twice, self._nested]
        changed, what = self.rng.choices(kinds, (5, 2, 2, 1))[0](text)
        return changed.encode(errors="surrogateescape"), what

    def _token(self, text: str) -> tuple[str, str]:
        found = list(TOKEN.finditer(text))
        if not found:
            return text + "0", "a digit behind"
        token = self.rng.choice(found)
        old = token[0]
        new = self.rng.choice(_strings(self.rng, old) if old.startswith('"') else _numbers(old))
        return text[: token.start()] + new + text[token.end() :], f"{old[:40]} spelled {new[:40]!a}"

    def _blank(self, text: str) -> tuple[str, str]:
        blank = self.rng.choice(BLANKS)
        places = [0, len(text), *(found.start() for found in re.finditer(r"[][{}:,]", text))]
        at = self.rng.choice(places)
        return text[:at] + blank + text[at:], f"{blank!a} at {at}"

    def _twice(self, text: str) -> tuple[str, str]:
        found = list(MEMBER.finditer(text))
        if not found:
            return text * 2, "all twice"
        member = self.rng.choice(found)
        first = member[0] if self.rng.random() < 0.5 else member[0].partition(":")[0] + ":1"
        return f"{text[: member.start()]}{first},{text[member.start() :]}", f"{member[0][:40]} twice"

    def _nested(self, text: str) -> tuple[str, str]:
        depth = self.rng.choice(DEPTHS)
        if self.rng.random() < 0.5 or "{" not in text:
            return "[" * depth + text + "]" * depth, f"in {depth} lists"
        opening = self.rng.choice([found.end() for found in re.finditer("{", text)])
        inner = "[" * depth + "]" * depth if self.rng.random() < 0.5 else '{"z":' * depth + "1" + "}" * depth
        comma = "" if text[opening : opening + 1] == "}" else ","
        return f'{text[:opening]}"zz":{inner}{comma}{text[opening:]}', f"a member of depth {depth}"

    def _value(self, data: bytes) -> tuple[bytes, str]:
        """Another value at some place of the JSON; places near the top are chosen more often."""
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            return self._bytes(data)
        top = {"": content}
        parent: Any = top
        key: Any = ""
        path = []
        while isinstance(parent[key], dict | list) and parent[key] and (key == "" or self.rng.random() < 0.85):
            parent = parent[key]
            key = self.rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
            path.append(str(key))
        what = self._change(parent, key, content)
        text = json.dumps(top[""], ensure_ascii=self.rng.random() < 0.5)
        return text.encode(errors="surrogatepass"), f"{'.'.join(path)} {what}"

    def _change(self, parent: Any, key: Any, content: Any) -> str:
        kind = self.rng.random()
        if kind < 0.08 and key != "":
            del parent[key]
            return "left out"
        if kind < 0.12 and isinstance(parent, dict) and key != "":
            name = self.rng.choice(("zz", f"{key} ", str(key).upper(), "__proto__", "constructor"))
            parent[name] = parent[key] if self.rng.random() < 0.5 else parent.pop(key)
            return f"named {name!r}"
        if kind < 0.15 and key != "":
            items = list(parent.items()) if isinstance(parent, dict) else list(parent)
            self.rng.shuffle(items)
            parent.clear()
            parent.update(items) if isinstance(parent, dict) else parent.extend(items)
            return "in another order"
        new = self.rng.choice(_others(self.rng, parent[key], content))
        parent[key] = new
        return f"becomes {new!a:.60}"


def _put(vector: Vector, urls: Sequence[str], question: str, answer: Answer) -> Vector:
    answers = {url: {**known, question: answer} if url in urls else known for url, known in vector.answers.items()}
    return replace(vector, answers=answers)


# --- other values and spellings


def _strings(rng: Random, token: str) -> list[str]:
    text = token[1:-1]
    at = rng.randrange(len(text) + 1)
    char = f"\\u{ord(text[at]):04x}" if at < len(text) and text[at].isalnum() else "\\u0041"
    escaped = f'"{text[:at]}{char}{text[at + 1 :]}"'
    added = [*"\x1f\x7f\\\ufeff\u0661\U0001f50c", r"\ud800", r"\udc00\ud800", r"\/", r"\x41", r"\u00e"]
    rest = [f'"{text[:at]}{more}{text[at:]}"' for more in added]
    return [escaped, escaped, escaped.replace("\\u00", "\\u00".upper()), f"'{text}'", token.upper(), text, *rest]


def _numbers(token: str) -> list[str]:
    named = ["NaN", "Infinity", "-Infinity", "-0", "-0.0", "null", "true", "1e400", "9" * 21, "9" * 5000]
    forms = ("{}.0", "{}e0", "{}E+0", "+{}", "0{}", "-{}", "{}.", ".{}", "0x{}", "{}_0", "{}" + "0" * 25, '"{}"', "{}n")
    return [*named, *(form.format(token) for form in forms)]


def _others(rng: Random, value: Any, content: Any) -> list[Any]:
    anything = [None, True, False, 0, 1, -1, 0.5, "", "0", "x", [], {}, [value], {"x": value}, [[value]], "9" * 101]
    if isinstance(value, bool | float) or value is None:
        return anything
    if isinstance(value, str):
        return [*anything, *_texts(rng, value, content) * 3]
    if isinstance(value, int):
        near: list[Any] = [value + 1, value - 1, -value, value + 0.5, float(value)]
        near += [f"{before}{value}{after}" for before, after in (("", ""), ("0", ""), (" ", ""), ("", ".0"))]
        ends: list[Any] = [2**bits - less for bits in (16, 31, 32, 53, 64) for less in (0, 1)]
        ends += [str(2**64 - 1), 10**19, 10**25, 10**400]
        return [*anything, *near * 3, *ends]
    if isinstance(value, list):
        shorter = [value[1:], value[:-1], value[:1], value * 2, value[::-1], [*value, None], [*value, 0], [*value, {}]]
        return [*anything, *shorter * 2, dict.fromkeys(map(str, range(len(value))), 0)]
    more = [{**value, "zz": rng.choice((None, 1, 1.5, [], {}, "x"))}, list(value), list(value.values()), str(value)]
    return [*anything, *more * 2]


def _texts(rng: Random, text: str, content: Any) -> list[Any]:
    at = rng.randrange(len(text) + 1)
    digit = rng.choice("0123456789abcdef")
    changed = [text[:at] + digit + text[at + 1 :], text[:at] + digit + text[at:], text[:at] + text[at + 1 :]]
    ends = [text[1:], text[:-1], text[:-2], text + "0", text + "00", f" {text}", f"{text} ", text + "\0", text + "\n"]
    spelled = [
        text.upper(),
        text.title(),
        f"0x{text}",
        f"{text}Z",
        f"{text[:at]} {text[at:]}",
        "\ud800",
        "é" * 100,
        "🔌" * 100,
    ]
    found: list[Any] = [*changed, *changed, *ends, *spelled, "0" * len(text), rng.choice([*_all_texts(content), "x"])]
    if text.isdecimal() and len(text) < 30:
        found += [int(text), float(text), f"0{text}", f"+{text}", str(int(text) + 1), "\u0661"]
    if re.fullmatch(r"(PUB|SIG)_\w+", text):
        found += [_respelled(rng, text)] * 10
    if re.fullmatch(r"[0-9a-f]{70,}", text):
        found += [_packed(rng, text)] * 10
    if re.fullmatch(r"\d{4}-.*", text):
        found += [
            "2026-02-30T00:00:00.000",
            "2026-02-01T24:00:00.000",
            text[:10],
            text[:19],
            f"{text}+00:00",
            text[:-1] + "5",
        ]
    return found


def _all_texts(content: Any) -> list[str]:
    if isinstance(content, dict | list):
        inner = content.values() if isinstance(content, dict) else content
        return [text for item in inner for text in _all_texts(item)][:200]
    return [content] if isinstance(content, str) else []


def _respelled(rng: Random, text: str) -> str:
    """A key or signature of other bytes whose checksum fits, or of another curve."""
    kind, curve, digits = text.split("_", 2)
    try:
        data = bytearray(base58.decode(digits)[:-4])
    except base58.Base58Error:
        return text[::-1]
    if data:
        data[rng.choice((0, 0, rng.randrange(len(data))))] ^= 1 << rng.randrange(8)
    curve = rng.choice((curve, curve, "K1", "R1", "WA"))
    more = bytes(rng.choice((0, 0, 0, 1)))
    checked = bytes(data) + more
    return f"{kind}_{curve}_{base58.encode(checked + antelope.ripemd160(checked + curve.encode())[:4])}"


def _packed(rng: Random, text: str) -> str:
    """Packed bytes with one changed, more or less."""
    data = bytearray(bytes.fromhex(text[: len(text) // 2 * 2]))
    at = rng.randrange(len(data))
    data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, data[at] ^ 1 << rng.randrange(8)))
    cut = rng.choice((len(data), len(data), at, len(data) - 1))
    return bytes(data[:cut]).hex() + rng.choice(("", "", "00", "ff"))


def written(vector: Vector, right: Any) -> dict[str, Any]:
    """The case as a file of tests/vectors/cases, whose `right` somebody has to judge."""
    sets = {chr(65 + place): vector.answers[url] for place, url in enumerate(vector.urls)}
    nodes = [{"url": url, "answers": label} for url, label in zip(vector.urls, sets, strict=True)]
    answers = {label: [_saved(question, answer) for question, answer in known.items()] for label, known in sets.items()}
    receipt = {"base64": base64.b64encode(vector.receipt).decode()}
    head = {"name": vector.name, "why": vector.why, "receipt": receipt, "pins": vector.pins}
    return {**head, "answers": answers, "nodes": nodes, "right": right}


def _saved(question: str, answer: Answer) -> dict[str, Any]:
    call, _, body = question.partition(" ")
    status, data = answer
    return {"call": call, "body": json.loads(body), "status": status, "base64": base64.b64encode(data).decode()}
