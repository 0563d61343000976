"""One look at log, chain and witnesses: what each says is held against what is known, and against the others."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from common.outgoing.asking import Asker
from ledger.chain.node import Chain
from ledger.errors import ChainError
from ledger.log.monitor import chain_side, witness_side
from ledger.log.monitor.chain_side import NodeView
from ledger.log.monitor.files import LogAway, LogFiles, LogFilesWrong
from ledger.log.monitor.findings import Finding, Severity
from ledger.log.monitor.following import Growth, Shown, follow, proven_root, shown_by
from ledger.log.monitor.state import Claim, State
from ledger.log.note import VerifierKey

# What is not compared yet is remembered up to so many leaves; a longer log is read again
UNCOMPARED_MAX = 100_000
Bar = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]


@dataclass(frozen=True)
class Sources:
    """Whom to ask, and which keys are pinned."""

    files: LogFiles
    key: VerifierKey
    nodes: Sequence[Chain]  # each of one node
    witnesses: Sequence[VerifierKey]
    witness_urls: Sequence[str]
    asker: Asker


@dataclass
class Look:
    """What was found; `told` are the findings that somebody should know of now."""

    at: int
    told: list[Finding] = field(default_factory=list)
    log_answers: bool = False
    shown_size: int = 0
    grew_from: int = 0
    nodes: dict[str, int] = field(default_factory=dict)  # the log's size by each node that answers

    @property
    def severity(self) -> Severity:
        return max((finding.severity for finding in self.told), default=Severity.WELL)


def look(state: State, sources: Sources, *, now: int, late_s: int, bar: Bar) -> Look:
    """Look once, and let the state know what is proven."""
    found = Look(now, grew_from=state.frontier.size)
    shown = shown_by(sources.files, sources.key)
    views, findings = chain_side.node_views(sources.nodes)
    texts, more = witness_side.notes_shown(sources.witness_urls, sources.asker)
    findings += more
    found.nodes = {view.url: view.row.size for view in views}
    claims = [*state.later, *witness_side.claims_of(texts, sources.key)]
    claims += [view.claim for view in views if view.is_final]
    for claim in claims:
        if claim.note:
            witness_side.signatures_note(state, claim.note, sources.witnesses)
    if isinstance(shown, Finding):
        findings.append(shown)
    else:
        found.log_answers, found.shown_size = True, shown.checkpoint.size
        findings += _followed(state, sources, shown, views, claims, now=now, late_s=late_s, bar=bar)
    findings += _claims_held(state, sources, claims)
    findings += _views_told(state, views)
    found.told = _told(state, findings, now, late_s)
    return found


def _followed(
    state: State,
    sources: Sources,
    shown: Shown,
    views: Sequence[NodeView],
    claims: Sequence[Claim],
    *,
    now: int,
    late_s: int,
    bar: Bar,
) -> list[Finding]:
    witness_side.signatures_note(state, shown.text, sources.witnesses)
    new = max(shown.checkpoint.size - state.frontier.size, 0)
    with bar("reading the log", new) as progress:
        growth = follow(state, sources.files, shown, {claim.size for claim in claims}, progress)
    findings = witness_side.stopped(state, shown, sources.witnesses)
    if isinstance(growth, Finding):
        return [*findings, growth]
    ready = [view for view in views if view.row.size >= shown.checkpoint.size]
    if sources.nodes and not ready and len(state.uncompared) + len(growth.leaves) > UNCOMPARED_MAX:
        return findings  # as nothing of it could be compared, it is read again once a node answers
    findings += [
        Finding("record_doubled", str(number), f"record {number}, again among the last {len(growth.leaves)} leaves")
        for number in growth.doubled
    ]
    _take(state, shown, growth, keep_leaves=bool(sources.nodes))
    if ready:
        try:
            findings += _compared(state, ready[0], now, bar)
            findings += chain_side.missing(state, now, late_s)
        except ChainError as error:
            findings.append(Finding("chain_away", ready[0].url, str(error)))
    return findings


def _take(state: State, shown: Shown, growth: Growth, *, keep_leaves: bool) -> None:
    state.frontier, state.ids, state.note = growth.frontier, growth.ids, shown.text
    for size, root in growth.roots.items():
        state.remember(size, root)
    state.remember(growth.frontier.size, growth.frontier.root())
    if keep_leaves:
        state.uncompared += [leaf.hex() for leaf in growth.leaves]


def _compared(state: State, view: NodeView, now: int, bar: Bar) -> list[Finding]:
    """The new leaves are records, and no record is left over."""
    leaves = [bytes.fromhex(leaf) for leaf in state.uncompared]
    with bar("comparing with the chain", len(leaves)) as progress:
        findings = chain_side.invented(view.chain, leaves, state.frontier.size - len(leaves), progress)
    state.uncompared = []
    chain_side.unlogged(state, view, now)
    return findings


# --- what was claimed of the log, by whomever


def _claims_held(state: State, sources: Sources, claims: Sequence[Claim]) -> list[Finding]:
    """Each is true, or not yet to be told: then it is kept until the log is that large."""
    findings: list[Finding] = []
    state.later = []
    for claim in claims:
        if claim.size > state.frontier.size:
            state.wait_for(claim)
        elif finding := _held(state, sources, claim):
            findings.append(finding)
    for claim in state.later:
        text = f"{claim.who} knows {claim.size} entries, the log shows {state.frontier.size}"
        findings.append(Finding("log_not_shown", claim.who, text, patient=True, mark=str(claim.size)))
    return findings


def _held(state: State, sources: Sources, claim: Claim) -> Finding | None:
    if claim.size == 0:
        return None
    try:
        if claim.size not in state.roots:
            state.remember(claim.size, proven_root(state, sources.files, claim.size))
    except LogAway as error:
        return Finding("log_away", "log", str(error))
    except LogFilesWrong as error:
        return Finding("log_files", "log", str(error), patient=True)
    ours = state.roots[claim.size]
    if ours == claim.root:
        return None
    text = f"{claim.who} has {claim.size} entries with the root {claim.root}, the log's is {ours}"
    if claim.note:
        return Finding("log_fork", claim.who, text, notes=(claim.note, state.note))
    return Finding("chain_fork", claim.who, text)


def _views_told(state: State, views: Sequence[NodeView]) -> list[Finding]:
    findings = []
    for view in views:
        if view.is_final and state.roots.get(view.row.size) == view.row.root.hex():
            state.upto = max(state.upto, view.row.upto)
        if view.row.size == 0 and state.frontier.size:
            text = f"{view.url} knows of no checkpoint, the log has {state.frontier.size} entries"
            findings.append(Finding("chain_without_log", view.url, text, patient=True))
    return findings


def _told(state: State, findings: Sequence[Finding], now: int, late_s: int) -> list[Finding]:
    """Those that are so for long enough, and the contradictions that there ever were."""
    began: dict[str, int] = {}
    told: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        if finding.patient:
            key = f"{finding.code} {finding.subject} {finding.mark}"
            began[key] = state.since.get(key, now)
            if now - began[key] < late_s:
                continue
        if finding.stays:
            state.keep(finding, now)
        told.setdefault((finding.code, finding.subject), finding)
    state.since = began
    for finding in state.contradictions:
        told.setdefault((finding.code, finding.subject), finding)
    return sorted(told.values(), key=lambda finding: (-finding.severity, finding.code, finding.subject))
