"""Chaos around the log: `kill -9` of its builder, its witnesses and the nodes while sessions close.

    python -m dev.trials.chaos.witnessed [--kills 100] [--seed N]

A whole portal of its own runs in a temporary directory, with a producing node, a second one, and two witnesses
(`python -m witness`), one at each node; both read the log's entries from the portal. Workers (who build and sign the
log, and ask the witnesses), both witnesses and both nodes are killed: all of their processes, the parent alone or one
child alone; each is started again after a short while, and often another is killed before that.

All the while a reader keeps each note that it gets from `/log/checkpoint` and from the witnesses' `/status`. In the end
every entry is one leaf, no two roots of one size were ever signed, each root is that of the leaves, each tree goes on
from the one before, and both witnesses have signed the newest. Exit status 0 when all is well, 1 when not; then the
directory with the logs stays.
"""

import argparse
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from dev.common.processes import Child, free_port, wait_until
from dev.common.progress import bar
from dev.parts.tpm_service import ROOT
from dev.trials.chaos.killing import Killer, verdict
from dev.trials.chaos.notes import Reader, problems, standing
from dev.trials.portal_stack import PortalStack

QUIET_WITHIN_S = 240.0
CLOSED_AT_ONCE = 8  # sessions at most, between two kills
WITNESSES = ("witness-1", "witness-2")
KILLED_OURSELVES = ("worker", "webhooks", *WITNESSES)  # these may not end for themselves
SETTINGS = {
    "EVPORTAL_LEDGER_EXPIRATION_S": "30",
    "EVPORTAL_LEDGER_CLAIM_S": "10",
    "EVPORTAL_LEDGER_BATCH_MAX": "5",
    "EVPORTAL_LEDGER_FLUSH_AT": "5",
    "EVPORTAL_WEBHOOK_ALLOW_LOCAL": "true",  # the witnesses are on this machine
}


class Witnessed:
    """A portal that serves its log, and two witnesses that it asks."""

    def __init__(self, stack: PortalStack) -> None:
        self.stack, self.vkeys = stack, [""] * len(WITNESSES)
        port = free_port()
        self.log_url = f"http://127.0.0.1:{port}/log"
        argv = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4", "evportal.wsgi"]
        self.web = Child("web", argv, log=stack.directory / "web.log", cwd=ROOT, env=stack.worker.env)
        assert stack.follower is not None
        self.nodes = [stack.node, stack.follower]
        self.urls = [f"http://127.0.0.1:{free_port()}" for _ in WITNESSES]
        self.witnesses = {name: self._child(name) for name in WITNESSES}
        self.parts = {
            "worker": stack.worker,
            "webhooks": stack.webhooks,
            "nodeos": stack.node,
            "follower": stack.follower,
            **self.witnesses,
        }

    def _child(self, name: str) -> Child:
        argv = [sys.executable, "-m", "witness", "run", "--config", str(self._directory(name) / "witness.toml")]
        return Child(name, argv, log=self.stack.directory / f"{name}.log", cwd=ROOT)

    def _directory(self, name: str) -> Path:
        return self.stack.directory / name

    def start(self) -> None:
        """Make the witnesses' keys, tell the portal of them, and start what is not killed."""
        from django.core.management import call_command

        from ledger.log.keys import log_vkey

        for number, name in enumerate(WITNESSES):
            directory, url = self._directory(name), self.urls[number]
            made = [sys.executable, "-m", "witness", "keygen", "--name", f"chaos.example/{name}", "--directory"]
            done = subprocess.run([*made, str(directory)], cwd=ROOT, capture_output=True, text=True, check=True)
            self.vkeys[number] = done.stdout.strip()
            (directory / "witness.toml").write_text(self._configuration(number, log_vkey()))
            call_command("log_witness", "add", url, self.vkeys[number], stdout=io.StringIO())
        self.web.start()
        self.stack.beat.start()

    def _configuration(self, number: int, vkey: str) -> str:
        from django.conf import settings

        values = {
            "vkey": vkey,
            "portal": self.log_url,
            "nodes": [self.nodes[number].url],
            "account": settings.LEDGER_ACCOUNT,
            "chain_id": settings.LEDGER_CHAIN_ID,
        }
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        return f'listen = "{self.urls[number].removeprefix("http://")}"\n\n[[log]]\n{lines}'

    def stop(self) -> None:
        for child in (*self.witnesses.values(), self.web):
            child.stop()


