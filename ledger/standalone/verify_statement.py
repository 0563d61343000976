"""Verify a statement of a month or a year as a whole: the ZIP with all its receipts (`evportal-statement/1`).

    verify_receipt.py STATEMENT.zip --node URL --node URL --key PUB_R1_… [--meter-key KEY …]

The rules are those of docs/statements.md: (1) the ZIP is one, and its index has its form; each file that the index
names is there with its SHA-256, and no receipt that it does not name; (2) each receipt verifies, step by step; (3) what
the index says of a charge is what its record says, at the cost that was recorded or at the flat rate that it names;
(4) the sums are those of the charges, and none stands there twice; (5) a container of signed values has the texts of
the record. Said beside the verdict: which charges were taken back, how many the meter did not sign, and whether the
registers and the numbers of each meter follow one another, so that none is left out between first and last. PDF and
CSV are made of the same data, and not looked into.
exit status: 0 VERIFIED, 1 NOT VALID, 2 NOT DECIDED, as for one receipt"""
# ruff: noqa: E401, E701, I001, SIM905
import hashlib, io, json, re, struct, sys, zipfile, zlib
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise
from typing import Any

FORMAT, INDEX, MIB = "evportal-statement/1", "statement.json", 1 << 20
FILES = re.compile(r"statement\.(json|pdf|csv)|factur-x\.xml|receipts/(\d{4,5}\.json)?|meter-values/(\d{4,5}\.xml)?")
RECEIPT = re.compile(r"receipts/\d{4,5}\.json")
CHARGE = "file sha256 id ledger_id station started_at stopped_at energy_wh amount_minor currency signed_verdict".split()
WHOLE = "format document_number period vehicle place price_basis charges sums".split()
DIGITS = {**dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
          **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3), **dict.fromkeys(("CLF", "UYW"), 4)}
AT_ONCE = 6  # receipts
class Wrong(Exception): pass  # it is no statement; the message says why
def need(good: Any, what: str) -> None:
    if not good: raise Wrong(what)
def receipts() -> Any:  # the script that called this one
    names = ("__main__", "evportal_verify", "verify_receipt", "ledger.standalone.verify_receipt")
    return next(found for name in names if hasattr(found := sys.modules.get(name), "sibling"))

