//! What was paid before, and what is to be paid now.

use super::company::{TIME, WINDOWS, wallet};
use super::dice::Dice;
use super::opinion::outflow;
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Txid, WPubkeyHash};
use policies::history::{Charge, History};
use policies::id::{RequestId, SpendId};
use policies::policy::Requester;
use policies::request::{Recipient, Request};
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// A spend, and the request that it fulfils.
#[derive(Debug, Clone)]
pub struct Payment {
    pub spend: Spend,
    pub request: Option<Request>,
}

/// A destination outside the wallet.
pub fn script(n: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]))
}

/// A coin of the wallet.
pub fn coin(n: u8) -> OutPoint {
    OutPoint { txid: Txid::from_byte_array([n; 32]), vout: u32::from(n) }
}

/// Pays these from these coins, with this fee, and leaves change.
pub fn spend(coins: &[OutPoint], paid: &[Recipient], fee_sat: u64) -> Spend {
    const CHANGE: u64 = 5_000;
    const SMALL: u64 = 1_000;
    let keypath = Keypath { branch: Branch::Internal, index: 3 };
    let sat = paid.iter().map(|to| to.amount.to_sat()).sum::<u64>() + fee_sat + CHANGE;
    let mut values = vec![Amount::from_sat(SMALL); coins.len()];
    values[0] = Amount::from_sat(sat - SMALL * (coins.len() as u64 - 1));
    let inputs = coins.iter().zip(values).map(|(outpoint, value)| SpendInput {
        outpoint: *outpoint,
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        value,
        keypath: Keypath { branch: Branch::External, index: 0 },
    });
    static CHANGE_SCRIPT: OnceLock<ScriptBuf> = OnceLock::new();
    let change = CHANGE_SCRIPT.get_or_init(|| wallet().script(keypath).expect("index 3 has a script"));
    let mut outputs: Vec<_> = paid
        .iter()
        .map(|to| SpendOutput { value: to.amount, script: to.script.clone(), own: None })
        .collect();
    outputs.push(SpendOutput { value: Amount::from_sat(CHANGE), script: change.clone(), own: Some(keypath) });
    Spend::new(SpendParts {
        network: wallet().network(),
        wallet: wallet().id(),
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        inputs: inputs.collect(),
        outputs,
    })
    .expect("a rolled spend is one")
}

/// A request for these recipients.
pub fn request(paid: &[Recipient], anchor: OutPoint, replaces: Vec<RequestId>) -> Request {
    Request {
        network: wallet().network(),
        wallet: wallet().id(),
        payment: 42,
        recipients: paid.to_vec(),
        purpose: "invoice".to_owned(),
        max_fee: Amount::from_sat(1_000_000),
        anchor,
        created: TIME - 10,
        expires: TIME + 10_000,
        heads: vec![],
        replaces,
    }
}

/// Earlier requests by number.
pub fn earlier_request(n: u8) -> RequestId {
    RequestId::of(&[n])
}

/// One to three outputs, change, back to self; with a request when a terminal asks.
pub fn payment(dice: &mut Dice, requested: bool) -> Payment {
    let coins = match dice.below(3) {
        0 => vec![coin(1)],
        1 => vec![coin(1), coin(2)],
        _ => vec![coin(2), coin(1)],
    };
    let count = if dice.percent(15) { 0 } else { dice.between(1, 3) };
    let paid: Vec<_> = (0..count).map(|_| recipient(dice)).collect();
    let fee = *dice.one(&[300, 500, 2_000, 9_999, 10_000, 10_001, 30_000]);
    let replaces = dice.some(&[earlier_request(1), earlier_request(2)], 50);
    let anchor = if dice.percent(80) { coins[0] } else { *dice.one(&coins) };
    let request = requested.then(|| request(&paid, anchor, replaces));
    Payment { spend: spend(&coins, &paid, fee), request }
}

fn recipient(dice: &mut Dice) -> Recipient {
    let amount = *dice.one(&[1_000, 600, 1_500, 20_000, 150_000]);
    Recipient { script: script(dice.between(1, 3) as u8), amount: Amount::from_sat(amount) }
}

