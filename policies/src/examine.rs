//! The checks that need only a spend, its previous transactions and its wallet. They run for everyone; the vault
//! runs them itself, because a lying reader must gain nothing.

use crate::check::{Check, Finding};
use crate::evidence::{Evidence, Previous, script_text};
use crate::message::bip322::is_to_sign;
use crate::spend::{MAX_STANDARD_WEIGHT, Spend};
use crate::wallet::{Branch, Keypath, Locks, Wallet};
use bitcoin::{Amount, OutPoint, ScriptBuf};
use std::collections::{BTreeMap, BTreeSet};

/// Default distance from the high-water mark within which own outputs are accepted (check C08).
pub const DEFAULT_GAP: u32 = 1_000;

/// Below this fee the percentage is ignored: small payments have high percentages (check C16).
const PERCENT_FLOOR: Amount = Amount::from_sat(10_000);

/// Feerate below which nodes do not relay by default, in sat per 1,000 virtual bytes (Bitcoin Core
/// `DEFAULT_MIN_RELAY_TX_FEE` until version 30).
const RELAY_SAT_PER_KVB: u64 = 1_000;

/// Transaction versions that nodes relay (Bitcoin Core `TX_MIN_STANDARD_VERSION`, `TX_MAX_STANDARD_VERSION`, policy.h).
const STANDARD_VERSIONS: std::ops::RangeInclusive<i32> = 1..=3;

/// Highest index that was seen on each branch, and how far beyond it an own output may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// High-water mark of the external branch.
    pub external: u32,
    /// High-water mark of the internal branch.
    pub internal: u32,
    /// Distance that is accepted.
    pub gap: u32,
    /// Whether a journal keeps them. Where nobody remembers, this spend's proven inputs are all there is to go by;
    /// where a journal does, an index that only they bring within reach asks.
    pub kept: bool,
}

impl Default for Marks {
    fn default() -> Self {
        Self { external: 0, internal: 0, gap: DEFAULT_GAP, kept: false }
    }
}

impl Marks {
    /// The mark of a branch.
    pub fn of(&self, branch: Branch) -> u32 {
        match branch {
            Branch::External => self.external,
            Branch::Internal => self.internal,
        }
    }

    /// The marks after a spend was journalled. An input raises a mark by at most the gap: an index that only a
    /// forged previous transaction proves must not open the way to a ransom path later.
    #[must_use]
    pub fn after(&self, spend: &Spend) -> Marks {
        let mut marks = *self;
        let inputs = spend.inputs().iter().map(|input| input.keypath);
        let outputs = spend.outputs().iter().filter_map(|output| output.own);
        for keypath in inputs.chain(outputs) {
            let reach = self.of(keypath.branch).saturating_add(self.gap);
            let raised = keypath.index.min(reach);
            match keypath.branch {
                Branch::External => marks.external = marks.external.max(raised),
                Branch::Internal => marks.internal = marks.internal.max(raised),
            }
        }
        marks
    }
}

/// A fee on its three bases (check C16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeCeiling {
    /// Absolute.
    pub amount: Amount,
    /// Of what recipients outside the wallet get.
    pub percent: u64,
    /// Feerate, in satoshi per virtual byte.
    pub sat_per_vb: u64,
}

/// From which fee on the operator is asked, and from which nothing is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeBounds {
    /// Above this: ask.
    pub ask: FeeCeiling,
    /// Above this: refuse.
    pub refuse: FeeCeiling,
}

impl Default for FeeBounds {
    fn default() -> Self {
        Self {
            ask: FeeCeiling { amount: Amount::from_sat(200_000), percent: 5, sat_per_vb: 200 },
            refuse: FeeCeiling { amount: Amount::from_sat(5_000_000), percent: 25, sat_per_vb: 1_000 },
        }
    }
}

impl FeeCeiling {
    /// No ceiling on any basis.
    pub const UNLIMITED: FeeCeiling =
        FeeCeiling { amount: Amount::MAX_MONEY, percent: u64::MAX, sat_per_vb: u64::MAX };

