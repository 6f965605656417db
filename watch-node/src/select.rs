//! Which coins pay for a payment. The search is `bdk_coin_select`'s; the fee is computed here, in integers.

use std::fmt;

use bdk_coin_select::metrics::LowestFee;
use bdk_coin_select::{
    Candidate, ChangePolicy, CoinSelector, DrainWeights, FeeRate, TXIN_BASE_WEIGHT, Target, TargetFee,
    TargetOutputs,
};
use bitcoin::{Script, TxOut};
use policies::spend::MAX_STANDARD_WEIGHT;
use policies::wallet::Wallet;

use crate::coins::Coin;

/// Room for everything but the inputs in a transaction with one output, and for signatures a byte longer than reckoned, in
/// weight units.
const OVERHEAD_WU: u64 = 2_500;

/// Rounds of branch and bound before the best answer so far is taken.
const MAX_ROUNDS: usize = 100_000;

/// A feerate, in thousandths of a satoshi per virtual byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

impl Rate {
    /// The fee of so many virtual bytes, in satoshi, rounded up; `None` when it overflows.
    pub fn fee_sat(self, vsize_vb: u64) -> Option<u64> {
        Some(self.0.checked_mul(vsize_vb)?.div_ceil(1000))
    }

    /// For the search alone, which works in floating point.
    #[allow(
        clippy::cast_precision_loss,
        reason = "the search only ranks candidates; the fee is integer arithmetic"
    )]
    fn approximate(self) -> FeeRate {
        FeeRate::from_sat_per_vb(self.0 as f32 / 1000.0)
    }
}

/// `1.5`, in sat/vB.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// The coins that pay the recipients with the lowest fee, now and when their change is spent one day: a set without
/// change where there is one (branch and bound), else the cheapest, else the largest first. `None`: not enough.
pub fn select<'a>(
    coins: &'a [Coin],
    recipients: &[TxOut],
    change: &Script,
    wallet: &Wallet,
    rate: Rate,
) -> Option<Vec<&'a Coin>> {
    let satisfaction = wallet.satisfaction_weight().to_wu();
    let candidates: Vec<_> =
        coins.iter().map(|coin| Candidate::new(coin.value.to_sat(), satisfaction, true)).collect();
    let change_output = TxOut { value: change.minimal_non_dust(), script_pubkey: change.to_owned() };
    let policy = ChangePolicy::min_value(
        DrainWeights {
            output_weight: change_output.weight().to_wu(),
            spend_weight: TXIN_BASE_WEIGHT.saturating_add(satisfaction),
            n_outputs: 1,
        },
        change_output.value.to_sat(),
    );
    let outputs = recipients.iter().map(|output| (output.weight().to_wu(), output.value.to_sat()));
    let target = Target {
        fee: TargetFee::from_feerate(rate.approximate()),
        outputs: TargetOutputs::fund_outputs(outputs),
    };
    let mut selector = CoinSelector::new(&candidates);
    let metric = LowestFee { target, long_term_feerate: rate.approximate(), change_policy: policy };
    if selector.run_bnb(metric, MAX_ROUNDS).is_err() {
        selector.sort_candidates_by_descending_value_pwu();
        selector.select_until_target_met(target).ok()?;
    }
    selector.selected_indices().iter().map(|index| coins.get(*index)).collect()
}

/// The coins that are worth more than the fee of spending them, in their order, as many as fit into a transaction that
/// nodes relay and that pays them back to their wallet.
pub fn consolidate<'a>(
    coins: impl IntoIterator<Item = &'a Coin>,
    wallet: &Wallet,
    rate: Rate,
) -> Vec<&'a Coin> {
    let input_wu = TXIN_BASE_WEIGHT.saturating_add(wallet.satisfaction_weight().to_wu());
    let fee_sat = rate.fee_sat(input_wu.div_ceil(4)).unwrap_or(u64::MAX);
    let room = MAX_STANDARD_WEIGHT.to_wu().saturating_sub(OVERHEAD_WU).checked_div(input_wu);
    coins
        .into_iter()
        .filter(|coin| coin.value.to_sat() > fee_sat)
        .take(room.and_then(|room| usize::try_from(room).ok()).unwrap_or_default())
        .collect()
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;
    use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Txid};

    use super::*;
    use crate::coins::CoinState;
    use crate::store::{Branch, Place};

    const DESCRIPTOR: &str = "wpkh([73c5da0a/84h/1h/0h]tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M/<0;1>/*)";

    fn coins(values: &[u64]) -> Vec<Coin> {
        (0u8..)
            .zip(values)
            .map(|(n, value)| Coin {
                outpoint: OutPoint::new(Txid::from_byte_array([n; 32]), 0),
                place: Place { wallet: 1, branch: Branch::External, index: 0 },
                value: Amount::from_sat(*value),
                script: ScriptBuf::new(),
                height: Some(1),
                confirmations: 1,
                coinbase: false,
                state: CoinState::Confirmed,
            })
            .collect()
    }

    fn chosen(values: &[u64], pay: u64, rate: u64) -> Option<Vec<u64>> {
        let wallet = Wallet::new(Network::Regtest, &[DESCRIPTOR]).unwrap();
        let script = ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::all_zeros());
        let recipient = TxOut { value: Amount::from_sat(pay), script_pubkey: script.clone() };
        let coins = coins(values);
        let selected = select(&coins, &[recipient], &script, &wallet, Rate(rate))?;
        let mut values: Vec<_> = selected.iter().map(|coin| coin.value.to_sat()).collect();
        values.sort_unstable();
        Some(values)
    }

    #[test]
    fn a_coin_that_fits_without_change_is_preferred() {
        // One input and one output of wpkh are 110 virtual bytes.
        assert_eq!(chosen(&[1_000_000, 100_150, 60_000, 50_000], 100_000, 1_000), Some(vec![100_150]));
    }

    #[test]
    fn one_coin_is_taken_where_one_is_enough() {
        assert_eq!(chosen(&[30_000, 40_000, 500_000], 100_000, 10_000), Some(vec![500_000]));
    }

    #[test]
    fn too_little_is_no_selection() {
        assert_eq!(chosen(&[30_000, 40_000], 70_000, 1_000), None);
        assert_eq!(chosen(&[], 70_000, 1_000), None);
        // Coins that cost more than they are worth pay nothing.
        assert_eq!(chosen(&[600; 50], 10_000, 20_000), None);
    }

    #[test]
    fn coins_are_consolidated_that_are_worth_it_and_fit() {
        let wallet = Wallet::new(Network::Regtest, &[DESCRIPTOR]).unwrap();
        // An input of wpkh is 68 virtual bytes.
        let few = coins(&[680, 681, 5_000]);
        let kept: Vec<_> =
            consolidate(&few, &wallet, Rate(10_000)).iter().map(|coin| coin.value.to_sat()).collect();
        assert_eq!(kept, [681, 5_000]);
        let many = coins(&[5_000; 250]);
        let all = std::iter::repeat_n(&many, 8).flatten();
        assert_eq!(consolidate(all, &wallet, Rate(1_000)).len(), 397_500 / 271);
    }

    #[test]
    fn a_rate_is_shown_as_it_is_typed() {
        for (milli, text) in
            [(1_000, "1"), (1_500, "1.5"), (10_001, "10.001"), (120_000, "120"), (30, "0.03")]
        {
            assert_eq!(Rate(milli).to_string(), text);
        }
    }

    #[test]
    fn a_fee_is_rounded_up() {
        assert_eq!(Rate(1_001).fee_sat(141), Some(142));
        assert_eq!(Rate(u64::MAX).fee_sat(2), None);
    }
}
