//! Bounds of the checks over a spend, each at its last good value and one beyond it.

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash};
use policies::check::{Finding, Outcome};
use policies::evidence::Evidence;
use policies::examine::{Exhibit, FeeBounds, FeeCeiling, Marks, examine};
use policies::spend::{MAX_STANDARD_WEIGHT, Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, Wallet};

const CHANGE: Keypath = Keypath { branch: Branch::Internal, index: 5 };

fn wallet() -> Wallet {
    let secp = Secp256k1::new();
    let path: DerivationPath = "84h/1h/0h".parse().unwrap();
    let master = Xpriv::new_master(Network::Regtest, &[1; 32]).unwrap();
    let account = Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap());
    let descriptor = format!("wpkh([{}/84'/1'/0']{account}/<0;1>/*)", master.fingerprint(&secp));
    Wallet::new(Network::Regtest, &[descriptor]).unwrap()
}

/// An honest payment out of coins of 1 BTC: these outputs, and change of what the fee leaves.
fn parts(wallet: &Wallet, coins: u32, outputs: Vec<SpendOutput>, fee: u64) -> (SpendParts, Evidence) {
    let at = |index| Keypath { branch: Branch::External, index };
    let previous = |index: u32| Transaction {
        version: Version::TWO,
        lock_time: LockTime::from_consensus(index),
        input: vec![TxIn::default()],
        output: vec![TxOut { value: Amount::ONE_BTC, script_pubkey: wallet.script(at(index)).unwrap() }],
    };
    let previous: Vec<_> = (0..coins).map(previous).collect();
    let inputs = previous.iter().zip(0..).map(|(previous, index)| SpendInput {
        outpoint: OutPoint { txid: previous.compute_txid(), vout: 0 },
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        value: Amount::ONE_BTC,
        keypath: at(index),
    });
    let inputs = inputs.collect();
    let paid: Amount = outputs.iter().map(|output| output.value).sum();
    let value = Amount::ONE_BTC * u64::from(coins) - paid - Amount::from_sat(fee);
    let own = SpendOutput { value, script: wallet.script(CHANGE).unwrap(), own: Some(CHANGE) };
    let parts = SpendParts {
        network: Network::Regtest,
        wallet: wallet.id(),
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        inputs,
        outputs: outputs.into_iter().chain([own]).collect(),
    };
    (parts, Evidence::new(previous))
}

fn pays(sat: u64) -> SpendOutput {
    let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([9; 20]));
    SpendOutput { value: Amount::from_sat(sat), script, own: None }
}

fn findings((parts, evidence): (SpendParts, Evidence), marks: Marks) -> Vec<Finding> {
    let (wallet, spend) = (wallet(), Spend::new(parts).unwrap());
    let fees = FeeBounds { ask: FeeCeiling::UNLIMITED, refuse: FeeCeiling::UNLIMITED };
    examine(&Exhibit { spend: &spend, evidence: &evidence, wallet: &wallet, marks, fees })
}

fn outcome(findings: &[Finding], number: &str) -> Option<Outcome> {
    let of = findings.iter().filter(|finding| finding.code.to_string() == number);
    of.map(|finding| finding.outcome).max()
}

#[test]
fn c16_a_fee_at_a_ceiling_is_within_it_and_one_satoshi_more_is_not() {
    let wallet = wallet();
    let exceeded = |fee: u64, sat: u64, ceiling: FeeCeiling, vsize: u64| {
        let (parts, _) = parts(&wallet, 1, vec![pays(sat)], fee);
        ceiling.exceeded(&Spend::new(parts).unwrap(), vsize).len()
    };
    let none = FeeCeiling::UNLIMITED;
    let amount = FeeCeiling { amount: Amount::from_sat(5_000), ..none };
    assert_eq!((exceeded(5_000, 50_000, amount, 150), exceeded(5_001, 50_000, amount, 150)), (0, 1));
    let feerate = FeeCeiling { sat_per_vb: 30, ..none };
    assert_eq!((exceeded(4_500, 50_000, feerate, 150), exceeded(4_501, 50_000, feerate, 150)), (0, 1));
    let percent = FeeCeiling { percent: 20, ..none };
    assert_eq!((exceeded(10_000, 50_000, percent, 150), exceeded(10_001, 50_000, percent, 150)), (0, 1));
    // Below 10,000 sat the percentage says nothing.
    assert_eq!((exceeded(9_999, 1_000, percent, 150), exceeded(10_000, 1_000, percent, 150)), (0, 1));
}