    /// The bases on which a fee is above this ceiling, in words; empty when it is within. Percent is n/a without
    /// external outputs and ignored below a fee of 10,000 sat.
    pub fn exceeded(&self, spend: &Spend, vsize: u64) -> Vec<String> {
        let (fee, external) = (spend.fee(), spend.external_sum());
        let mut bases = Vec::new();
        if fee > self.amount {
            bases.push(format!("{} sat, above {} sat", fee.to_sat(), self.amount.to_sat()));
        }
        let wide = |amount: u64| u128::from(amount);
        if wide(fee.to_sat()) > wide(self.sat_per_vb).saturating_mul(wide(vsize)) {
            bases.push(format!(
                "{} sat/vB, above {} sat/vB",
                fee.to_sat().checked_div(vsize).unwrap_or(u64::MAX),
                self.sat_per_vb
            ));
        }
        let above_percent = wide(fee.to_sat()).saturating_mul(100)
            > wide(external.to_sat()).saturating_mul(wide(self.percent));
        if external > Amount::ZERO && fee >= PERCENT_FLOOR && above_percent {
            let percent = wide(fee.to_sat())
                .saturating_mul(100)
                .checked_div(wide(external.to_sat()))
                .unwrap_or(u128::MAX);
            bases.push(format!("{percent}% of what recipients get, above {}%", self.percent));
        }
        bases
    }
}

/// What a spend is held against.
#[derive(Debug, Clone, Copy)]
pub struct Exhibit<'a> {
    /// The spend.
    pub spend: &'a Spend,
    /// Its previous transactions.
    pub evidence: &'a Evidence,
    /// The registered wallet it claims.
    pub wallet: &'a Wallet,
    /// High-water marks of the wallet.
    pub marks: Marks,
    /// From which fee on to ask and to refuse.
    pub fees: FeeBounds,
}

/// Runs every check; the findings are in the order of their numbers, one or more for each.
pub fn examine(exhibit: &Exhibit<'_>) -> Vec<Finding> {
    let Exhibit { spend, wallet, .. } = exhibit;
    if spend.network() != wallet.network() {
        return vec![
            Finding::refuse(
                Check::NETWORK,
                format!("the spend is for {}, the wallet's key for {}", spend.network(), wallet.network()),
            )
            .hint("a key's network is fixed at its creation; use a key of that network"),
        ];
    }
    if spend.wallet() != wallet.id() {
        return vec![Finding::refuse(
            Check::ONE_WALLET,
            format!("the spend is of wallet {}, not of {}", spend.wallet(), wallet.id()),
        )];
    }
    let spent = spend.inputs().iter().map(|input| input.keypath);
    wallet.prepare(spent.chain(spend.outputs().iter().filter_map(|output| output.own)));
    let mut findings = Vec::new();
    inputs(exhibit, &mut findings);
    change(exhibit, &mut findings);
    findings.push(Finding::pass(Check::ONE_WALLET, "all inputs are of one registered wallet"));
    findings.push(fee(exhibit));
    findings.push(Finding::pass(Check::SUMS, "the sums add up"));
    findings.push(Finding::pass(Check::DUST, "no output is dust"));
    unusual_outputs(exhibit, &mut findings);
    findings.extend(no_open_path(spend, wallet));
    findings.push(Finding::pass(Check::NETWORK, format!("the key's own network, {}", wallet.network())));
    standardness(exhibit, &mut findings);
    findings.push(message(spend));
    findings.sort_by_key(|finding| finding.code);
    findings
}