def unleash(witnessed: Witnessed, *, kills: int, seed: int) -> tuple[Killer, int]:
    """Close sessions while killing; returns who killed, and how many were closed. Everything is alive at the end."""
    from dev.trials.sample_sessions import Sessions

    rng = random.Random(seed)  # noqa: S311  a reproducible order, nothing secret
    sessions, closed = Sessions(random.Random(seed)), 0  # noqa: S311
    killer = Killer(witnessed.parts, rng)
    killer.revive()
    with bar(kills, "killed", " parts") as progress:
        for _ in range(kills):
            count = rng.randint(1, CLOSED_AT_ONCE)
            sessions.close_few(count)
            closed += count
            time.sleep(rng.uniform(0.1, 2.5))
            if not killer.alive():
                killer.revive()
            progress.set_postfix_str(f"{killer.kill_one()}; {closed} closed")
            progress.update()
            time.sleep(rng.uniform(0, 1.0))
            if rng.random() < 0.7 or len(killer.alive()) < 3:  # else one more is killed before this one is back
                killer.revive()
    killer.revive()
    return killer, closed


def wait_quiet(witnessed: Witnessed, killer: Killer) -> bool:
    """Wait until all entries are leaves below a checkpoint that both witnesses have signed."""
    from dev.trials.chaos import log
    from ledger.log.newest import published

    def agreed() -> bool:
        killer.revive()  # what ended for itself, as under any supervisor
        newest = published() if log.is_complete() else None
        return newest is not None and newest.cosignatures.count() == len(WITNESSES)

    return wait_until(agreed, QUIET_WITHIN_S, poll_s=0.3)


def run(witnessed: Witnessed, *, kills: int, seed: int) -> list[str]:
    """The whole story; returns what is wrong in the end, [] when all is well."""
    from dev.trials.chaos import log
    from ledger.log.keys import log_vkey
    from ledger.log.note import VerifierKey
    from ledger.models import LedgerEntry, LogCheckpoint

    witnessed.start()
    reader = Reader(witnessed.log_url, witnessed.urls)
    reader.start()
    try:
        killer, closed = unleash(witnessed, kills=kills, seed=seed)
        quiet = wait_quiet(witnessed, killer)
    finally:
        reader.end()
    print(f"killed: {dict(sorted(killer.kills.items()))}; ended for themselves: {dict(+killer.ended)}")
    print(f"{closed} sessions, {LogCheckpoint.objects.count()} checkpoints, {len(reader.notes)} notes were read")
    wrong = [] if quiet else [f"not all is in the log and signed by both witnesses after {QUIET_WITHIN_S:g} s"]
    wrong += [] if LedgerEntry.objects.count() == closed else [f"{LedgerEntry.objects.count()} entries"]
    wrong += [f"{name} ended for itself" for name in KILLED_OURSELVES if killer.ended[name]]
    wrong += [f"a witness has evidence against the log: {each}"[:1000] for each in reader.evidence]
    wrong += disagreeing(witnessed)
    leaves = leaves_of_the_log()
    notes = reader.notes | set(LogCheckpoint.objects.exclude(note="").values_list("note", flat=True))
    keys = [VerifierKey.parse(vkey) for vkey in witnessed.vkeys]
    wrong += missing(leaves) + problems(notes, leaves, VerifierKey.parse(log_vkey()), keys)
    return wrong + log.problems([witnessed.stack.directory / "worker.log"])


def leaves_of_the_log() -> list[bytes]:
    """As they lie in the tiles."""
    from ledger.log.store import items_of
    from ledger.models import LogTile

    tiles = LogTile.objects.filter(level=0).order_by("index").values_list("data", flat=True)
    return [each for data in tiles for each in items_of(bytes(data), 0)]


def missing(leaves: list[bytes]) -> list[str]:
    """Entries that are no leaf, leaves that are no entry, and what is there twice."""
    from ledger.log.tree import leaf
    from ledger.models import LedgerEntry

    there = Counter(leaves)
    entries = {leaf(pk, bytes(digest)) for pk, digest in LedgerEntry.objects.values_list("id", "digest")}
    wrong = {
        "entries that are no leaf": len(entries - set(there)),
        "leaves that are no entry": len(set(there) - entries),
        "leaves twice": sum(count > 1 for count in there.values()),
    }
    return [f"{count} {what}" for what, count in wrong.items() if count]


def disagreeing(witnessed: Witnessed) -> list[str]:
    """Which witnesses do not stand where the portal's newest checkpoint does."""
    from ledger.log.newest import published

    newest = published()
    expected = (newest.size, bytes(newest.root).hex()) if newest else (0, None)
    found = []
    for name, url in zip(WITNESSES, witnessed.urls, strict=True):
        log = standing(url) or {"size": None, "root": None}
        if (log["size"], log["root"]) != expected:
            found.append(f"{name} stands at {log['size']} leaves, {log['root']}; the portal at {expected}")
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m dev.trials.chaos.witnessed", description="Kill the log's builder, witnesses and nodes."
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    print(f"chaos around the log with --kills {options.kills} --seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="evp-"))
    stack = PortalStack(directory, follower=True, settings=SETTINGS)
    with stack.running():
        witnessed = Witnessed(stack)
        try:
            wrong = run(witnessed, kills=options.kills, seed=options.seed)
        finally:
            witnessed.stop()
    return verdict(directory, wrong, well="each entry one leaf, one root a size, both witnesses agree", begun=begun)


if __name__ == "__main__":
    sys.exit(main())
