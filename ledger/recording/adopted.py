"""A transaction that recorded entries and that the database does not know: its row, made of the block that holds it."""

from ledger.chain import antelope, p256
from ledger.chain.block import BlockTransaction
from ledger.chain.node import Block
from ledger.chain.view import View
from ledger.models import ChainTransaction


def adopted_row(block: Block, found: BlockTransaction, view: View) -> ChainTransaction:
    """Of an irreversible block; who signed is recovered from the signature."""
    unpacked = antelope.Transaction.unpack(found.packed)
    digest = antelope.signing_digest(bytes.fromhex(view.chain.chain_id), found.packed)
    _, signature = antelope.signature_decode(found.signatures[0])
    row, _ = ChainTransaction.objects.update_or_create(
        transaction_id=found.id.hex(),
        defaults={
            "status": ChainTransaction.Status.IRREVERSIBLE,
            "packed": found.packed,
            "signature": found.signatures[0],
            "public_key": antelope.public_key_encode(p256.recover(digest, signature)),
            "expires_at": unpacked.expiration,
            "ref_block_num": block.num - ((block.num - unpacked.ref_block_num) & 0xFFFF),
            "sent_at": block.time,
            "block_num": block.num,
            "block_id": block.id,
            "created_at": block.time,
            "irreversible_at": block.time,
            "error_code": "",
            "error_message": "",
        },
    )
    return row