/// Up to six charges, some of them predecessors of the payment; a journal, or a ledger that knows what settled.
pub fn history(dice: &mut Dice, payment: &Payment, wallet: &str, keys: &[Requester]) -> History {
    let mut charges: Vec<Charge> = Vec::new();
    let mut replaceable = dice.percent(45);
    for n in 0..dice.below(7) as u8 {
        let mut charge = stranger(dice, n, keys);
        if replaceable || dice.percent(8) {
            precede(dice, &mut charge, payment);
        }
        replaceable &= dice.percent(40);
        if charge.wallet == "savings" {
            charge.wallet = wallet.to_owned();
        }
        charges.push(charge);
    }
    if payment.request.is_some() && dice.percent(5) {
        charges.extend(charges.first().cloned().map(|first| Charge {
            spend: payment.spend.id(),
            wallet: wallet.to_owned(),
            anchor: payment.request.as_ref().map_or(coin(1), |request| request.anchor),
            outflow: Amount::from_sat(outflow(&payment.spend)),
            paid: Recipient::of(&payment.spend),
            coins: payment.spend.inputs().iter().map(|input| input.outpoint).collect(),
            ..first
        }));
    }
    if dice.percent(50) {
        return History::of_journal(charges);
    }
    let mut settled: BTreeMap<(String, OutPoint), (SpendId, u64)> = BTreeMap::new();
    for charge in &charges {
        if dice.percent(45) {
            settled.insert((charge.wallet.clone(), charge.anchor), (charge.spend, moment(dice)));
        }
    }
    History::of_ledger(charges, settled.into_values().collect())
}

/// A payment that has nothing to do with the one that is asked for, or so it seems.
fn stranger(dice: &mut Dice, n: u8, keys: &[Requester]) -> Charge {
    let paid: Vec<_> = (0..dice.below(3)).map(|_| recipient(dice)).collect();
    let sat = paid.iter().map(|to| to.amount.to_sat()).sum::<u64>() + *dice.one(&[500, 1, 7_000]);
    Charge {
        spend: SpendId::of(&[n]),
        request: (!dice.percent(10)).then(|| earlier_request(dice.between(1, 4) as u8)),
        wallet: (if dice.percent(25) { "other" } else { "savings" }).to_owned(),
        requester: if dice.percent(8) { Requester::Operator } else { dice.one(keys).clone() },
        outflow: Amount::from_sat(sat),
        at: moment(dice),
        clock: moment(dice),
        anchor: coin(if dice.percent(8) { 2 } else { dice.between(11, 14) as u8 }),
        paid,
        coins: BTreeSet::new(),
    }
}

/// Makes a charge one in whose place the payment would come: mostly a good one.
fn precede(dice: &mut Dice, charge: &mut Charge, payment: &Payment) {
    let own = payment.request.as_ref();
    charge.wallet = "savings".to_owned();
    charge.anchor = own.map_or_else(|| payment.spend.anchor(), |request| request.anchor);
    charge.request = match dice.below(10) {
        0 => None,
        1 => Some(earlier_request(4)),
        2..6 => own.and_then(|request| request.replaces.first().copied()).or(own.map(Request::id)),
        _ => own.map(Request::id),
    };
    let mut paid = Recipient::of(&payment.spend);
    dice.shuffle(&mut paid);
    match dice.below(12) {
        0 => paid.clear(),
        1 => paid.push(recipient(dice)),
        2 => paid.iter_mut().for_each(|to| to.amount += Amount::ONE_SAT),
        _ => {}
    }
    charge.paid = paid;
    charge.coins = payment.spend.inputs().iter().map(|input| input.outpoint).collect();
    charge.coins.extend(dice.percent(4).then(|| coin(15)));
    let sat = outflow(&payment.spend);
    charge.outflow = Amount::from_sat(*dice.one(&[sat - 100, sat + 100, sat / 2, 2 * sat]));
}

/// A time at the edge of some window, or within it, or later than now.
fn moment(dice: &mut Dice) -> u64 {
    match dice.below(6) {
        0 => TIME - dice.between(0, 50),
        1 => TIME + dice.between(0, 5),
        _ => (TIME + 1).saturating_sub(dice.one(&WINDOWS[..2]) + dice.below(3)),
    }
}
