//! One payment as a small canonical value: what every decision and every signature refers to.

use crate::check::{Check, Finding};
use crate::codec::{Canonical, CodecError, Decoder, Encoder};
use crate::id::{SpendId, WalletId};
use crate::wallet::{Keypath, Wallet};
use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Weight, Witness,
};
use std::collections::BTreeSet;

/// Most inputs, and most outputs, of one spend (check C27).
pub const MAX_ITEMS: usize = 100_000;

/// Heaviest signed transaction, in weight units (consensus, BIP141; check C27).
pub const MAX_WEIGHT: Weight = Weight::MAX_BLOCK;

/// Heaviest transaction that nodes relay, in weight units (Bitcoin Core `MAX_STANDARD_TX_WEIGHT`, policy.h).
pub const MAX_STANDARD_WEIGHT: Weight = Weight::from_wu(400_000);

/// An own coin that is spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendInput {
    /// Which coin.
    pub outpoint: OutPoint,
    /// The input's sequence number (BIP68, BIP125).
    pub sequence: Sequence,
    /// Its amount.
    pub value: Amount,
    /// Where in the wallet its script is.
    pub keypath: Keypath,
}

/// An output, in the transaction's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendOutput {
    /// Its amount.
    pub value: Amount,
    /// Its script.
    pub script: ScriptBuf,
    /// Where in the wallet the script is, when the spend claims that it is own. [`crate::examine`] proves it.
    pub own: Option<Keypath>,
}

/// A spend whose numbers add up. Ownership and previous amounts are claims until [`crate::examine`] has proved them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    network: Network,
    wallet: WalletId,
    version: Version,
    lock_time: LockTime,
    inputs: Vec<SpendInput>,
    outputs: Vec<SpendOutput>,
}

/// The parts a [`Spend`] is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendParts {
    /// The wallet's network.
    pub network: Network,
    /// The wallet all inputs belong to.
    pub wallet: WalletId,
    /// Transaction version.
    pub version: Version,
    /// Transaction locktime.
    pub lock_time: LockTime,
    /// Inputs in order.
    pub inputs: Vec<SpendInput>,
    /// Outputs in order.
    pub outputs: Vec<SpendOutput>,
}

impl Spend {
    /// Proves counts (C27), distinct inputs (C15), sums and a fee that is not negative (C17), and no dust (C18).
    ///
    /// # Errors
    /// Every invariant that does not hold, each as a finding with its number.
    pub fn new(parts: SpendParts) -> Result<Self, Vec<Finding>> {
        let SpendParts { network, wallet, version, lock_time, inputs, outputs } = parts;
        if let Some(finding) = out_of_bounds(inputs.len(), outputs.len()) {
            return Err(vec![finding]);
        }
        let spend = Self { network, wallet, version, lock_time, inputs, outputs };
        let weight = spend.unsigned_transaction().weight();
        if weight > MAX_WEIGHT {
            return Err(vec![
                Finding::refuse(
                    Check::BOUNDS,
                    format!(
                        "the transaction weighs {} weight units, more than a block of {}",
                        weight.to_wu(),
                        MAX_WEIGHT.to_wu()
                    ),
                )
                .hint("split the payment into several transactions"),
            ]);
        }
        let mut findings = Vec::new();
        findings.extend(spend.repeated_input());
        findings.extend(spend.wrong_sums());
        findings.extend(spend.outputs.iter().enumerate().filter_map(|(at, output)| dust(at, output)));
        if findings.is_empty() { Ok(spend) } else { Err(findings) }
    }

    /// The network.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The wallet all inputs belong to.
    pub fn wallet(&self) -> WalletId {
        self.wallet
    }

    /// Transaction version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Transaction locktime.
    pub fn lock_time(&self) -> LockTime {
        self.lock_time
    }

    /// Inputs in order.
    pub fn inputs(&self) -> &[SpendInput] {
        &self.inputs
    }

    /// Outputs in order.
    pub fn outputs(&self) -> &[SpendOutput] {
        &self.outputs
    }

    /// Outputs that leave the wallet, in order.
    pub fn external_outputs(&self) -> impl Iterator<Item = &SpendOutput> {
        self.outputs.iter().filter(|output| output.own.is_none())
    }