# --- the ZIP: one file behind the other from its first byte to its list, nothing twice, nothing between
def unzipped(data: bytes) -> dict[str, bytes]:
    need(len(data) <= 64 * MIB and data[-22:-18] == b"PK\5\6", "the ZIP is too large, or its end is not its end")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            entries, start = sorted(packed.infolist(), key=lambda entry: entry.header_offset), packed.start_dir
            need(sum(entry.file_size for entry in entries) <= 256 * MIB, "the ZIP holds more than 256 MiB")
            at = 0
            for entry in entries:
                need(entry.header_offset == at and not entry.flag_bits & ~0x80E, "something between files of the ZIP")
                name, extra = struct.unpack("<HH", data[at + 26:at + 30])
                at += 30 + name + extra + entry.compress_size
                if entry.flag_bits & 8: at += 16 if data[at:at + 4] == b"PK\7\x08" else 12
                need(entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), "packed in another way")
                need(FILES.fullmatch(entry.filename), f"a file that no statement has: {entry.filename!r:.60}")
            need(at == start and len({entry.filename for entry in entries}) == len(entries), "the ZIP has a name twice")
            return {entry.filename: packed.read(entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, ValueError, EOFError, OSError) as error:
        raise Wrong(f"no ZIP: {error}") from error

# --- the index
def once(pairs: Any) -> Any:
    found = dict(pairs)
    need(len(found) == len(pairs), f"{INDEX}: a member stands twice in an object")
    return found
def no_number(text: str) -> Any: raise Wrong(f"{INDEX}: the number {text}")
def index_of(data: bytes) -> Any:
    need(len(data) <= 16 * MIB, f"{INDEX} is too large")
    try: index = json.loads(data, object_pairs_hook=once, parse_float=no_number, parse_constant=no_number)
    except (ValueError, RecursionError) as error: raise Wrong(f"{INDEX}: {error}") from error
    need(type(index) is dict and {*WHOLE} <= {*index} and index["format"] == FORMAT, f"{INDEX}: no {FORMAT}")
    period = type(index["period"]) is str and re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2]))?", index["period"])
    listed = type(index["charges"]) is list and type(index["sums"]) is list and len(index["charges"]) < 10_000
    need(period and listed and index["price_basis"] in ("CONTRACT", "FLAT_RATE"), f"{INDEX}: period, basis or lists")
    for charge in index["charges"]: need(is_charge(charge), f"{INDEX}: a charge of another form: {charge!r:.100}")
    if index["price_basis"] == "FLAT_RATE":
        rate = index.get("flat_rate")
        price = type(rate) is dict and type(rate.get("price_per_kwh")) is str and type(rate.get("currency")) is str
        need(price and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", rate["price_per_kwh"]), f"{INDEX}: flat_rate")
    return index
def is_charge(charge: Any) -> bool:
    if type(charge) is not dict or not {*CHARGE} <= {*charge}: return False
    texts = [charge[name] for name in CHARGE if name not in ("energy_wh", "amount_minor")]
    numbers = [charge[name] for name in ("energy_wh", "amount_minor")]
    good = all(type(text) is str for text in texts) and {type(number) for number in numbers} <= {int, type(None)}
    return bool(good and RECEIPT.fullmatch(charge["file"]) and re.fullmatch("([A-Z]{3})?", charge["currency"]))

# --- its figures against the records
def amount_of(record: Any, index: Any) -> tuple[Any, str]:
    if index["price_basis"] == "CONTRACT": return record.get("cost_minor"), record.get("currency", "")
    rate, energy = index["flat_rate"], record.get("energy_wh")
    if type(energy) is not int: return None, rate["currency"]
    exact = abs(Fraction(rate["price_per_kwh"]) * energy) / 1000 * 10 ** DIGITS.get(rate["currency"], 2)
    away = (exact + Fraction(1, 2)).__floor__()  # half away from zero: a credit takes back what the charge gave
    return -away if energy < 0 else away, rate["currency"]
def differing(charge: Any, receipt: Any, index: Any) -> list[str]:
    record, signed = receipt["record"], charge["signed_verdict"]
    amount, currency = amount_of(record, index)
    right = {name: record.get(name, "") for name in ("id", "station", "started_at", "stopped_at")}
    right |= {"ledger_id": receipt["ledger_id"], "energy_wh": record.get("energy_wh")}
    right |= {"amount_minor": amount, "currency": currency}
    right["signed_verdict"] = record.get("signed_verdict", "NOT SIGNED" if signed == "NOT SIGNED" else "")
    return [name for name, found in right.items() if charge[name] != found or type(charge[name]) is not type(found)]
def wrong_sums(index: Any) -> list[str]:
    found: dict[str, Any] = {}
    for charge in index["charges"]:
        sums = found.setdefault(charge["currency"], [0, 0, 0])
        for place, more in enumerate((1, charge["energy_wh"] or 0, charge["amount_minor"] or 0)): sums[place] += more
    said: list[Any] = [one if type(one) is dict else {} for one in index["sums"]]
    names = "charges", "energy_wh", "amount_minor"
    told: dict[Any, Any] = {one.get("currency"): [one.get(name) for name in names] for one in said}
    wrong = {currency for currency in {*found, *told} if found.get(currency) != told.get(currency)}
    return sorted(map(str, wrong)) if len(told) == len(said) else ["a currency twice"]

# --- is a charge left out between the first and the last? The registers of a meter tell
def left_out(judged: list[Any]) -> list[str]:
    meters: dict[Any, set[Any]] = {}
    for key, one in judged: meters.setdefault((one["meter"], key), set()).add((*one["_exact"], *one["numbers"]))
    found = []
    for (meter, _), readings in sorted(meters.items()):
        gaps, ordered = [], sorted(readings)
        for (_, end, _, last), (begin, _, first, _) in pairwise(ordered):
            missing = f"{float((begin - end) / 1000):.3f} kWh" if begin != end else ""
            texts = f"{first - last - 1} signed texts" if first > last + 1 else ""
            if missing or texts: gaps.append(f"{' and '.join(filter(None, (missing, texts)))} after T{last}")
        lie = f"between its charges lie {'; '.join(gaps)}, which this statement does not have"
        found.append(f"Meter {meter}: {lie if gaps else 'none left out between first and last'}.")
    return found

# --- all of it
def one_charge(charge: Any, files: dict[str, bytes], index: Any, args: Any) -> dict[str, Any]:
    """What came of a charge: verdict, problem, and what its receipt and its meter said."""
    meters, data = receipts().sibling("verify_meter"), files.get(charge["file"])
    found: dict[str, Any] = {"file": charge["file"], "verdict": "NOT VALID", "problem": "the receipt is missing"}
    if data is None: return found
    if hashlib.sha256(data).hexdigest() != charge["sha256"]: return found | {"problem": "another SHA-256"}
    steps, notices = receipts().verify(data, args.node, vars(args))
    found |= {"steps": [[title, outcome, why] for title, outcome, why, _ in steps], "notices": notices}
    if steps[0][1] == "failed" and steps[1][2] == "there is no receipt": return found | {"problem": steps[0][2]}
    receipt = json.loads(data)
    record = receipt["record"]
    if fields := differing(charge, receipt, index):
        return found | {"problem": f"recorded otherwise: {', '.join(fields)}"}
    values, name = record.get("signed_meter_values", []), f"meter-values{charge['file'][8:-4]}xml"
    if name in files and not same_texts(meters, files[name], values):
        return found | {"problem": f"{name} has other texts than the record"}
    outcomes = {outcome for _, outcome, *_ in steps}
    failed = "a step failed" if "failed" in outcomes else "a step is undecided" if "undecided" in outcomes else ""
    verdict = "NOT VALID" if "failed" in outcomes else "NOT DECIDED" if failed else "VERIFIED"
    found |= {"verdict": verdict, "problem": failed, "credit": "credit_reference_id" in record, "judged": None}
    if str(notices.get("signed")).startswith("VERIFIED"):
        found["judged"] = record["meter_public_key"], meters.judge(values, bytes.fromhex(record["meter_public_key"]))
    return found
def same_texts(meters: Any, container: bytes, values: Any) -> bool:
    try: found, _ = meters.of_file(container.decode())
    except (ValueError, SystemExit, SyntaxError): return False
    def parts(one: Any) -> Any: return one["format"], one["encoding"], one["text"].strip()
    return [parts(one) for one in found] == [parts(one) for one in values]
def check(data: bytes, args: Any) -> int:
    """Check a ZIP and print what came of it; returns the exit status. `args`: as verify_receipt.py reads them."""
    try:
        files = unzipped(data)
        need(INDEX in files, f"{INDEX} is missing")
        index = index_of(files[INDEX])
    except Wrong as error:
        told = json.dumps({"verdict": "NOT VALID", "problem": str(error)})
        print(told if args.json else f"no statement: {error}\nNOT VALID")
        return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        charges = list(pool.map(lambda charge: one_charge(charge, files, index, args), index["charges"]))
    named, ids = {charge["file"] for charge in index["charges"]}, [charge["ledger_id"] for charge in index["charges"]]
    unnamed = sorted(name for name in {*files} - named if RECEIPT.fullmatch(name))
    whole = {"receipts that the index does not name": unnamed,
             "charges that stand there twice": sorted({one for one in ids if ids.count(one) > 1}),
             "sums that are not those of the charges": wrong_sums(index)}
    verdicts = {one["verdict"] for one in charges}
    verdict = "NOT DECIDED" if "NOT DECIDED" in verdicts else "VERIFIED"
    verdict = "NOT VALID" if "NOT VALID" in verdicts or any(whole.values()) else verdict
    lines = [*said(charges, index)]
    wrong = [f"{what}: {', '.join(found)}" for what, found in whole.items() if found]
    kept = [{name: part for name, part in one.items() if name != "judged"} for one in charges]
    if args.json: print(json.dumps({"verdict": verdict, "charges": kept, "wrong": wrong, "said": lines}))
    else: print("\n".join([*map(line, index["charges"], charges), *wrong, *lines, verdict]))
    return ("VERIFIED", "NOT VALID", "NOT DECIDED").index(verdict)
def line(charge: Any, one: Any) -> str:
    amount = f"{charge['amount_minor']} {charge['currency']} minor units"
    return f"{one['file']}  {one['verdict']}  {charge['started_at']}  {charge['energy_wh']} Wh  {amount}" + (
        f"\n      {one['problem']}" if one["problem"] else "")
def said(charges: list[Any], index: Any) -> Any:  # of the statement as a whole
    good = [one for one in charges if one["verdict"] == "VERIFIED"]
    real = [one for one in charges if not one.get("credit")]
    signed = [one["judged"] for one in good if one["judged"]]
    recorded = f"{len(good)} of {len(charges)} charges recorded, unaltered"
    yield f"{recorded}; {len(signed)} of {len(real)} signed by the meter."
    for place, one in enumerate(charges):
        credit = (one.get("notices") or {}).get("credited")
        if credit: yield f"Taken back: {index['charges'][place]['file']}; entry {credit} of the ledger is its credit."
    yield from left_out(signed)
    if unsigned := len(real) - len(signed):
        yield f"Whether charges were left out beside {unsigned} of them cannot be said: not signed."
