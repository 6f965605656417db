"""BDK by its Python bindings: the library under many mobile and desktop wallets."""

import bdkpython as bdk

from peer import serve, timed

NETWORK, KIND = bdk.Network.REGTEST, bdk.NetworkKind.TEST
SIGN_OPTIONS = bdk.SignOptions(
    trust_witness_utxo=False,
    assume_height=None,
    allow_all_sighashes=False,
    try_finalize=False,
    sign_with_tap_internal_key=True,
    allow_grinding=True,
)


def wallet_of(external, internal):
    """A wallet in memory."""
    pair = [bdk.Descriptor(text, KIND) for text in (external, internal)]
    return bdk.Wallet(*pair, NETWORK, bdk.Persister.new_in_memory())


def address(descriptor, index):
    """The address at an index."""
    derived = bdk.Descriptor(descriptor, KIND).derive_address(index, NETWORK)
    return {"address": str(derived)}


def create(external, internal, coins, to, amount, fee, psbt_version):
    """A payment of all `coins`, always of version 0; change is the wallet's choice."""
    wallet = wallet_of(external, internal)
    wallet.reveal_addresses_to(bdk.KeychainKind.EXTERNAL, max(coin["index"] for coin in coins))
    funding = {raw: bdk.Transaction(bytes.fromhex(raw)) for raw in {coin["transaction"] for coin in coins}}
    wallet.apply_unconfirmed_txs([bdk.UnconfirmedTx(tx=transaction, last_seen=1) for transaction in funding.values()])
    outpoints = [
        bdk.OutPoint(txid=funding[coin["transaction"]].compute_txid(), vout=coin["vout"]) for coin in coins
    ]
    recipient = bdk.Address(to, NETWORK).script_pubkey()
    builder = bdk.TxBuilder().add_utxos(outpoints).manually_selected_only()
    builder = builder.add_recipient(recipient, bdk.Amount.from_sat(amount)).fee_absolute(bdk.Amount.from_sat(fee))
    return {"psbt": builder.finish(wallet).serialize()}


def sign(psbt, external, internal):
    """The file with the signatures of every secret key in the descriptors, and the seconds that took."""
    wallet = wallet_of(external, internal)
    inputs = len(bdk.Psbt(psbt).input())
    wallet.reveal_addresses_to(bdk.KeychainKind.EXTERNAL, inputs)

    def work():
        parsed = bdk.Psbt(psbt)
        wallet.sign(parsed, SIGN_OPTIONS)
        return parsed.serialize()

    signed, seconds = timed(work)
    return {"psbt": signed, "seconds": seconds}


def combine(psbts):
    """One file with the signatures of all."""
    first, *others = [bdk.Psbt(psbt) for psbt in psbts]
    for other in others:
        first = first.combine(other)
    return {"psbt": first.serialize()}


def finalize(psbt, external):
    """The network transaction; none while signatures are missing."""
    result = bdk.Psbt(psbt).finalize()
    if not result.could_finalize:
        return {"transaction": None, "why": [str(error) for error in result.errors or []]}
    # The fee is the test's business.
    return {"transaction": result.psbt.extract_tx_unchecked_fee_rate().serialize().hex()}


if __name__ == "__main__":
    serve(address, create, sign, combine, finalize)