    /// Its identifier.
    pub fn id(&self) -> SpendId {
        SpendId::of(&self.to_bytes())
    }

    /// What the payment takes from the wallet: own inputs less own outputs. The fee is part of it.
    pub fn outflow(&self) -> Amount {
        let back = sum(self.outputs.iter().filter(|output| output.own.is_some()).map(|o| o.value));
        self.input_sum().checked_sub(back).unwrap_or(Amount::MAX_MONEY)
    }

    /// The fee: inputs less outputs.
    pub fn fee(&self) -> Amount {
        let out = sum(self.outputs.iter().map(|output| output.value));
        self.input_sum().checked_sub(out).unwrap_or(Amount::MAX_MONEY)
    }

    /// What recipients outside the wallet get.
    pub fn external_sum(&self) -> Amount {
        sum(self.external_outputs().map(|output| output.value))
    }

    /// What the inputs bring.
    pub fn input_sum(&self) -> Amount {
        sum(self.inputs.iter().map(|input| input.value))
    }

    /// The transaction without any signature.
    pub fn unsigned_transaction(&self) -> Transaction {
        Transaction {
            version: self.version,
            lock_time: self.lock_time,
            input: self
                .inputs
                .iter()
                .map(|input| TxIn {
                    previous_output: input.outpoint,
                    script_sig: ScriptBuf::new(),
                    sequence: input.sequence,
                    witness: Witness::new(),
                })
                .collect(),
            output: self
                .outputs
                .iter()
                .map(|output| TxOut { value: output.value, script_pubkey: output.script.clone() })
                .collect(),
        }
    }

    /// Txid of the unsigned transaction: the final one where all inputs are native segwit.
    pub fn unsigned_txid(&self) -> Txid {
        self.unsigned_transaction().compute_txid()
    }

    /// The anchor outpoint: the first input's coin, by which replacements of a payment are told to be one group.
    pub fn anchor(&self) -> OutPoint {
        self.inputs.first().map_or_else(OutPoint::null, |input| input.outpoint)
    }

    /// Upper bound of the signed transaction's weight, in weight units.
    pub fn signed_weight(&self, wallet: &Wallet) -> Weight {
        let inputs = u64::try_from(self.inputs.len()).unwrap_or(u64::MAX);
        let satisfactions = wallet.satisfaction_weight().to_wu().saturating_mul(inputs);
        // Two weight units for the segwit marker and flag (BIP144); each input's empty witness count is part of
        // its satisfaction weight.
        let unsigned = self.unsigned_transaction().weight().to_wu();
        Weight::from_wu(unsigned.saturating_add(2).saturating_add(satisfactions))
    }

    /// Upper bound of the signed transaction's size, in virtual bytes (BIP141).
    pub fn signed_vsize(&self, wallet: &Wallet) -> u64 {
        self.signed_weight(wallet).to_vbytes_ceil()
    }

    fn repeated_input(&self) -> Option<Finding> {
        let mut seen = BTreeSet::new();
        let twice = self.inputs.iter().find(|input| !seen.insert(input.outpoint))?;
        Some(Finding::refuse(Check::DUPLICATE_INPUT, format!("the coin {} is spent twice", twice.outpoint)))
    }

    fn wrong_sums(&self) -> Option<Finding> {
        let inputs = checked_sum(self.inputs.iter().map(|input| input.value));
        let outputs = checked_sum(self.outputs.iter().map(|output| output.value));
        let (Some(inputs), Some(outputs)) = (inputs, outputs) else {
            return Some(Finding::refuse(Check::SUMS, "amounts add up to more than 21 million BTC"));
        };
        (outputs > inputs).then(|| {
            Finding::refuse(
                Check::SUMS,
                format!(
                    "outputs of {} sat exceed inputs of {} sat: the fee would be negative",
                    outputs.to_sat(),
                    inputs.to_sat()
                ),
            )
        })
    }
}

impl Canonical for Spend {
    const TAG: &'static str = SpendId::TAG;

