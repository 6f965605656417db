//! What a review says of change, paths and limits, without a store.

use bitcoin::absolute::LockTime;
use bitcoin::bip32::DerivationPath;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Network, NetworkKind, OutPoint, ScriptBuf, Sequence, Txid, WPubkeyHash};
use policies::evidence::Evidence;
use policies::policy::Window;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath};

use super::*;
use crate::derive::Account;
use crate::secret::Secret;

const CHANGE: Keypath = Keypath { branch: Branch::Internal, index: 9 };

/// A wallet whose descriptor names the keys of two cosigners as @1 and @2.
fn wallet(descriptor: &str) -> Wallet {
    let path: DerivationPath = "48h/1h/0h/2h".parse().unwrap();
    let mut text = descriptor.to_owned();
    for n in 1..=2 {
        let account =
            Account::at(&Secret::take(&mut [n; 64]).unwrap(), NetworkKind::Test, path.as_ref()).unwrap();
        text = text.replace(&format!("@{n}"), &format!("{}/<0;1>/*", account.key()));
    }
    Wallet::new(Network::Regtest, &[text]).unwrap()
}

fn stranger() -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([9; 20]))
}

/// Two coins of a wallet, to a stranger and to what is said to be change.
fn bundle(wallet: &Wallet, change: ScriptBuf, sequences: [Sequence; 2]) -> Bundle {
    let output = |script, own| SpendOutput { value: Amount::from_sat(400_000), script, own };
    let spend = Spend::new(SpendParts {
        network: Network::Regtest,
        wallet: wallet.id(),
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        inputs: sequences
            .iter()
            .zip(0..)
            .map(|(sequence, vout)| SpendInput {
                outpoint: OutPoint { txid: Txid::from_byte_array([7; 32]), vout },
                sequence: *sequence,
                value: Amount::from_sat(500_000),
                keypath: Keypath { branch: Branch::External, index: vout },
            })
            .collect(),
        outputs: vec![output(stranger(), None), output(change, Some(CHANGE))],
    });
    let evidence = Evidence::new([]);
    Bundle { spend: spend.unwrap(), evidence, request: None, approvals: vec![], permits: vec![] }
}

#[test]
fn only_what_the_wallet_derives_is_shown_as_change() {
    let wallet = wallet("wpkh(@1)");
    let own = wallet.script(CHANGE).unwrap();
    let shown = change(&wallet, &bundle(&wallet, own.clone(), [Sequence::MAX; 2]));
    let recipient = Recipient { script: own, amount: Amount::from_sat(400_000) };
    assert_eq!(shown, [ReviewChange { recipient, keypath: CHANGE }]);
    assert_eq!(change(&wallet, &bundle(&wallet, stranger(), [Sequence::MAX; 2])), []);
}

#[test]
fn every_path_is_said_with_what_this_vault_gives() {
    let lines = |wallet: &Wallet, key: usize, sequences: [Sequence; 2]| {
        let bundle = bundle(wallet, wallet.script(CHANGE).unwrap(), sequences);
        path(&Dossier {
            spend: &bundle.spend,
            evidence: &bundle.evidence,
            wallet,
            wallet_name: "main",
            key,
            vault: VaultId::from_bytes([1; 32]),
            request: None,
            approvals: &[],
            permits: &[],
            now: 1_800_000_000,
        })
    };
    let late = wallet("wsh(or_d(pk(@1),and_v(v:pk(@2),older(10))))");
    let (now, aged) = (Sequence::ENABLE_RBF_NO_LOCKTIME, Sequence::from_height(10));
    let [first, second] = [0, 1].map(|place| key_name(&late, place));
    let wait = format!("{second} and 10 blocks after each coin");
    assert_eq!(
        lines(&late, 0, [now, now]),
        [
            format!("open: {first}"),
            format!("not open to this spend: {wait}"),
            format!("this vault: {first}, signatures: 2")
        ]
    );
    assert_eq!(lines(&late, 1, [now, now])[2], "this vault: no key of it, signatures: 0");
    assert_eq!(lines(&late, 1, [aged, aged])[1], format!("open: {wait}"));
    // A path that one input only opens is open to no spend of both.
    assert_eq!(lines(&late, 1, [aged, now])[1], format!("not open to this spend: {wait}"));
    assert_eq!(lines(&late, 1, [aged, now])[2], format!("this vault: {second}, signatures: 1"));
    assert_eq!(lines(&wallet("wpkh(@1)"), 0, [now, now]), Vec::<String>::new());
}

#[test]
fn a_limit_says_every_bound_that_it_has_and_no_other() {
    let limit = Limit {
        name: "A day".to_owned(),
        requesters: None,
        wallet: None,
        per_payment: None,
        per_window: None,
        fee: None,
    };
    let sat = |sat| amount_text(Amount::from_sat(sat));
    let with = |change: &dyn Fn(&mut Limit)| {
        let mut limit = limit.clone();
        change(&mut limit);
        limit_text(&limit)
    };
    assert_eq!(with(&|_| ()), "A day: ");
    assert_eq!(
        with(&|l| l.per_payment = Some(Amount::from_sat(5))),
        format!("A day: at most {} a payment", sat(5))
    );
    let window = |amount, count| Some(Window { seconds: 7_200, amount, count });
    assert_eq!(
        with(&|l| l.per_window = window(Some(Amount::from_sat(6)), Some(3))),
        format!("A day: at most {} in 2 hours; at most 3 payments in 2 hours", sat(6))
    );
    let fee = |ceiling: FeeCeiling| with(&|l| l.fee = Some(ceiling));
    let none = FeeCeiling::UNLIMITED;
    assert_eq!(fee(none), "A day: ");
    assert_eq!(
        fee(FeeCeiling { amount: Amount::from_sat(7), ..none }),
        format!("A day: a fee of at most {}", sat(7))
    );
    assert_eq!(fee(FeeCeiling { percent: 2, ..none }), "A day: a fee of at most 2% of what is paid");
    assert_eq!(fee(FeeCeiling { sat_per_vb: 9, ..none }), "A day: a fee of at most 9 sat/vB");
}
