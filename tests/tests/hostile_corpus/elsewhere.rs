//! What is no edit of a payment: registrations (C09), signatures for strangers' inputs (C12), and messages that pose as
//! payments (C32).

use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::bip32::Xpub;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::opcodes::OP_FALSE;
use bitcoin::psbt::Psbt;
use bitcoin::script::Builder;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use cold_vault::keys::Entropy;
use policies::wallet::{Branch, Keypath};
use psbt_tools::Error;
use psbt_tools::import::{Context, import};

use crate::corpus::attempt::{Attempt, Tampering, attempt};
use crate::corpus::desk::Desk;
use crate::corpus::payment::Payment;
use crate::corpus::purse::{Kind, Purse, WORDS, vault_seed};
use crate::corpus::row::Off;
use crate::corpus::rows::ownership::{paid_by, take_input};

/// A descriptor that must not be registered.
#[derive(Clone, Copy)]
pub struct Registration {
    pub name: &'static str,
    pub off: Off,
    /// From the honest descriptor and the key expressions of the vault and of two others, without branch.
    pub descriptor: fn(&str, [&str; 3]) -> String,
}

const NO_KEY: Off = Off::Never("no key here stands in it by its own origin, and so none could sign");
const NO_WALLET: Off = Off::Never("no wallet is read from it");

pub const REGISTRATIONS: &[Registration] = &[
    Registration {
        name: "the own key twice",
        off: Off::Alone,
        descriptor: |_, [own, one, _]| {
            format!("wsh(sortedmulti(2,{own}/<0;1>/*,{own}/<2;3>/*,{one}/<0;1>/*))")
        },
    },
    Registration {
        name: "a cosigner twice",
        off: Off::Alone,
        descriptor: |_, [own, one, _]| {
            format!("wsh(sortedmulti(2,{own}/<0;1>/*,{one}/<0;1>/*,{one}/<2;3>/*))")
        },
    },
    Registration {
        name: "no own key",
        off: NO_KEY,
        descriptor: |_, [_, one, two]| format!("wsh(sortedmulti(1,{one}/<0;1>/*,{two}/<0;1>/*))"),
    },
    Registration {
        name: "the own key under another path",
        off: NO_KEY,
        descriptor: |honest, [own, ..]| honest.replace(own, &own.replace("48'/1'/0'/2'", "48'/1'/9'/2'")),
    },
    Registration {
        name: "the own key under another fingerprint",
        off: NO_KEY,
        descriptor: |honest, [own, ..]| honest.replace(own, &format!("[00000000{}", &own[9..])),
    },
    Registration {
        name: "a stranger's key under the own origin",
        off: NO_KEY,
        descriptor: |_, [own, one, two]| {
            let (origin, _) = own.split_once(']').unwrap();
            let (_, xpub) = two.split_once(']').unwrap();
            format!("wsh(sortedmulti(2,{origin}]{xpub}/<0;1>/*,{one}/<0;1>/*))")
        },
    },
    Registration {
        name: "a checksum of another descriptor",
        off: NO_WALLET,
        descriptor: |honest, _| format!("{honest}#qqqqqqqq"),
    },
    Registration {
        name: "both branches alike",
        off: NO_WALLET,
        descriptor: |honest, _| honest.replace("<0;1>", "<0;0>"),
    },
    Registration {
        name: "keys without a range",
        off: NO_WALLET,
        descriptor: |honest, _| honest.replace("/<0;1>/*", "/0/0"),
    },
    Registration {
        name: "an account of the own seed that no key here is for",
        off: Off::Alone,
        descriptor: |_, [_, one, two]| {
            let other = Purse::of(Kind::Leaf, &vault_seed());
            let key = expression(&other, 0);
            format!("wsh(sortedmulti(2,{key}/<0;1>/*,{one}/<0;1>/*,{two}/<0;1>/*))")
        },
    },
];

/// The wallets whose inputs and messages are tried.
pub const KINDS: [Kind; 5] = [Kind::Wpkh, Kind::Tr, Kind::Pkh, Kind::Wsh, Kind::Leaf];

/// A vault that waits for its cosigners' wallet.
pub fn waiting() -> (Desk, Purse) {
    let entropy = Entropy::from_words(WORDS).unwrap_or_else(|_| panic!("words"));
    (Desk::with_keys(&entropy, &[Kind::Wsh]), Purse::of(Kind::Wsh, &vault_seed()))
}