    fn encode_fields(&self, to: &mut Encoder) {
        to.network(self.network);
        to.fixed(self.wallet.as_bytes());
        to.fixed(&self.version.0.to_be_bytes());
        to.u32(self.lock_time.to_consensus_u32());
        to.list(&self.inputs, |to, input| {
            to.outpoint(&input.outpoint);
            to.u32(input.sequence.to_consensus_u32());
            to.amount(input.value);
            input.keypath.encode(to);
        });
        to.list(&self.outputs, |to, output| {
            to.amount(output.value);
            to.string(output.script.as_bytes());
            to.option(output.own.as_ref(), |to, keypath| keypath.encode(to));
        });
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let parts = SpendParts {
            network: from.network("network")?,
            wallet: WalletId::from_bytes(from.fixed("wallet")?),
            version: Version(i32::from_be_bytes(from.fixed("version")?)),
            lock_time: LockTime::from_consensus(from.u32("lock time")?),
            inputs: from.list("inputs", MAX_ITEMS, |from| {
                Ok(SpendInput {
                    outpoint: from.outpoint("outpoint")?,
                    sequence: from.sequence("sequence")?,
                    value: from.amount("input value")?,
                    keypath: Keypath::decode(from)?,
                })
            })?,
            outputs: from.list("outputs", MAX_ITEMS, |from| {
                Ok(SpendOutput {
                    value: from.amount("output value")?,
                    script: from.script("output script")?,
                    own: from.option("own", Keypath::decode)?,
                })
            })?,
        };
        Spend::new(parts).map_err(|findings| {
            let reasons: Vec<_> =
                findings.iter().map(|finding| format!("{}: {}", finding.code, finding.message)).collect();
            CodecError::invalid("spend", reasons.join("; "))
        })
    }
}

fn out_of_bounds(inputs: usize, outputs: usize) -> Option<Finding> {
    let refuse = |what: &str, found| {
        Finding::refuse(Check::BOUNDS, format!("{found} {what}, expected 1 to {MAX_ITEMS}"))
    };
    let wrong = |count: usize| count == 0 || count > MAX_ITEMS;
    if wrong(inputs) {
        return Some(refuse("inputs", inputs));
    }
    wrong(outputs).then(|| refuse("outputs", outputs))
}

fn dust(at: usize, output: &SpendOutput) -> Option<Finding> {
    if output.script.is_op_return() {
        return None;
    }
    let limit = output.script.minimal_non_dust();
    (output.value < limit).then(|| {
        Finding::refuse(
            Check::DUST,
            format!(
                "output {at} of {} sat is dust: below {} sat nodes do not relay it",
                output.value.to_sat(),
                limit.to_sat()
            ),
        )
        .hint("leave the output out, or pay more to it")
    })
}

fn checked_sum(amounts: impl Iterator<Item = Amount>) -> Option<Amount> {
    let mut total = Amount::ZERO;
    for amount in amounts {
        total = total.checked_add(amount)?;
        if total > Amount::MAX_MONEY {
            return None;
        }
    }
    Some(total)
}

