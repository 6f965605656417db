"""embit: a library of hardware wallets (Specter-DIY, Krux, SeedSigner)."""

from embit import bip32, finalizer, script
from embit.descriptor import Descriptor
from embit.descriptor.arguments import Key
from embit.networks import NETWORKS
from embit.psbt import PSBT, DerivationPath
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from peer import keys_of, serve, timed

NETWORK = NETWORKS["regtest"]


def key(seed, path):
    """An account key as descriptors write it, public and secret."""
    root = bip32.HDKey.from_seed(bytes.fromhex(seed), version=NETWORK["xprv"])
    account = root.derive("m/" + path)
    origin = f"[{root.my_fingerprint.hex()}/{path}]"
    public = account.to_public().to_base58(NETWORK["xpub"])
    return {"public": origin + public, "secret": origin + account.to_base58(NETWORK["xprv"])}


def address(descriptor, index):
    """The address at an index."""
    return {"address": Descriptor.from_string(descriptor).derive(index).address(NETWORK)}


def create(external, internal, coins, to, amount, fee, psbt_version):
    """A payment of all `coins`; the change goes to the first internal address."""
    external, internal = Descriptor.from_string(external), Descriptor.from_string(internal)
    funding = {raw: Transaction.from_string(raw) for raw in {coin["transaction"] for coin in coins}}
    owners = [external.derive(coin["index"]) for coin in coins]
    spent = [funding[coin["transaction"]].vout[coin["vout"]] for coin in coins]
    change = internal.derive(0)
    rest = sum(output.value for output in spent) - amount - fee
    inputs = [
        TransactionInput(funding[coin["transaction"]].txid(), coin["vout"], sequence=0xFFFFFFFD) for coin in coins
    ]
    outputs = [
        TransactionOutput(amount, script.address_to_scriptpubkey(to)),
        TransactionOutput(rest, change.script_pubkey()),
    ]
    psbt = PSBT(Transaction(vin=inputs, vout=outputs), version=psbt_version or None)
    for scope, coin, output, owner in zip(psbt.inputs, coins, spent, owners):
        describe(scope, owner)
        if owner.is_segwit or owner.is_taproot:
            scope.witness_utxo = output
        if not owner.is_taproot:
            scope.non_witness_utxo = funding[coin["transaction"]]
    describe(psbt.outputs[1], change)
    return {"psbt": psbt.to_string()}


def describe(scope, owner):
    """Scripts and keys of a derived descriptor."""
    scope.redeem_script, scope.witness_script = owner.redeem_script(), owner.witness_script()
    for used in owner.keys:
        path = DerivationPath(used.origin.fingerprint, used.origin.derivation)
        if owner.is_taproot:
            scope.taproot_bip32_derivations[used.key.get_public_key()] = ([], path)
            scope.taproot_internal_key = used.key.get_public_key()
        else:
            scope.bip32_derivations[used.key.get_public_key()] = path


def sign(psbt, external, internal):
    """The file with the signatures of every secret key in the descriptors, and the seconds that took."""
    taproot = external.startswith("tr(")
    signers = [Key.from_string(text, taproot) for text in keys_of(external) if "tprv" in text]

    def work():
        parsed = PSBT.from_string(psbt)
        for signer in signers:
            parsed.sign_with(signer)
        return parsed.to_string()

    signed, seconds = timed(work)
    return {"psbt": signed, "seconds": seconds}


def combine(psbts):
    """One file with the signatures of all."""
    first, *others = [PSBT.from_string(psbt) for psbt in psbts]
    for other in others:
        for scope, more in zip(first.inputs, other.inputs):
            scope.update(more)
    return {"psbt": first.to_string()}


def finalize(psbt, external):
    """The network transaction; none while signatures are missing. Knows neither taproot nor `sh(multi)`."""
    transaction = finalizer.finalize_psbt(PSBT.from_string(psbt))
    return {"transaction": transaction and transaction.serialize().hex()}


if __name__ == "__main__":
    serve(key, address, create, sign, combine, finalize)
