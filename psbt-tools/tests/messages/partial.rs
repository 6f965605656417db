//! Cosigners of one wallet, each with a file: what they signed counts in any order, and nothing else does.

use bitcoin::bip32::{ChildNumber, Xpriv, Xpub};
use bitcoin::secp256k1::{Message as Digest, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Amount, Network, OutPoint, Sequence, TxOut, Txid};
use policies::evidence::Evidence;
use policies::message::bip322::{ClaimedCoin, Locks, ToSign};
use policies::message::{Message, MessageForm};
use policies::signature::InputSignature;
use policies::wallet::{Branch, Keypath, Lock, Wallet};
use psbt_tools::message::partial::{Partial, PartlySigned};
use psbt_tools::message::reserves::Reserves;
use psbt_tools::message::signing::{Progress, Signing};
use psbt_tools::message::verify;

const AT: Keypath = Keypath { branch: Branch::External, index: 5 };

fn master(n: u8) -> Xpriv {
    Xpriv::new_master(Network::Regtest, &[n; 32]).unwrap()
}

fn wallet() -> Wallet {
    let secp = Secp256k1::new();
    let keys: Vec<_> = (1..=3)
        .map(|n| {
            let key = master(n);
            format!("[{}]{}/<0;1>/*", key.fingerprint(&secp), Xpub::from_priv(&secp, &key))
        })
        .collect();
    Wallet::new(Network::Regtest, &[format!("wsh(sortedmulti(2,{}))", keys.join(","))]).unwrap()
}

pub fn message() -> Message {
    Message::new("we are three\nand two are enough").unwrap()
}

fn to_sign(coins: &[ClaimedCoin]) -> ToSign {
    ToSign::new(&message(), &wallet().script(AT).unwrap(), Locks::NONE, coins).unwrap()
}

/// What a cosigner gives for every input; all are at one address.
fn signatures(n: u8, to_sign: &ToSign) -> Vec<InputSignature> {
    let secp = Secp256k1::new();
    let path = [0, AT.index].map(|step| ChildNumber::Normal { index: step });
    let secret = master(n).derive_priv(&secp, &path).unwrap().private_key;
    let derived = wallet().derived(AT).unwrap();
    let Lock::Witness { witness_script, .. } = &derived.lock else { panic!() };
    let mut cache = SighashCache::new(to_sign.transaction());
    let all = EcdsaSighashType::All;
    let inputs = to_sign.prevouts().iter().enumerate().map(|(at, output)| {
        let sighash = cache.p2wsh_signature_hash(at, witness_script, output.value, all).unwrap();
        let signature = secp.sign_ecdsa(&Digest::from(sighash), &secret);
        InputSignature {
            input: u32::try_from(at).unwrap(),
            public_key: secret.public_key(&secp).serialize().to_vec(),
            leaf: None,
            signature: bitcoin::ecdsa::Signature { signature, sighash_type: all }.to_vec(),
        }
    });
    inputs.collect()
}

fn finish(
    signatures: &[InputSignature],
) -> Result<Progress<psbt_tools::message::signature::Signature>, String> {
    let (to_sign, message, evidence) = (to_sign(&[]), message(), Evidence::default());
    let wallet = wallet();
    let signing = Signing {
        message: &message,
        to_sign: &to_sign,
        wallet: &wallet,
        keypaths: &[AT],
        evidence: &evidence,
    };
    signing.finish(MessageForm::Bip322Simple, signatures).map_err(|error| error.code())
}

/// The file that one cosigner hands on.
pub fn first() -> PartlySigned {
    file(signatures(1, &to_sign(&[])))
}

fn file(signatures: Vec<InputSignature>) -> PartlySigned {
    PartlySigned {
        wallet: wallet().id(),
        network: Network::Regtest,
        address: wallet().script(AT).unwrap(),
        keypath: AT,
        form: MessageForm::Bip322Simple,
        message: message(),
        partial: Partial { locks: Locks::NONE, signatures },
    }
}

#[test]
fn any_two_of_three_make_the_signature_and_one_does_not() {
    let of = |n| signatures(n, &to_sign(&[]));
    for (first, second) in [(1, 2), (2, 1), (3, 1)] {
        let mut partial = Partial { locks: Locks::NONE, signatures: of(first) };
        let Progress::Missing(keys) = finish(&partial.signatures).unwrap() else { panic!() };
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert!(!keys.contains(&master(first).fingerprint(&Secp256k1::new()).to_string()));
        partial.add(of(first));
        assert_eq!(partial.signatures.len(), 1, "the same again is no second one");
        partial.add(of(second));
        let Progress::Complete(signature) = finish(&partial.signatures).unwrap() else { panic!() };
        let verdict = verify(&message(), &wallet().script(AT).unwrap(), &signature);
        assert_eq!(verdict.as_str(), "valid");
    }
    let full = Signing {
        message: &message(),
        to_sign: &to_sign(&[]),
        wallet: &wallet(),
        keypaths: &[AT],
        evidence: &Evidence::default(),
    };
    let both = [of(1), of(2)].concat();
    let Progress::Complete(signature) = full.finish(MessageForm::Bip322Full, &both).unwrap() else {
        panic!()
    };
    assert_eq!(signature.form(), MessageForm::Bip322Full);
    assert!(full.finish(MessageForm::Bip137, &both).is_err());
    assert!(full.finish(MessageForm::Bip322ProofOfFunds, &both).is_err());
}