/// C01, C02, C04, C11: every previous output exists, has the claimed amount, and has our script.
fn inputs(exhibit: &Exhibit<'_>, findings: &mut Vec<Finding>) {
    let Exhibit { spend, evidence, wallet, .. } = exhibit;
    let needed = !wallet.is_taproot();
    let mut wrong = Vec::new();
    for input in spend.inputs() {
        match evidence.output(&input.outpoint) {
            Previous::Absent if needed => wrong.push(
                Finding::refuse(
                    Check::PREVIOUS_TRANSACTION,
                    format!(
                        "the previous transaction of {} is missing: its amount is unproven",
                        input.outpoint
                    ),
                )
                .hint("let the watch-node build the PSBT: it adds every previous transaction"),
            ),
            Previous::Absent => {}
            Previous::NoSuchOutput(count) => wrong.push(Finding::refuse(
                Check::OUTPUT_INDEX,
                format!("{} does not exist: its transaction has {count} outputs", input.outpoint),
            )),
            Previous::Output(output) if output.value != input.value => wrong.push(
                Finding::refuse(
                    Check::WITNESS_UTXO,
                    format!(
                        "{} is said to hold {} sat, its transaction says {} sat",
                        input.outpoint,
                        input.value.to_sat(),
                        output.value.to_sat()
                    ),
                )
                .hint("whoever made this file lied about an amount; do not use their files"),
            ),
            Previous::Output(output) if !wallet.owns(&output.script_pubkey, input.keypath) => {
                wrong.push(Finding::refuse(
                    Check::FOREIGN_INPUT,
                    format!(
                        "{} pays to {}, which is not ours at {}",
                        input.outpoint,
                        script_text(&output.script_pubkey, wallet.network()),
                        input.keypath
                    ),
                ))
            }
            Previous::Output(_) => {}
        }
    }
    let failed = |check: Check, wrong: &[Finding]| wrong.iter().any(|f| f.code == check.into());
    let missing = failed(Check::PREVIOUS_TRANSACTION, &wrong);
    let pass = |check: Check, needed: bool, message: &str| {
        if needed { Finding::pass(check, message) } else { Finding::not_applicable(check, message) }
    };
    if !missing {
        let message = if needed {
            "every input's previous transaction is present"
        } else {
            "taproot signatures commit to every amount"
        };
        findings.push(pass(Check::PREVIOUS_TRANSACTION, needed, message));
    }
    for (check, message) in [
        (Check::WITNESS_UTXO, "amounts agree with the previous transactions"),
        (Check::OUTPUT_INDEX, "every previous output exists"),
        (Check::FOREIGN_INPUT, "no foreign input"),
    ] {
        if !failed(check, &wrong) {
            findings.push(pass(check, !missing, message));
        }
    }
    findings.append(&mut wrong);
}

/// C06 to C08: claimed change derives from the whole descriptor, within reach. Where a wallet has cosigners, a script that
/// is not the wallet's is one with another cosigner in it.
fn change(exhibit: &Exhibit<'_>, findings: &mut Vec<Finding>) {
    let Exhibit { spend, wallet, marks, .. } = exhibit;
    let single = wallet.kind().is_single();
    let claim = if single { Check::CHANGE } else { Check::COSIGNERS };
    let mut wrong = Vec::new();
    let mut any = false;
    let proven = proven_indexes(exhibit);
    for (at, output) in spend.outputs().iter().enumerate() {
        let Some(keypath) = output.own else { continue };
        any = true;
        if !wallet.owns(&output.script, keypath) {
            wrong.push(
                Finding::refuse(
                    claim,
                    format!(
                        "output {at} is claimed to be ours at {keypath}, but {} is not",
                        script_text(&output.script, wallet.network())
                    ),
                )
                .hint("a false claim of change is fraud; do not use files of whoever made this one"),
            );
            continue;
        }
        let proven = proven.get(&keypath.branch).copied().unwrap_or(0);
        let known = marks.of(keypath.branch).saturating_add(marks.gap);
        let reach = known.max(proven.saturating_add(marks.gap));
        let hint = "use the wallet's next change address; a far index is how coins are held to ransom";
        if keypath.index > reach {
            wrong.push(
                Finding::refuse(
                    Check::GAP,
                    format!("output {at} is ours at {keypath}, beyond index {reach} up to which coins are looked for"),
                )
                .hint(hint),
            );
        } else if marks.kept && keypath.index > known {
            // Anyone can pay a dust coin to a far address of ours, and so prove a far index.
            wrong.push(
                Finding::ask(
                    Check::GAP,
                    format!(
                        "output {at} is ours at {keypath}: only a coin in this very spend is as far out, nothing signed before is beyond index {}",
                        marks.of(keypath.branch)
                    ),
                )
                .hint(hint),
            );
        }
    }
    let cosigners = if single { "the wallet has one key" } else { "every cosigner is the registered one" };
    for (check, message) in [
        (Check::CHANGE, "change derives from the wallet"),
        (Check::COSIGNERS, cosigners),
        (Check::GAP, "change is within reach"),
    ] {
        if !wrong.iter().any(|finding| finding.code == check.into()) {
            let outcome = if check == Check::COSIGNERS && single {
                Finding::not_applicable(check, message)
            } else if any {
                Finding::pass(check, message)
            } else {
                Finding::not_applicable(check, "no output is claimed to be ours")
            };
            findings.push(outcome);
        }
    }
    findings.append(&mut wrong);
}

