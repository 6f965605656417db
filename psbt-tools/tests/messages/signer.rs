//! Signs messages as a wallet would, and as no honest one does.

use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::secp256k1::{Keypair, Message as Digest, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{Amount, OutPoint, PublicKey, Script, ScriptBuf, Sequence, Transaction, TxOut, Txid, Witness};
use policies::evidence::Evidence;
use policies::message::Message;
use policies::message::bip322::{ClaimedCoin, Locks, Satisfaction, ToSign};
use psbt_tools::message::signature::Signature;

pub const SCRIPTS: [Kind; 6] = [Kind::Pkh, Kind::ShWpkh, Kind::Wpkh, Kind::Tr, Kind::ShMulti, Kind::WshMulti];

/// The kinds of address that the tests sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Pkh,
    ShWpkh,
    Wpkh,
    Tr,
    /// 2-of-2.
    ShMulti,
    /// 2-of-2.
    WshMulti,
}

pub fn message(text: &str) -> Message {
    Message::new(text).unwrap()
}

pub fn secret(n: u8) -> SecretKey {
    SecretKey::from_slice(&[n; 32]).unwrap()
}

pub fn key(n: u8) -> PublicKey {
    PublicKey::new(secret(n).public_key(&Secp256k1::new()))
}

pub fn multi() -> ScriptBuf {
    let keys = Builder::new().push_int(2).push_key(&key(7)).push_key(&key(8));
    keys.push_int(2).push_opcode(bitcoin::opcodes::all::OP_CHECKMULTISIG).into_script()
}

impl Kind {
    pub fn script(self) -> ScriptBuf {
        let wpkh = ScriptBuf::new_p2wpkh(&key(7).wpubkey_hash().unwrap());
        match self {
            Kind::Pkh => ScriptBuf::new_p2pkh(&key(7).pubkey_hash()),
            Kind::ShWpkh => wpkh.to_p2sh(),
            Kind::Wpkh => wpkh,
            Kind::Tr => ScriptBuf::new_p2tr(&Secp256k1::new(), key(7).inner.x_only_public_key().0, None),
            Kind::ShMulti => multi().to_p2sh(),
            Kind::WshMulti => multi().to_p2wsh(),
        }
    }

    /// What satisfies an input of this kind.
    pub fn satisfy(self, transaction: &Transaction, prevouts: &[TxOut], at: usize) -> Satisfaction {
        let all = EcdsaSighashType::All;
        let legacy = |n, script: &Script| legacy(transaction, at, script, n);
        let v0 = |n, script: &Script| segwit(transaction, prevouts, at, script, n, all);
        let pkh = ScriptBuf::new_p2pkh(&key(7).pubkey_hash());
        let pushes = |items: &[Vec<u8>]| {
            items.iter().fold(Builder::new(), |script, item| {
                script.push_slice(PushBytesBuf::try_from(item.clone()).unwrap())
            })
        };
        let witness = |items: &[Vec<u8>]| Satisfaction {
            witness: Witness::from_slice(items),
            ..Satisfaction::default()
        };
        let script_sig = |script: ScriptBuf| Satisfaction { script_sig: script, ..Satisfaction::default() };
        match self {
            Kind::Pkh => script_sig(pushes(&[legacy(7, &pkh), key(7).to_bytes()]).into_script()),
            Kind::Wpkh => witness(&[v0(7, &pkh), key(7).to_bytes()]),
            Kind::ShWpkh => Satisfaction {
                script_sig: pushes(&[Kind::Wpkh.script().to_bytes()]).into_script(),
                ..witness(&[v0(7, &pkh), key(7).to_bytes()])
            },
            Kind::Tr => witness(&[taproot(transaction, prevouts, at, TapSighashType::Default)]),
            Kind::ShMulti => {
                let items = [vec![], legacy(7, &multi()), legacy(8, &multi()), multi().to_bytes()];
                script_sig(pushes(&items).into_script())
            }
            Kind::WshMulti => witness(&[vec![], v0(7, &multi()), v0(8, &multi()), multi().to_bytes()]),
        }
    }
}

fn der(digest: [u8; 32], n: u8, sighash_type: u32) -> Vec<u8> {
    let signature = Secp256k1::new().sign_ecdsa(&Digest::from_digest(digest), &secret(n));
    [signature.serialize_der().as_ref(), &[sighash_type as u8]].concat()
}

pub fn legacy(transaction: &Transaction, at: usize, script: &Script, n: u8) -> Vec<u8> {
    let digest = SighashCache::new(transaction).legacy_signature_hash(at, script, 1).unwrap();
    der(digest.to_byte_array(), n, 1)
}

pub fn segwit(
    transaction: &Transaction,
    prevouts: &[TxOut],
    at: usize,
    script: &Script,
    n: u8,
    kind: EcdsaSighashType,
) -> Vec<u8> {
    let mut cache = SighashCache::new(transaction);
    let digest = cache.p2wsh_signature_hash(at, script, prevouts[at].value, kind).unwrap();
    der(digest.to_byte_array(), n, kind.to_u32())
}

pub fn taproot(transaction: &Transaction, prevouts: &[TxOut], at: usize, kind: TapSighashType) -> Vec<u8> {
    let secp = Secp256k1::new();
    let digest = SighashCache::new(transaction)
        .taproot_key_spend_signature_hash(at, &Prevouts::All(prevouts), kind)
        .unwrap();
    let tweaked = Keypair::from_secret_key(&secp, &secret(7)).tap_tweak(&secp, None).to_keypair();
    let signature = secp.sign_schnorr_no_aux_rand(&Digest::from_digest(digest.to_byte_array()), &tweaked);
    bitcoin::taproot::Signature { signature, sighash_type: kind }.to_vec()
}

/// A coin of a kind, and the transaction that made it.
pub fn coin(kind: Kind, n: u8) -> (ClaimedCoin, Transaction) {
    let output = TxOut { value: Amount::from_sat(50_000 + u64::from(n)), script_pubkey: kind.script() };
    let previous = Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn {
            previous_output: OutPoint::new(Txid::from_byte_array([n; 32]), 0),
            ..bitcoin::TxIn::default()
        }],
        output: vec![output.clone()],
    };
    let outpoint = OutPoint::new(previous.compute_txid(), 0);
    (ClaimedCoin { outpoint, output, sequence: Sequence::ZERO }, previous)
}

/// Signs honestly: the first input by `kind`, the coins by theirs.
pub fn sign(text: &str, kind: Kind, locks: Locks, coins: &[Kind]) -> (ToSign, Signature) {
    let made: Vec<_> = coins.iter().zip(1..).map(|(kind, n)| coin(*kind, n)).collect();
    let claimed: Vec<_> = made.iter().map(|(coin, _)| coin.clone()).collect();
    let to_sign = ToSign::new(&message(text), &kind.script(), locks, &claimed).unwrap();
    let satisfactions = satisfy(&to_sign, &[&[kind], coins].concat());
    let evidence = Evidence::new(made.into_iter().map(|(_, previous)| previous));
    let signature = Signature::new(&to_sign, satisfactions, &evidence).unwrap();
    (to_sign, signature)
}

pub fn satisfy(to_sign: &ToSign, kinds: &[Kind]) -> Vec<Satisfaction> {
    let of = |(at, kind): (usize, &Kind)| kind.satisfy(to_sign.transaction(), to_sign.prevouts(), at);
    kinds.iter().enumerate().map(of).collect()
}