#[test]
fn signatures_of_strangers_and_of_other_messages_are_refused_by_name() {
    let other = Message::new("another text").unwrap();
    let other = ToSign::new(&other, &wallet().script(AT).unwrap(), Locks::NONE, &[]).unwrap();
    assert_eq!(finish(&signatures(1, &other)).unwrap_err(), "C28");
    assert_eq!(finish(&signatures(4, &to_sign(&[]))).unwrap_err(), "C28");
    let mut moved = signatures(1, &to_sign(&[]));
    moved[0].input = 1;
    assert_eq!(finish(&moved).unwrap_err(), "C28");
    // Where the wallet has another script, nothing is put together.
    let elsewhere = Signing {
        message: &message(),
        to_sign: &to_sign(&[]),
        wallet: &wallet(),
        keypaths: &[Keypath { index: 6, ..AT }],
        evidence: &Evidence::default(),
    };
    let both = [signatures(1, &to_sign(&[])), signatures(2, &to_sign(&[]))].concat();
    assert_eq!(elsewhere.finish(MessageForm::Bip322Simple, &both).unwrap_err().code(), "C12");
    let nowhere = Signing { keypaths: &[], ..elsewhere };
    assert_eq!(nowhere.finish(MessageForm::Bip322Simple, &both).unwrap_err().code(), "C12");
}

#[test]
fn the_file_survives_its_text_and_is_read_strictly() {
    let honest = file(signatures(2, &to_sign(&[])));
    assert_eq!(PartlySigned::decode(honest.encode().as_bytes()).unwrap(), honest);
    let text = honest.encode();
    for (from, to) in [
        ("airlock-message-1", "airlock-message-2"),
        ("\"regtest\"", "\"bitcoin\""),
        ("\"regtest\"", "\"moon\""),
        ("\"0/5\"", "\"2/5\""),
        ("\"0/5\"", "\"0/2147483648\""),
        ("\"0/5\"", "\"05\""),
        ("bip322-simple", "bip137"),
        ("bip322-simple", "bip322-proof-of-funds"),
        ("\"lock_time\": 0", "\"lock_time\": -1"),
        ("\"lock_time\": 0", "\"lock_time\": 4294967296"),
        ("\"sequence\": 0", "\"sequence\": \"0\""),
        ("\"input\": 0", "\"input\": 0, \"surplus\": 1"),
        ("\"public_key\": \"0", "\"public_key\": \"zz0"),
        ("\"signature\": \"30", "\"signature\": \"3"),
        ("\"message\"", "\"surplus\""),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(PartlySigned::decode(text.replacen(from, to, 1).as_bytes()).is_err(), "{from} → {to}");
    }
    let long = honest.partial.signatures[0].signature.clone();
    let mut endless = honest.clone();
    endless.partial.signatures[0].signature = [long, vec![0; 80]].concat();
    assert!(PartlySigned::decode(endless.encode().as_bytes()).is_err());
}

#[test]
fn a_holding_keeps_what_some_have_signed_until_it_is_complete() {
    let txid: Txid = "11".repeat(32).parse().unwrap();
    let output = TxOut { value: Amount::ONE_BTC, script_pubkey: wallet().script(AT).unwrap() };
    let holding = psbt_tools::message::reserves::Holding {
        name: "cold".to_owned(),
        address: output.script_pubkey.clone(),
        coins: vec![(OutPoint::new(txid, 0), output)],
        signature: None,
    };
    let statement = psbt_tools::message::reserves::Statement {
        purpose: "audit".to_owned(),
        network: Network::Regtest,
        height: 1,
        block_hash: bitcoin::hashes::Hash::all_zeros(),
    };
    let mut reserves = Reserves::new(statement, vec![holding]).unwrap();
    let to_sign = reserves.to_sign(0, Locks::NONE, Sequence::ZERO).unwrap();
    let of = |n| signatures(n, &to_sign);
    reserves.keep(0, Partial { locks: Locks::NONE, signatures: of(3) });
    let mut again = Reserves::decode(reserves.encode().as_bytes()).unwrap();
    assert_eq!(again, reserves);
    assert_eq!(again.verify(None).verdict(), "inconclusive");
    let mut partial = again.partial(0).unwrap().clone();
    partial.add(of(1));
    let (message, wallet, evidence) = (again.message().unwrap(), wallet(), Evidence::default());
    let signing = Signing {
        message: &message,
        to_sign: &to_sign,
        wallet: &wallet,
        keypaths: &[AT, AT],
        evidence: &evidence,
    };
    let Progress::Complete(satisfactions) = signing.satisfactions(&partial.signatures).unwrap() else {
        panic!()
    };
    again.attach(0, &to_sign, satisfactions, &evidence).unwrap();
    assert_eq!((again.partial(0), again.verify(None).holdings[0].verdict.as_str()), (None, "valid"));
    assert!(!again.encode().contains("partial"));
    let broken = reserves.encode().replace("\"lock_time\"", "\"locktime\"");
    assert!(Reserves::decode(broken.as_bytes()).is_err());
}
