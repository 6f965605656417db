//! A proof of reserves from the unsigned document to the verdict, and every lie in it.

use crate::signer::{Kind, coin, satisfy};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, Network, OutPoint, Sequence, Transaction, TxOut};
use policies::evidence::Evidence;
use policies::message::bip322::Locks;
use psbt_tools::message::reserves::{Chain, Holding, Reserves, ReservesError, Statement, Utxos};

const KINDS: [Kind; 3] = [Kind::Wpkh, Kind::WshMulti, Kind::Pkh];

fn statement() -> Statement {
    Statement {
        purpose: "audit of 2026, for Example Auditors".to_owned(),
        network: Network::Regtest,
        height: 120,
        block_hash: BlockHash::from_byte_array([5; 32]),
    }
}

/// The coins of each kind, and the transactions that made them.
fn coins(at: usize) -> Vec<(OutPoint, TxOut, Transaction)> {
    let first = u8::try_from(at * 10).unwrap();
    let made = (1..=3).map(|n| coin(KINDS[at], first + n));
    made.map(|(coin, previous)| (coin.outpoint, coin.output, previous)).collect()
}

pub fn unsigned() -> Reserves {
    let holdings = KINDS.iter().enumerate().map(|(at, kind)| Holding {
        name: format!("wallet {at}"),
        address: kind.script(),
        coins: coins(at).into_iter().map(|(outpoint, output, _)| (outpoint, output)).collect(),
        signature: None,
    });
    Reserves::new(statement(), holdings.collect()).unwrap()
}

pub fn signed() -> Reserves {
    let mut reserves = unsigned();
    for (at, kind) in KINDS.iter().enumerate() {
        let to_sign = reserves.to_sign(at, Locks::NONE, Sequence::ZERO).unwrap();
        let evidence = Evidence::new(coins(at).into_iter().map(|(_, _, previous)| previous));
        let satisfactions = satisfy(&to_sign, &[*kind; 4]);
        reserves.attach(at, &to_sign, satisfactions, &evidence).unwrap();
    }
    reserves
}

pub fn utxos() -> Utxos {
    let Statement { network, height, block_hash, .. } = statement();
    let coins = (0..KINDS.len()).flat_map(coins).map(|(outpoint, output, _)| (outpoint, output));
    Utxos { network, height, block_hash, coins: coins.collect() }
}

/// The document again with other texts in its file.
fn edited(reserves: &Reserves, from: &str, to: &str) -> Reserves {
    let text = reserves.encode();
    assert!(text.contains(from), "{from}");
    Reserves::decode(text.replace(from, to).as_bytes()).unwrap()
}

#[test]
fn signed_reserves_are_valid_at_their_block() {
    let reserves = Reserves::decode(signed().encode().as_bytes()).unwrap();
    assert_eq!(reserves, signed());
    let utxos = Utxos::decode(utxos().encode().as_bytes()).unwrap();
    let report = reserves.verify(Some(&utxos));
    assert_eq!(report.verdict(), "valid", "{report:?}");
    assert_eq!(report.total, Amount::from_sat(9 * 50_000 + 6 + 36 + 66));
    let words: Vec<_> = report.holdings.iter().map(|holding| holding.verdict.as_str()).collect();
    assert_eq!(words, ["valid"; 3]);
}

#[test]
fn the_message_reads_and_names_every_holding() {
    let message = unsigned().message().unwrap();
    let lines: Vec<_> = message.as_str().lines().collect();
    assert_eq!(lines[0], "Airlock proof of reserves 1");
    assert_eq!(lines[1], "Network: regtest");
    assert_eq!(lines[2], format!("Block: 120 {}", "05".repeat(32)));
    assert_eq!(lines[3], "Purpose: audit of 2026, for Example Auditors");
    assert!(lines[4].starts_with("Wallet 1: \"wallet 0\" bcrt1q"), "{}", lines[4]);
    assert!(lines[4].contains(" holds 150006 sat in 3 coins "), "{}", lines[4]);
    assert_eq!(lines[7..], ["Total: 450108 sat"]);
}

#[test]
fn without_a_chain_or_a_signature_it_is_inconclusive() {
    let report = signed().verify(None);
    assert_eq!((report.verdict(), &report.chain), ("inconclusive", &Chain::NotChecked));
    assert_eq!(unsigned().verify(Some(&utxos())).verdict(), "inconclusive");
}

#[test]
fn every_altered_word_makes_every_signature_invalid() {
    let reserves = signed();
    let height = ("\"height\": 120", "\"height\": 121");
    let hash = ("05050505", "06060606");
    for (from, to) in
        [("audit of 2026", "audit of 2027"), ("wallet 1", "wallet 9"), ("50011", "50012"), height, hash]
    {
        let report = edited(&reserves, from, to).verify(None);
        let words: Vec<_> = report.holdings.iter().map(|holding| holding.verdict.as_str()).collect();
        assert_eq!(words, ["invalid"; 3], "{from}");
        assert_eq!(report.verdict(), "invalid");
    }
}