/// Sums of a [`Spend`] that exists never overflow; saturating keeps that local.
fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    checked_sum(amounts).unwrap_or(Amount::MAX_MONEY)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::wallet::Branch;
    use crate::wallet::tests::regtest_wallet;
    use bitcoin::hashes::Hash;
    use proptest::prelude::*;

    pub fn outpoint(n: u8) -> OutPoint {
        OutPoint { txid: Txid::from_byte_array([n; 32]), vout: u32::from(n) }
    }

    pub fn foreign_script(n: u8) -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array([n; 20]))
    }

    /// 1 BTC in, 0.4 BTC to a stranger, 0.599 9 BTC change, 10 000 sat fee.
    pub fn parts() -> SpendParts {
        let wallet = regtest_wallet();
        let change = Keypath { branch: Branch::Internal, index: 3 };
        SpendParts {
            network: Network::Regtest,
            wallet: wallet.id(),
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            inputs: vec![SpendInput {
                outpoint: outpoint(1),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                value: Amount::from_sat(100_000_000),
                keypath: Keypath { branch: Branch::External, index: 0 },
            }],
            outputs: vec![
                SpendOutput { value: Amount::from_sat(40_000_000), script: foreign_script(9), own: None },
                SpendOutput {
                    value: Amount::from_sat(59_990_000),
                    script: wallet.script(change).unwrap(),
                    own: Some(change),
                },
            ],
        }
    }

    fn refused(parts: SpendParts) -> Vec<String> {
        Spend::new(parts).unwrap_err().iter().map(|finding| finding.code.to_string()).collect()
    }

    #[test]
    fn sums_are_those_of_the_payment() {
        let spend = Spend::new(parts()).unwrap();
        assert_eq!(spend.fee().to_sat(), 10_000);
        assert_eq!(spend.external_sum().to_sat(), 40_000_000);
        assert_eq!(spend.outflow().to_sat(), 40_010_000);
        assert_eq!(spend.anchor(), outpoint(1));
    }

    #[test]
    fn spend_id_is_pinned_by_a_vector() {
        let spend = Spend::new(parts()).unwrap();
        assert_eq!(
            spend.id().to_string(),
            "39cc022a99b3bdf8d9e82c1448808b1da1e9d6c4625da24ce112391a5328ab0b"
        );
    }

    #[test]
    fn each_broken_invariant_is_named_by_its_number() {
        let mut twice = parts();
        twice.inputs.push(twice.inputs[0].clone());
        assert_eq!(refused(twice), ["C15"]);
        let mut negative = parts();
        negative.inputs[0].value = Amount::from_sat(99_000_000);
        assert_eq!(refused(negative), ["C17"]);
        let mut overflow = parts();
        overflow.inputs[0].value = Amount::MAX;
        assert_eq!(refused(overflow), ["C17"]);
        let mut dusty = parts();
        dusty.outputs[0].value = Amount::from_sat(293);
        assert_eq!(refused(dusty), ["C18"]);
        let mut empty = parts();
        empty.outputs.clear();
        assert_eq!(refused(empty), ["C27"]);
        let mut heavy = parts();
        heavy.outputs =
            vec![SpendOutput { value: Amount::from_sat(1000), script: foreign_script(1), own: None }; 40_000];
        assert_eq!(refused(heavy), ["C27"]);
    }

    #[test]
    fn an_op_return_may_be_zero_and_dust_starts_where_core_says() {
        let mut ok = parts();
        ok.outputs[0] =
            SpendOutput { value: Amount::ZERO, script: ScriptBuf::new_op_return([1, 2, 3]), own: None };
        assert!(Spend::new(ok).is_ok());
        let mut edge = parts();
        edge.outputs[0].value = Amount::from_sat(294);
        assert!(Spend::new(edge).is_ok());
    }

    #[test]
    fn the_estimated_size_is_that_of_a_signed_transaction() {
        // One wpkh input, two wpkh outputs: 140.25 vB with a 71-byte signature, at most 141 with 72 bytes.
        let spend = Spend::new(parts()).unwrap();
        let vsize = spend.signed_vsize(&regtest_wallet());
        assert!((140..=142).contains(&vsize), "{vsize}");
    }

    prop_compose! {
        fn any_parts()(
            values in proptest::collection::vec((1_000_000u64..1_000_000_000, 0u32..2000), 1..6),
            outs in proptest::collection::vec((1_000u64..100_000, any::<bool>(), 0u32..3000, any::<u8>()), 1..6),
            lock: u32, version: i32, sequence: u32,
        ) -> SpendParts {
            let mut parts = parts();
            parts.version = Version(version);
            parts.lock_time = LockTime::from_consensus(lock);
            parts.inputs = values.iter().enumerate().map(|(i, (value, index))| SpendInput {
                outpoint: outpoint(i as u8), sequence: Sequence(sequence), value: Amount::from_sat(*value),
                keypath: Keypath { branch: Branch::External, index: *index },
            }).collect();
            parts.outputs = outs.iter().map(|(value, own, index, n)| SpendOutput {
                value: Amount::from_sat(*value), script: foreign_script(*n),
                own: own.then_some(Keypath { branch: Branch::Internal, index: *index }),
            }).collect();
            parts
        }
    }

    proptest! {
        #[test]
        fn every_spend_survives_its_bytes(parts in any_parts()) {
            let spend = Spend::new(parts).unwrap();
            prop_assert_eq!(Spend::from_bytes(&spend.to_bytes()).unwrap(), spend);
        }

        #[test]
        fn a_changed_byte_is_another_spend_or_none(parts in any_parts(), at: prop::sample::Index, flip in 1u8..) {
            let spend = Spend::new(parts).unwrap();
            let mut bytes = spend.to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(other) = Spend::from_bytes(&bytes) {
                prop_assert_ne!(other.id(), spend.id());
            }
        }
    }
}
