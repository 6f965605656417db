"""Electrum, as Debian packages it: its own wallet, coin handling, PSBT code and signer, offline and in memory."""

import re
import tempfile
from base64 import b64encode

from electrum import constants, keystore
from electrum.bip32 import BIP32Node
from electrum.simple_config import SimpleConfig
from electrum.transaction import PartialTransaction, PartialTxOutput, Transaction
from electrum.util import create_and_start_event_loop
from electrum.wallet import Wallet
from electrum.wallet_db import WalletDB

from peer import keys_of, serve, timed

constants.set_regtest()

# Electrum names the script in the version bytes of the extended key (SLIP132), not in a descriptor.
KEY_TYPES = {
    "pkh": "standard",
    "sh(wpkh": "p2wpkh-p2sh",
    "wpkh": "p2wpkh",
    "sh(sortedmulti": "standard",
    "sh(wsh(sortedmulti": "p2wsh-p2sh",
    "wsh(sortedmulti": "p2wsh",
}


def wallet_of(external):
    """A wallet in memory with the keys of a descriptor."""
    script, threshold = re.match(r"((?:\w+\()*\w+)\((?:(\d+),)?", external).groups()
    stores = [store_of(text, KEY_TYPES[script]) for text in keys_of(external)]
    db = WalletDB("", manual_upgrades=False)
    if threshold is None:
        db.put("wallet_type", "standard")
        db.put("keystore", stores[0].dump())
    else:
        db.put("wallet_type", f"{threshold}of{len(stores)}")
        for number, store in enumerate(stores, 1):
            db.put(f"x{number}/", store.dump())
    config = SimpleConfig({"electrum_path": tempfile.mkdtemp(), "offline": True})
    wallet = Wallet(db, None, config=config)
    wallet.synchronize()
    return wallet


def store_of(text, key_type):
    """A key store from `[fingerprint/path]tpub` or `tprv`."""
    fingerprint, path, extended = re.fullmatch(r"\[(\w{8})/([^\]]+)\](\w+)", text).groups()
    node = BIP32Node.from_xkey(extended)._replace(xtype=key_type)
    store = keystore.from_master_key(node.to_xprv() if node.is_private() else node.to_xpub())
    store.add_key_origin(derivation_prefix="m/" + path.replace("h", "'"), root_fingerprint=fingerprint)
    return store


def reveal(wallet, count):
    """Gives the wallet so many addresses for payers."""
    while len(wallet.get_receiving_addresses()) < count:
        wallet.create_new_address(False)


def address(descriptor, index):
    """The address at an index."""
    wallet = wallet_of(descriptor)
    reveal(wallet, index + 1)
    return {"address": wallet.get_receiving_addresses()[index]}


def create(external, internal, coins, to, amount, fee, psbt_version):
    """A payment of all `coins`, always of version 0, with extended keys as for cosigners; change is the wallet's choice."""
    wallet = wallet_of(external)
    reveal(wallet, max(coin["index"] for coin in coins) + 1)
    for raw in {coin["transaction"] for coin in coins}:
        wallet.adb.add_transaction(Transaction(raw))
    outputs = [PartialTxOutput.from_address_and_value(to, amount)]
    psbt = wallet.make_unsigned_transaction(
        coins=wallet.get_spendable_coins(None), outputs=outputs, fee=fee, rbf=True
    )
    psbt.add_info_from_wallet(wallet, include_xpubs=True)
    return {"psbt": base64_of(psbt)}


def sign(psbt, external, internal):
    """The file with the signatures of every secret key in the descriptors, and the seconds that took."""
    wallet = wallet_of(external)
    reveal(wallet, len(PartialTransaction.from_raw_psbt(psbt).inputs()))

    def work():
        parsed = PartialTransaction.from_raw_psbt(psbt)
        wallet.sign_transaction(parsed, None)
        return base64_of(parsed)

    signed, seconds = timed(work)
    return {"psbt": signed, "seconds": seconds}


def base64_of(psbt):
    """The file, a PSBT even when it is complete."""
    return b64encode(psbt.serialize_as_bytes(force_psbt=True)).decode()


def combine(psbts):
    """One file with the signatures of all."""
    first, *others = [PartialTransaction.from_raw_psbt(psbt) for psbt in psbts]
    for other in others:
        first.combine_with_other_psbt(other)
    return {"psbt": base64_of(first)}


def finalize(psbt, external):
    """The network transaction; none while signatures are missing."""
    wallet = wallet_of(external)
    parsed = PartialTransaction.from_raw_psbt(psbt)
    reveal(wallet, len(parsed.inputs()))
    # It tells kinds of scripts apart only within a wallet.
    parsed.add_info_from_wallet(wallet)
    parsed.finalize_psbt()
    return {"transaction": parsed.serialize_to_network() if parsed.is_complete() else None}


if __name__ == "__main__":
    # Its wallet wants a running loop, although nothing here goes over a network.
    loop, stopping, thread = create_and_start_event_loop()
    try:
        serve(address, create, sign, combine, finalize)
    finally:
        loop.call_soon_threadsafe(stopping.set_result, 1)
        thread.join()