#[test]
fn c08_a_remembered_index_widens_the_reach_of_its_own_branch() {
    let wallet = wallet();
    let judged = |index: u32, marks: Marks| {
        let (mut parts, evidence) = parts(&wallet, 1, vec![pays(50_000)], 1_000);
        let far = Keypath { branch: Branch::Internal, index };
        let change = parts.outputs.last_mut().unwrap();
        (change.own, change.script) = (Some(far), wallet.script(far).unwrap());
        outcome(&findings((parts, evidence), marks), "C08").unwrap()
    };
    let none = Marks::default();
    assert_eq!((judged(1_000, none), judged(1_001, none)), (Outcome::Pass, Outcome::Refuse));
    let internal = Marks { internal: 5_000, kept: true, ..none };
    assert_eq!((judged(6_000, internal), judged(6_001, internal)), (Outcome::Pass, Outcome::Refuse));
    let external = Marks { external: 5_000, kept: true, ..none };
    assert_eq!((judged(1_000, external), judged(1_001, external)), (Outcome::Pass, Outcome::Refuse));
}

#[test]
fn one_wrong_input_leaves_the_other_checks_of_inputs_as_they_are() {
    let wallet = wallet();
    let edited = |edit: &dyn Fn(&mut SpendParts)| {
        let (mut parts, evidence) = parts(&wallet, 2, vec![pays(50_000)], 1_000);
        edit(&mut parts);
        let findings = findings((parts, evidence), Marks::default());
        ["C01", "C02", "C04", "C11"].map(|number| outcome(&findings, number).unwrap())
    };
    use Outcome::{NotApplicable, Pass, Refuse};
    assert_eq!(edited(&|_| ()), [Pass; 4]);
    assert_eq!(edited(&|parts| parts.inputs[1].keypath.index = 7), [Pass, Pass, Pass, Refuse]);
    assert_eq!(edited(&|parts| parts.inputs[1].value += Amount::ONE_SAT), [Pass, Refuse, Pass, Pass]);
    assert_eq!(edited(&|parts| parts.inputs[1].outpoint.vout = 1), [Pass, Pass, Refuse, Pass]);
    let unknown = OutPoint { txid: bitcoin::Txid::from_byte_array([3; 32]), vout: 0 };
    let absent = edited(&|parts| parts.inputs[1].outpoint = unknown);
    assert_eq!(absent, [Refuse, NotApplicable, NotApplicable, NotApplicable]);
}

#[test]
fn c31_a_fee_of_one_satoshi_a_vbyte_is_relayed_and_less_is_not() {
    let wallet = wallet();
    let honest = parts(&wallet, 1, vec![pays(50_000)], 1_000);
    let vsize = Spend::new(honest.0.clone()).unwrap().signed_weight(&wallet).to_vbytes_ceil();
    let with = |fee| {
        let parts = parts(&wallet, 1, vec![pays(50_000)], fee);
        outcome(&findings(parts, Marks::default()), "C31").unwrap()
    };
    assert_eq!((with(vsize), with(vsize - 1)), (Outcome::Pass, Outcome::Ask));
}

#[test]
fn c31_change_that_is_worth_its_spending_is_kept() {
    let wallet = wallet();
    let (fee, size) = (10_000, |parts: &SpendParts| {
        Spend::new(parts.clone()).unwrap().signed_weight(&wallet).to_vbytes_ceil()
    });
    let honest = parts(&wallet, 1, vec![pays(50_000)], fee).0;
    let cost = fee / size(&honest) * (wallet.satisfaction_weight().to_vbytes_ceil() + 41);
    let change_of = |sat: u64| {
        let parts = parts(&wallet, 1, vec![pays(100_000_000 - fee - sat)], fee);
        assert_eq!(parts.0.outputs.last().unwrap().value, Amount::from_sat(sat));
        outcome(&findings(parts, Marks::default()), "C31").unwrap()
    };
    assert_eq!((change_of(cost), change_of(cost - 1)), (Outcome::Pass, Outcome::Ask));
}

#[test]
fn c31_the_heaviest_transaction_that_is_relayed_is_standard() {
    let wallet = wallet();
    let note = |len: usize| SpendOutput {
        value: Amount::ZERO,
        script: ScriptBuf::from_bytes(vec![0x6a; len]),
        own: None,
    };
    let with = |coins, len| parts(&wallet, coins, vec![pays(50_000), note(len)], 200_000);
    let weight = |coins, len| Spend::new(with(coins, len).0).unwrap().signed_weight(&wallet);
    // A byte of a script weighs 4 units, a witness 1 a byte: some number of coins fits the bound to the unit.
    let (coins, len) = (1..=4)
        .find_map(|coins| {
            let rest = MAX_STANDARD_WEIGHT.to_wu() - weight(coins, 70_000).to_wu();
            rest.is_multiple_of(4).then(|| (coins, 70_000 + usize::try_from(rest / 4).unwrap()))
        })
        .unwrap();
    assert_eq!(weight(coins, len), MAX_STANDARD_WEIGHT);
    let judged = |len| outcome(&findings(with(coins, len), Marks::default()), "C31").unwrap();
    assert_eq!((judged(len), judged(len + 1)), (Outcome::Pass, Outcome::Ask));
}