/// The highest index on each branch of inputs whose previous transaction is there.
fn proven_indexes(exhibit: &Exhibit<'_>) -> BTreeMap<Branch, u32> {
    let mut highest = BTreeMap::new();
    for input in exhibit.spend.inputs() {
        if exhibit.evidence.output(&input.outpoint) != Previous::Absent {
            let Keypath { branch, index } = input.keypath;
            let known = highest.entry(branch).or_insert(index);
            *known = index.max(*known);
        }
    }
    highest
}

/// C16: the fee on three bases.
fn fee(exhibit: &Exhibit<'_>) -> Finding {
    let Exhibit { spend, wallet, fees, .. } = exhibit;
    let vsize = spend.signed_vsize(wallet);
    let refused = fees.refuse.exceeded(spend, vsize);
    if !refused.is_empty() {
        return Finding::refuse(Check::FEE, format!("the fee is absurd: {}", refused.join("; ")))
            .hint("build the payment again with a lower feerate");
    }
    let asked = fees.ask.exceeded(spend, vsize);
    if !asked.is_empty() {
        return Finding::ask(Check::FEE, format!("the fee is high: {}", asked.join("; ")));
    }
    Finding::pass(Check::FEE, format!("the fee of {} sat is usual", spend.fee().to_sat()))
}

/// C19: whatever is not an address.
fn unusual_outputs(exhibit: &Exhibit<'_>, findings: &mut Vec<Finding>) {
    let mut any = false;
    for (at, output) in exhibit.spend.outputs().iter().enumerate() {
        if bitcoin::Address::from_script(&output.script, exhibit.wallet.network()).is_ok() {
            continue;
        }
        any = true;
        let what = if output.script.is_op_return() { "an OP_RETURN" } else { "an unknown script" };
        findings.push(Finding::ask(
            Check::UNUSUAL_OUTPUT,
            format!("output {at} is {what}: {}", unusual_text(&output.script)),
        ));
    }
    if !any {
        findings.push(Finding::pass(Check::UNUSUAL_OUTPUT, "every output is an address"));
    }
}

/// An unusual script whole: in hexadecimal, and as escaped text.
fn unusual_text(script: &ScriptBuf) -> String {
    format!("{} (\"{}\")", script.to_hex_string(), script.as_bytes().escape_ascii())
}

/// C20: a transaction whose locks open no path of the wallet can never be mined.
fn no_open_path(spend: &Spend, wallet: &Wallet) -> Option<Finding> {
    let (at, _) = inputs_by_sequence(spend)
        .into_iter()
        .find(|(_, locks)| wallet.paths().iter().all(|path| !path.is_open(locks)))?;
    let waits: Vec<_> =
        wallet.paths().iter().map(|path| path.text(&|place| key_name(wallet, place))).collect();
    Some(
        Finding::refuse(
            Check::LOCKTIME,
            format!(
                "input {at}: its sequence and the locktime open no path of the wallet: {}",
                waits.join("; ")
            ),
        )
        .hint("build the payment for one of the wallet's paths: `watch-node pay --path N`"),
    )
}

/// C20: whether a signature by one of the wallet's keys counts for this spend, and by which path.
pub fn signer(spend: &Spend, wallet: &Wallet, key: usize) -> Finding {
    let useless =
        inputs_by_sequence(spend).into_iter().find(|(_, locks)| !wallet.signers(locks).contains(&key));
    if let Some((at, _)) = useless {
        let message =
            format!("input {at}: no path of the wallet that is open to this transaction needs this key");
        return Finding::refuse(Check::LOCKTIME, message)
            .hint("ask for a payment by a path that this key signs, or let the other keys sign this one");
    }
    Finding::pass(Check::LOCKTIME, "a path that this key signs is open")
}

