//! The sheet before several files are signed: what all of them come to.

use super::parts;
use bitcoin::{Amount, Network};
use cold_wire::Review;
use psbt_tools::display::escape;
use psbt_tools::money::amount_text;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Sums by wallet.
#[derive(Debug, Default)]
pub struct Totals {
    wallets: BTreeMap<String, Total>,
}

#[derive(Debug)]
struct Total {
    network: Network,
    files: u64,
    outflow: Amount,
    fee: Amount,
}

impl Totals {
    /// Adds a payment that can be signed.
    pub fn add(&mut self, review: &Review) {
        let total = self.wallets.entry(review.wallet.clone()).or_insert(Total {
            network: review.network,
            files: 0,
            outflow: Amount::ZERO,
            fee: Amount::ZERO,
        });
        let sum = |a: Amount, b: Amount| a.checked_add(b).unwrap_or(Amount::MAX_MONEY);
        total.files += 1;
        total.fee = sum(total.fee, review.fee);
        total.outflow = sum(total.outflow, sum(parts::external(review), review.fee));
    }

    /// The head of each of its pages.
    pub fn head(&self, refused: usize, live_network: &[String]) -> Vec<String> {
        let files: u64 = self.wallets.values().map(|total| total.files).sum();
        let mut lines = vec![format!("airlock · {} to sign", files_text(files))];
        if refused > 0 {
            let refused = u64::try_from(refused).unwrap_or(u64::MAX);
            lines.push(format!("{} cannot be signed; what is wrong is told at the end", files_text(refused)));
        }
        lines.extend(parts::live_network(live_network));
        lines
    }

    /// What leaves each wallet.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (wallet, total) in &self.wallets {
            lines.extend([
                String::new(),
                parts::network(total.network),
                format!("Wallet {}: {}", escape(wallet), files_text(total.files)),
                format!("  leaves the wallet  {}", amount_text(total.outflow)),
                format!("  of that, fees      {}", amount_text(total.fee)),
            ]);
        }
        lines
    }

    /// `[{"wallet", "network", "files", "outflow_sat", "fee_sat"}]`.
    pub fn to_json(&self) -> Value {
        let total = |(wallet, total): (&String, &Total)| {
            json!({
                "wallet": wallet,
                "network": total.network.to_string(),
                "files": total.files,
                "outflow_sat": total.outflow.to_sat(),
                "fee_sat": total.fee.to_sat(),
            })
        };
        self.wallets.iter().map(total).collect()
    }
}

fn files_text(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screens::tests::{permitted, review};

    #[test]
    fn the_sheet_adds_up_by_wallet() {
        let mut totals = Totals::default();
        totals.add(&review());
        totals.add(&permitted());
        totals.add(&Review { wallet: "sa\u{202e}vings".to_owned(), network: Network::Bitcoin, ..review() });
        let sheet: Vec<_> = totals.head(1, &["eth0".to_owned()]).into_iter().chain(totals.lines()).collect();
        insta::assert_snapshot!(sheet.join("\n"));
        let json = totals.to_json();
        assert_eq!(
            (&json[0]["files"], &json[0]["outflow_sat"], &json[0]["fee_sat"]),
            (&2.into(), &3_020_000.into(), &20_000.into())
        );
    }
}
