"""What can go wrong in the ledger.

LedgerError
├── RecordError             a session or a sealed copy is not what it should be
├── KeyDestroyed            the data key was destroyed with its customer: the copy stays closed
├── MasterKeyMissing        the master key of a data key does not open here: file, sealed object or TPM is gone
├── MasterKeyBusy           another process is at work on the master key file
├── RecoveryKeyError        no recovery key is set, or it is not the one that is needed
├── DatabaseBehind          the chain has records that the database does not have: nothing may be recorded now
├── NotRecordedYet          no receipt before the transaction is irreversible
├── RepairRefused           this cannot be put back to what was recorded; the message says why
├── StatementMailRefused    a statement cannot be sent to this person now; the message is for them
└── ChainError              `permanent` tells stop from retry, `code` is the node's
    ├── ChainUnreachable        no node answered a read
    │   └── CallMissing         no node offers this call
    ├── OutcomeUnknown          a transaction may or may not have arrived
    ├── WrongChain              a node serves another chain than the pinned one
    ├── DuplicateTransaction    3040008: it is known already, a success so far
    ├── TransactionExpired      3040005
    ├── BadReferenceBlock       3040007
    ├── CpuExceeded             3080004 and its kin
    ├── RamExceeded             3080001
    ├── NetExceeded             3080002
    ├── Unauthorized            3090003 and its kin
    ├── AssertionFailed         3050003: the contract refused
    └── ChainRefused            any other code
        └── BlockUnavailable    no node that answers has this block
"""


class LedgerError(Exception):
    """The root of this package's errors."""


class RecordError(LedgerError):
    pass


class KeyDestroyed(LedgerError):
    pass


class MasterKeyMissing(LedgerError):
    pass


class MasterKeyBusy(LedgerError):
    pass


class RecoveryKeyError(LedgerError):
    pass


class DatabaseBehind(LedgerError):
    """`subject` is that of the alert."""

    def __init__(self, message: str, subject: str) -> None:
        super().__init__(message)
        self.subject = subject


class NotRecordedYet(LedgerError):
    pass


class RepairRefused(LedgerError):
    pass


class StatementMailRefused(LedgerError):
    pass


class ChainError(LedgerError):
    """A node's refusal. `code` is Antelope's error code, 0 where there was none; `alert` tells a person of it."""

    permanent = False
    alert = "chain_unreachable"

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class ChainUnreachable(ChainError):
    pass


class CallMissing(ChainUnreachable):
    pass


class OutcomeUnknown(ChainError):
    pass


class WrongChain(ChainError):
    permanent = True
    alert = "wrong_chain"


class DuplicateTransaction(ChainError):
    pass


class TransactionExpired(ChainError):
    permanent = True


class BadReferenceBlock(ChainError):
    permanent = True


class CpuExceeded(ChainError):
    pass


class RamExceeded(ChainError):
    pass


class NetExceeded(ChainError):
    pass


class Unauthorized(ChainError):
    permanent = True


class AssertionFailed(ChainError):
    permanent = True


class ChainRefused(ChainError):
    permanent = True


class BlockUnavailable(ChainRefused):
    alert = "block_unavailable"


# The node's codes (libraries/chain/include/eosio/chain/exceptions.hpp) that we treat on purpose.
BY_CODE: dict[int, type[ChainError]] = {
    3040005: TransactionExpired,
    3040007: BadReferenceBlock,
    3040008: DuplicateTransaction,
    3050003: AssertionFailed,
    3080001: RamExceeded,
    3080002: NetExceeded,
    3080003: NetExceeded,  # the block's NET
    3080004: CpuExceeded,
    3080005: CpuExceeded,  # the block's CPU
    3080006: CpuExceeded,  # the node's deadline
    3080007: NetExceeded,  # greylisted
    3080008: CpuExceeded,  # greylisted
    3090003: Unauthorized,
    3090004: Unauthorized,
    3090005: Unauthorized,
}