#[test]
fn a_signature_of_one_holding_is_none_of_another() {
    let reserves = signed();
    let [first, second] = [0, 1].map(|at| reserves.holdings()[at].signature.clone().unwrap());
    let report = edited(&reserves, &first, &second).verify(Some(&utxos()));
    assert_eq!(report.verdict(), "invalid");
    // A good signature of the message that claims no coin, or others.
    let message = reserves.message().unwrap();
    let (_, simple) = crate::signer::sign(message.as_str(), Kind::Wpkh, Locks::NONE, &[]);
    let (_, others) = crate::signer::sign(message.as_str(), Kind::Wpkh, Locks::NONE, &[Kind::Tr]);
    for signature in [simple, others] {
        let report = edited(&reserves, &first, &signature.encode()).verify(Some(&utxos()));
        assert_eq!(report.holdings[0].verdict.as_str(), "invalid");
        assert_eq!(report.verdict(), "invalid");
    }
}

#[test]
fn coins_that_were_not_there_are_named() {
    let spent = coins(1)[0].0;
    let mut without = utxos();
    without.coins.remove(&spent);
    let report = signed().verify(Some(&without));
    assert_eq!((report.verdict(), report.chain), ("invalid", Chain::Checked(vec![spent])));
    let mut smaller = utxos();
    smaller.coins.get_mut(&spent).unwrap().value = Amount::ONE_SAT;
    assert_eq!(signed().verify(Some(&smaller)).chain, Chain::Checked(vec![spent]));
    for other in [
        Utxos { height: 121, ..utxos() },
        Utxos { block_hash: BlockHash::all_zeros(), ..utxos() },
        Utxos { network: Network::Signet, ..utxos() },
    ] {
        let report = signed().verify(Some(&other));
        assert_eq!((report.verdict(), report.chain), ("invalid", Chain::OtherBlock));
    }
}

#[test]
fn satisfactions_that_do_not_verify_are_not_attached() {
    let mut reserves = unsigned();
    let to_sign = reserves.to_sign(0, Locks::NONE, Sequence::ZERO).unwrap();
    let evidence = Evidence::default();
    let mut satisfactions = satisfy(&to_sign, &[Kind::Wpkh; 4]);
    let last = satisfactions.pop().unwrap();
    let short = reserves.attach(0, &to_sign, satisfactions.clone(), &evidence);
    assert!(matches!(short, Err(ReservesError::Signature(_))));
    satisfactions.push(satisfactions[0].clone());
    let wrong = reserves.attach(0, &to_sign, satisfactions.clone(), &evidence);
    assert!(matches!(wrong, Err(ReservesError::Unfit { at: 0, word: "invalid", .. })), "{wrong:?}");
    assert_eq!(reserves, unsigned());
    satisfactions.pop();
    satisfactions.push(last);
    assert!(matches!(
        reserves.attach(3, &to_sign, satisfactions.clone(), &evidence),
        Err(ReservesError::Holding { at: 3, .. })
    ));
    reserves.attach(0, &to_sign, satisfactions, &evidence).unwrap();
}

#[test]
fn documents_that_say_something_impossible_are_refused() {
    let holding = |at: usize| unsigned().holdings()[at].clone();
    let make = |holdings| Reserves::new(statement(), holdings);
    let mut rich = holding(1);
    rich.coins[0].1.value = Amount::MAX_MONEY;
    for holdings in [
        vec![],
        vec![holding(0), holding(0)],
        vec![Holding { coins: vec![], ..holding(0) }],
        vec![holding(0), rich],
        vec![Holding { name: "a\" b".to_owned(), ..holding(0) }],
        vec![Holding { name: "a\nb".to_owned(), ..holding(0) }],
        vec![Holding { address: bitcoin::ScriptBuf::new_op_return(b"x"), ..holding(0) }],
    ] {
        assert!(make(holdings).is_err());
    }
    let text = unsigned().encode();
    for (from, to) in [
        ("airlock-reserves-1", "airlock-reserves-2"),
        ("\"purpose\"", "\"porpoise\""),
        ("\"height\": 120", "\"height\": -1"),
        ("\"height\": 120", "\"height\": 120, \"more\": 1"),
        ("\"regtest\"", "\"bitcoin\""),
        ("50011", "50011.0"),
        ("audit of 2026", "audit\\u202e"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(Reserves::decode(text.replace(from, to).as_bytes()).is_err(), "{from}");
    }
}