/// The first input of each sequence, with the locks that its script sees.
fn inputs_by_sequence(spend: &Spend) -> Vec<(usize, Locks)> {
    let mut seen = BTreeSet::new();
    let inputs = spend.inputs().iter().enumerate();
    inputs
        .filter(|(_, input)| seen.insert(input.sequence))
        .map(|(at, input)| {
            let (version, lock_time) = (spend.version(), spend.lock_time());
            (at, Locks { version, lock_time, sequence: input.sequence })
        })
        .collect()
}

/// How a key of a wallet is called in messages: its number in the descriptor and its fingerprint.
pub fn key_name(wallet: &Wallet, place: usize) -> String {
    let key = wallet.places().get(place).and_then(|place| place.key);
    key.zip(wallet.key_at(place)).map_or_else(
        || "a key that nobody has".to_owned(),
        |(number, key)| format!("key {} ({})", number.saturating_add(1), key.fingerprint),
    )
}

/// C31: legal, but costs more than it is worth or does not travel.
fn standardness(exhibit: &Exhibit<'_>, findings: &mut Vec<Finding>) {
    let Exhibit { spend, wallet, .. } = exhibit;
    let before = findings.len();
    let weight = spend.signed_weight(wallet);
    let vsize = weight.to_vbytes_ceil();
    if weight > MAX_STANDARD_WEIGHT {
        findings.push(
            Finding::ask(
                Check::STANDARDNESS,
                format!(
                    "{} weight units: nodes relay at most {}",
                    weight.to_wu(),
                    MAX_STANDARD_WEIGHT.to_wu()
                ),
            )
            .hint("split the payment, or hand the transaction to a miner directly"),
        );
    }
    if !STANDARD_VERSIONS.contains(&spend.version().0) {
        findings.push(Finding::ask(
            Check::STANDARDNESS,
            format!("transaction version {}: nodes relay versions 1 to 3", spend.version().0),
        ));
    }
    let fee = spend.fee().to_sat();
    if u128::from(fee).saturating_mul(1000) < u128::from(vsize).saturating_mul(u128::from(RELAY_SAT_PER_KVB))
    {
        findings.push(Finding::ask(
            Check::STANDARDNESS,
            format!("a fee of {fee} sat for {vsize} vB is below 1 sat/vB: many nodes will not relay it"),
        ));
    }
    let feerate = fee.checked_div(vsize).unwrap_or(0);
    let input_vsize = wallet.satisfaction_weight().to_vbytes_ceil().saturating_add(41);
    let cost = feerate.saturating_mul(input_vsize);
    for (at, output) in spend.outputs().iter().enumerate().filter(|(_, output)| output.own.is_some()) {
        if output.value.to_sat() < cost {
            findings.push(Finding::ask(
                Check::STANDARDNESS,
                format!(
                    "change at output {at} of {} sat costs about {cost} sat to spend",
                    output.value.to_sat()
                ),
            ));
        }
    }
    if findings.len() == before {
        findings.push(Finding::pass(Check::STANDARDNESS, "standard and economic"));
    }
}

/// C32: what a message is signed by is never signed as a payment.
fn message(spend: &Spend) -> Finding {
    if is_to_sign(&spend.unsigned_transaction()) {
        return Finding::refuse(
            Check::MESSAGE,
            "the transaction pays nothing to nobody: it is the one by which a message is signed (BIP322)",
        )
        .hint("sign the message as what it is: `cold-signer sign-message`");
    }
    Finding::pass(Check::MESSAGE, "it is no message's transaction")
}

