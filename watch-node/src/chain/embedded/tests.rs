use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{Keypair, Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Sequence, TapSighashType, TxIn, TxOut, Witness};
use tempfile::TempDir;

use super::*;
use crate::chain::block;
use crate::error::Error;

struct Payer {
    keypair: Keypair,
    chain: Embedded,
    dir: TempDir,
}

/// A chain on which a taproot key owns one coin of 1 BTC.
fn payer() -> (Payer, OutPoint) {
    let dir = tempfile::tempdir().unwrap();
    let chain = Embedded::open(dir.path()).unwrap();
    let keypair = Keypair::from_seckey_slice(&Secp256k1::new(), &[9; 32]).unwrap();
    let payer = Payer { keypair, chain, dir };
    payer.chain.mine(101, &miner_script().unwrap()).unwrap();
    let txid = payer.chain.fund(&payer.script(), Amount::from_int_btc(1)).unwrap();
    payer.mine(1);
    (payer, OutPoint::new(txid, 0))
}

impl Payer {
    fn script(&self) -> ScriptBuf {
        ScriptBuf::new_p2tr(&Secp256k1::new(), self.keypair.x_only_public_key().0, None)
    }

    fn mine(&self, count: u32) {
        self.chain.mine(count, &miner_script().unwrap()).unwrap();
    }

    /// Spends 1 BTC at `coin` to our own script, changed by `edit` before it is signed.
    fn spend(&self, coin: OutPoint, value: Amount, edit: impl FnOnce(&mut Transaction)) -> Transaction {
        let spent = TxOut { value, script_pubkey: self.script() };
        let mut transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: coin,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::new(),
            }],
            output: vec![TxOut { value: value - Amount::from_sat(1_000), script_pubkey: self.script() }],
        };
        edit(&mut transaction);
        let secp = Secp256k1::new();
        let sighash = SighashCache::new(&transaction)
            .taproot_key_spend_signature_hash(0, &Prevouts::All(&[spent]), TapSighashType::Default)
            .unwrap();
        let tweaked = self.keypair.tap_tweak(&secp, None).to_keypair();
        let signature =
            secp.sign_schnorr_no_aux_rand(&Message::from_digest(sighash.to_byte_array()), &tweaked);
        transaction.input[0].witness = Witness::from_slice(&[signature.as_ref()]);
        transaction
    }

    fn refusal(&self, transaction: &Transaction) -> String {
        assert!(self.chain.submit(transaction).is_err());
        match self.chain.test_acceptance(transaction).unwrap() {
            Acceptance::Refused(reason) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }
}

const ONE: Amount = Amount::ONE_BTC;

#[test]
fn a_signed_spend_is_accepted_mined_and_known_afterwards() {
    let (payer, coin) = payer();
    let spend = payer.spend(coin, ONE, |_| {});
    assert!(matches!(
        payer.chain.test_acceptance(&spend).unwrap(),
        Acceptance::Accepted { fee_sat: 1_000, vsize_vb: 111 }
    ));
    let txid = payer.chain.submit(&spend).unwrap();
    assert_eq!(payer.chain.mempool().unwrap().unwrap(), [txid]);
    assert_eq!(payer.chain.submit(&spend).unwrap(), txid, "a retry is no error");
    payer.mine(1);
    let tip = payer.chain.tip().unwrap();
    assert_eq!(payer.chain.block(tip.hash).unwrap().txdata[1], spend);
    assert_eq!(payer.chain.test_acceptance(&spend).unwrap(), Acceptance::Known);
    assert!(payer.chain.mempool().unwrap().unwrap().is_empty());
    assert!(payer.chain.unspent(coin).unwrap().is_none());
}

#[test]
fn a_forged_taproot_signature_is_refused() {
    let (payer, coin) = payer();
    let mut forged = payer.spend(coin, ONE, |_| {});
    let mut signature = forged.input[0].witness.nth(0).unwrap().to_vec();
    signature[20] ^= 1;
    forged.input[0].witness = Witness::from_slice(&[signature]);
    assert!(payer.refusal(&forged).contains("does not satisfy its script"));
}

#[test]
fn a_double_spend_replaces_only_with_a_higher_fee_and_never_after_the_block() {
    let (payer, coin) = payer();
    // 111 vB each: 12 sat more are needed than what is replaced pays.
    let paying = |fee: u64| payer.spend(coin, ONE, |t| t.output[0].value = ONE - Amount::from_sat(fee));
    let first = payer.chain.submit(&paying(1_000)).unwrap();
    for fee in [500, 999, 1_001, 1_011] {
        assert_eq!(payer.refusal(&paying(fee)), "insufficient fee", "{fee}");
    }
    assert_eq!(payer.chain.mempool().unwrap().unwrap(), [first]);
    let second = payer.chain.submit(&paying(1_012)).unwrap();
    assert_eq!(payer.chain.mempool().unwrap().unwrap(), [second]);
    payer.mine(1);
    assert_eq!(payer.refusal(&paying(9_000)), "bad-txns-inputs-missingorspent");
}