impl Registration {
    pub fn title(&self) -> String {
        format!("C09 {}", self.name)
    }

    /// The code with which it is refused; `None` when it would be registered. Nothing is written before consent.
    pub fn refused(&self, desk: &mut Desk, purse: &Purse) -> Option<String> {
        let keys = [0, 1, 2].map(|key| expression(purse, key));
        let honest =
            format!("wsh(sortedmulti(2,{}/<0;1>/*,{}/<0;1>/*,{}/<0;1>/*))", keys[1], keys[2], keys[0]);
        let descriptor = (self.descriptor)(&honest, [&keys[0], &keys[1], &keys[2]]);
        desk.register("wsh", vec![descriptor], None).err().map(|fault| fault.code)
    }
}

/// `[fingerprint/path]tpub` of one of the template's keys.
fn expression(purse: &Purse, key: usize) -> String {
    let xpub = Xpub::from_priv(&Secp256k1::new(), &purse.keys[key]);
    let key = purse.wallet.keys().iter().find(|key| key.xpub == xpub).expect("a key");
    key.to_string()
}

/// The vault's signature put at a stranger's input (C12); the twin puts it where it belongs.
pub fn attached(desk: &mut Desk, kind: Kind, foreign: bool) -> Result<Vec<u8>, Error> {
    let payment = desk.payment(kind);
    let mut signatures =
        attempt(desk, payment.psbt().serialize(), &[], Tampering::default()).signatures.expect("signed");
    let mut psbt = payment.psbt();
    if foreign {
        take_input(&mut psbt, &paid_by(payment.foreign(), payment.number));
        signatures.truncate(1);
        signatures[0].input = 2;
    }
    let imported = import(psbt.serialize(), &desk.wallets(), &Context::default()).expect("a PSBT");
    imported.with_signatures(&signatures, &[])
}

/// What it takes for the file to hold it.
pub fn attached_off(kind: Kind) -> Off {
    match kind {
        Kind::Tr | Kind::Leaf => Off::Never("a taproot input has no field for another key's signature"),
        _ => Off::With(&[28]),
    }
}

/// The transaction that a BIP322 signature is made of, as a PSBT to be paid (C32).
pub fn message(desk: &mut Desk, kind: Kind) -> Attempt {
    let payment = desk.payment(kind);
    let at = Keypath { branch: Branch::External, index: 0 };
    let tag = sha256::Hash::hash(b"BIP0322-signed-message");
    let mut engine = sha256::Hash::engine();
    for part in [tag.as_byte_array().as_slice(), tag.as_byte_array(), payment.number.to_string().as_bytes()] {
        engine.input(part);
    }
    let hash = sha256::Hash::from_engine(engine).to_byte_array();
    let script_sig = Builder::new().push_opcode(OP_FALSE).push_slice(hash).into_script();
    let to_spend = Transaction {
        version: Version(0),
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: Txid::all_zeros(), vout: u32::MAX },
            script_sig,
            sequence: Sequence::ZERO,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: payment.purse().wallet.script(at).unwrap(),
        }],
    };
    let honest = payment.psbt();
    let mut psbt = Psbt::from_unsigned_tx(Transaction {
        version: Version(0),
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: to_spend.compute_txid(), vout: 0 },
            sequence: Sequence::ZERO,
            ..TxIn::default()
        }],
        output: vec![TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from_bytes(vec![0x6a]) }],
    })
    .expect("unsigned");
    psbt.inputs[0] = honest.inputs[0].clone();
    if psbt.inputs[0].witness_utxo.is_some() {
        psbt.inputs[0].witness_utxo = Some(to_spend.output[0].clone());
    }
    psbt.inputs[0].non_witness_utxo = Some(to_spend);
    attempt(desk, psbt.serialize(), &[16, 19, 20, 31], Tampering::default())
}

/// An honest payment by a wallet, once it is registered.
pub fn registered(desk: &mut Desk, purse: Purse) -> Attempt {
    let wallet = purse.wallet.clone();
    desk.register("wsh", purse.descriptors(), Some(&wallet)).expect("registered");
    desk.purses = Arc::new(vec![purse]);
    let payment: Payment = desk.payment(Kind::Wsh);
    attempt(desk, payment.psbt().serialize(), &[], Tampering::default())
}