/// C05: which of a spend's coins were signed before, in which other spend.
pub fn signed_before<T: std::fmt::Display>(
    spend: &Spend,
    earlier: impl Fn(&OutPoint) -> Option<T>,
) -> Vec<Finding> {
    spend
        .inputs()
        .iter()
        .filter_map(|input| {
            let other = earlier(&input.outpoint)?;
            Some(
                Finding::refuse(
                    Check::SIGNED_BEFORE,
                    format!("the coin {} was signed before, in spend {other}", input.outpoint),
                )
                .hint("submit the transaction that was signed; a coin is signed for one payment only"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Outcome;
    use crate::spend::tests::{foreign_script, parts};
    use crate::spend::{SpendOutput, SpendParts};
    use crate::wallet::Keypath;
    use crate::wallet::tests::{TPUB_84, regtest_wallet};
    use bitcoin::absolute::LockTime;
    use bitcoin::transaction::Version;
    use bitcoin::{Network, Transaction, TxOut};

    /// A spend whose inputs are proven by real previous transactions.
    pub(crate) fn proven(mut parts: SpendParts, wallet: &Wallet) -> (SpendParts, Evidence) {
        let mut previous = Vec::new();
        for input in &mut parts.inputs {
            let transaction = Transaction {
                version: Version::TWO,
                lock_time: LockTime::ZERO,
                input: vec![],
                output: vec![TxOut {
                    value: input.value,
                    script_pubkey: wallet.script(input.keypath).unwrap(),
                }],
            };
            input.outpoint = OutPoint { txid: transaction.compute_txid(), vout: 0 };
            previous.push(transaction);
        }
        (parts, Evidence::new(previous))
    }

    fn outcomes(spend: &Spend, evidence: &Evidence, wallet: &Wallet) -> Vec<(String, Outcome)> {
        examine(&Exhibit { spend, evidence, wallet, marks: Marks::default(), fees: FeeBounds::default() })
            .into_iter()
            .filter(|f| f.outcome >= Outcome::Ask)
            .map(|f| (f.code.to_string(), f.outcome))
            .collect()
    }

    fn found(change: impl FnOnce(&mut SpendParts)) -> Vec<(String, Outcome)> {
        let wallet = regtest_wallet();
        let (mut parts, evidence) = proven(parts(), &wallet);
        change(&mut parts);
        outcomes(&Spend::new(parts).unwrap(), &evidence, &wallet)
    }

    fn refused(number: &str) -> Vec<(String, Outcome)> {
        vec![(number.to_owned(), Outcome::Refuse)]
    }

    fn asked(number: &str) -> Vec<(String, Outcome)> {
        vec![(number.to_owned(), Outcome::Ask)]
    }

    #[test]
    fn an_honest_spend_passes_every_check() {
        assert_eq!(found(|_| ()), []);
    }

    #[test]
    fn each_lie_is_caught_by_its_own_number() {
        assert_eq!(
            found(|p| p.inputs[0].outpoint.txid = crate::spend::tests::outpoint(7).txid),
            refused("C01")
        );
        assert_eq!(found(|p| p.inputs[0].outpoint.vout = 1), refused("C04"));
        assert_eq!(found(|p| p.inputs[0].value += Amount::from_sat(1)), refused("C02"));
        assert_eq!(found(|p| p.inputs[0].keypath.index = 1), refused("C11"));
        assert_eq!(found(|p| p.outputs[1].script = foreign_script(3)), refused("C06"));
        assert_eq!(
            found(|p| {
                let far = Keypath { branch: Branch::Internal, index: 1_001 };
                p.outputs[1].own = Some(far);
                p.outputs[1].script = regtest_wallet().script(far).unwrap();
            }),
            refused("C08")
        );
        assert_eq!(found(|p| p.outputs[0].value = Amount::from_sat(1_000)), refused("C16"));
        assert_eq!(found(|p| p.network = Network::Signet), refused("C30"));
        assert_eq!(found(|p| p.wallet = crate::id::WalletId::of(b"other")), refused("C10"));
    }

    #[test]
    fn an_index_at_the_end_of_the_gap_is_accepted() {
        let edge = Keypath { branch: Branch::Internal, index: 1_000 };
        let outcome = found(|p| {
            p.outputs[1].own = Some(edge);
            p.outputs[1].script = regtest_wallet().script(edge).unwrap();
        });
        assert_eq!(outcome, []);
    }

    #[test]
    fn change_that_only_a_dust_coin_brings_within_reach_asks() {
        let outcome = found(|p| {
            let far = Keypath { branch: Branch::Internal, index: 1_500_000_000 };
            let wallet = regtest_wallet();
            p.outputs[1].own = Some(far);
            p.outputs[1].script = wallet.script(far).unwrap();
        });
        assert_eq!(outcome, refused("C08"));
        let wallet = regtest_wallet();
        let far = Keypath { branch: Branch::Internal, index: 1_500_000_000 };
        let mut parts = parts();
        parts.inputs[0].keypath = far;
        parts.outputs[1].own = Some(far);
        parts.outputs[1].script = wallet.script(far).unwrap();
        let (parts, evidence) = proven(parts, &wallet);
        let spend = Spend::new(parts).unwrap();
        assert_eq!(outcomes(&spend, &evidence, &wallet), [], "nobody remembers");
        let marks = Marks { kept: true, ..Marks::default() };
        let fees = FeeBounds::default();
        let findings = examine(&Exhibit { spend: &spend, evidence: &evidence, wallet: &wallet, marks, fees });
        let gap = findings.iter().find(|finding| finding.code == Check::GAP.into()).unwrap();
        assert_eq!(gap.outcome, Outcome::Ask);
    }

    #[test]
    fn unusual_results_ask() {
        assert_eq!(
            found(|p| p.outputs.push(SpendOutput {
                value: Amount::ZERO,
                script: ScriptBuf::new_op_return(b"hello"),
                own: None
            })),
            asked("C19")
        );
        assert_eq!(found(|p| p.outputs[1].value += Amount::from_sat(9_900)), asked("C31"));
        assert_eq!(found(|p| p.version = Version(4)), asked("C31"));
        assert_eq!(found(|p| p.outputs[1].value -= Amount::from_sat(100_000)), asked("C16"));
    }

    #[test]
    fn the_transaction_of_a_message_is_no_payment() {
        let nothing = crate::message::bip322::nothing();
        let outcome = found(|p| {
            p.outputs = vec![SpendOutput { value: nothing.value, script: nothing.script_pubkey, own: None }];
        });
        assert!(outcome.contains(&("C32".to_owned(), Outcome::Refuse)), "{outcome:?}");
    }

    #[test]
    fn a_fee_is_measured_against_what_leaves_and_not_against_change() {
        // 40 000 sat leave with 20 000 sat of fee: 50%, whatever the change is.
        let outcome = found(|p| {
            p.outputs[0].value = Amount::from_sat(40_000);
            p.outputs[1].value = Amount::from_sat(100_000_000 - 60_000);
        });
        assert_eq!(outcome, refused("C16"));
    }

    #[test]
    fn taproot_needs_no_previous_transaction_but_one_that_is_there_must_agree() {
        let wallet = Wallet::new(Network::Regtest, &[format!("tr({TPUB_84}/<0;1>/*)")]).unwrap();
        let mut parts = parts();
        parts.wallet = wallet.id();
        parts.outputs[1].script = wallet.script(parts.outputs[1].own.unwrap()).unwrap();
        let bare = Spend::new(parts.clone()).unwrap();
        assert_eq!(outcomes(&bare, &Evidence::default(), &wallet), []);
        let (mut parts, evidence) = proven(parts, &wallet);
        parts.inputs[0].value += Amount::from_sat(1);
        assert_eq!(outcomes(&Spend::new(parts).unwrap(), &evidence, &wallet), refused("C02"));
    }

    #[test]
    fn an_unproven_input_does_not_widen_the_gap() {
        let wallet = Wallet::new(Network::Regtest, &[format!("tr({TPUB_84}/<0;1>/*)")]).unwrap();
        let far = Keypath { branch: Branch::Internal, index: 500_000 };
        let mut parts = parts();
        parts.wallet = wallet.id();
        parts.inputs[0].keypath = far;
        parts.outputs[1].own = Some(far);
        parts.outputs[1].script = wallet.script(far).unwrap();
        let spend = Spend::new(parts).unwrap();
        assert_eq!(outcomes(&spend, &Evidence::default(), &wallet), refused("C08"));
        assert_eq!(Marks::default().after(&spend).internal, DEFAULT_GAP);
    }

    #[test]
    fn a_coin_signed_in_another_spend_is_refused() {
        let spend = Spend::new(parts()).unwrap();
        assert_eq!(signed_before(&spend, |_| Some("other")).len(), 1);
        assert!(signed_before(&spend, |_| None::<String>).is_empty());
    }
}