#[test]
fn a_replacement_pays_for_the_children_that_go_with_it() {
    let (payer, coin) = payer();
    let parent = payer.spend(coin, ONE, |_| {});
    let child = OutPoint::new(parent.compute_txid(), 0);
    payer.chain.submit(&parent).unwrap();
    let child = payer.spend(child, parent.output[0].value, |t| t.output[0].value -= Amount::from_sat(2_000));
    payer.chain.submit(&child).unwrap();
    let paying = |fee: u64| payer.spend(coin, ONE, |t| t.output[0].value = ONE - Amount::from_sat(fee));
    // 1,000 and 3,000 are replaced.
    assert_eq!(payer.refusal(&paying(4_011)), "insufficient fee");
    let last = payer.chain.submit(&paying(4_012)).unwrap();
    assert_eq!(payer.chain.mempool().unwrap().unwrap(), [last]);
}

#[test]
fn a_child_of_an_unconfirmed_parent_is_mined_with_it() {
    let (payer, coin) = payer();
    let parent = payer.spend(coin, ONE, |_| {});
    let child = payer.spend(OutPoint::new(parent.compute_txid(), 0), parent.output[0].value, |_| {});
    assert_eq!(payer.refusal(&child), "bad-txns-inputs-missingorspent");
    payer.chain.submit(&parent).unwrap();
    payer.chain.submit(&child).unwrap();
    payer.mine(1);
    let tip = payer.chain.tip().unwrap();
    assert_eq!(payer.chain.block(tip.hash).unwrap().txdata[1..], [parent, child]);
}

#[test]
fn dust_low_fees_and_made_up_money_are_refused() {
    let (payer, coin) = payer();
    let output = |value| move |t: &mut Transaction| t.output[0].value = Amount::from_sat(value);
    assert_eq!(payer.refusal(&payer.spend(coin, ONE, output(329))), "dust");
    assert_eq!(payer.refusal(&payer.spend(coin, ONE, output(100_000_001))), "bad-txns-in-belowout");
    // 111 vB at 0.1 sat/vB need 12 sat.
    assert_eq!(payer.refusal(&payer.spend(coin, ONE, output(100_000_000 - 11))), "min relay fee not met");
    payer.chain.submit(&payer.spend(coin, ONE, output(100_000_000 - 12))).unwrap();
}

#[test]
fn a_transaction_beyond_the_weight_limit_is_refused() {
    let (payer, coin) = payer();
    let wide = payer.spend(coin, ONE, |t| {
        let output = TxOut { value: Amount::from_sat(1_000), script_pubkey: payer.script() };
        t.output = vec![output; 2_400];
    });
    assert_eq!(payer.refusal(&wide), "tx-size");
}

#[test]
fn locktime_and_sequence_hold_a_transaction_back_until_their_height() {
    let (payer, coin) = payer();
    let next = payer.chain.tip().unwrap().height + 1;
    let locked = payer.spend(coin, ONE, |t| t.lock_time = LockTime::from_height(next).unwrap());
    let aged = payer.spend(coin, ONE, |t| t.input[0].sequence = Sequence::from_height(2));
    assert_eq!(payer.refusal(&locked), "non-final");
    assert_eq!(payer.refusal(&aged), "non-BIP68-final");
    payer.mine(1);
    assert!(matches!(payer.chain.test_acceptance(&locked).unwrap(), Acceptance::Accepted { .. }));
    assert!(matches!(payer.chain.test_acceptance(&aged).unwrap(), Acceptance::Accepted { .. }));
}

#[test]
fn a_block_reward_can_be_spent_after_100_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let chain = Embedded::open(dir.path()).unwrap();
    let script = miner_script().unwrap();
    chain.mine(99, &script).unwrap();
    assert!(matches!(chain.fund(&script, ONE), Err(Error::MinerPoor { available_sat: 0, .. })));
    chain.mine(1, &script).unwrap();
    chain.fund(&script, ONE).unwrap();

    let (payer, _) = payer();
    payer.chain.mine(1, &payer.script()).unwrap();
    let tip = payer.chain.tip().unwrap();
    let reward = payer.chain.block(tip.hash).unwrap();
    let coin = OutPoint::new(reward.txdata[0].compute_txid(), 0);
    let young = payer.spend(coin, reward.txdata[0].output[0].value, |_| {});
    assert_eq!(payer.refusal(&young), "bad-txns-premature-spend-of-coinbase");
    payer.mine(99);
    payer.chain.submit(&young).unwrap();
}

#[test]
fn every_block_proves_itself_and_carries_its_height() {
    let (payer, _) = payer();
    let mut previous = None;
    for height in 0..=payer.chain.tip().unwrap().height {
        let hash = payer.chain.hash_at(height).unwrap().unwrap();
        let block = payer.chain.block(hash).unwrap();
        block::verify(&block, hash, previous, height, Network::Regtest).unwrap();
        // Up to 16 BIP34 pushes an opcode, which the library's reader does not take.
        if height > 16 {
            assert_eq!(block.bip34_block_height().unwrap(), u64::from(height));
        }
        previous = Some(hash);
    }
}

#[test]
fn chain_and_mempool_survive_closing() {
    let (payer, coin) = payer();
    let txid = payer.chain.submit(&payer.spend(coin, ONE, |_| {})).unwrap();
    let tip = payer.chain.tip().unwrap();
    let Payer { chain, dir, .. } = payer;
    drop(chain);
    let again = Embedded::open(dir.path()).unwrap();
    assert_eq!(again.tip().unwrap(), tip);
    assert_eq!(again.mempool().unwrap().unwrap(), [txid]);
}
