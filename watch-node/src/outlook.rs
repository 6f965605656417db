//! What each path of a wallet can spend now, and what it will be able to spend later.

use policies::text::utc_text;
use policies::wallet::Wallet;
use psbt_tools::money::amount_text;
use serde_json::{Value, json};

use crate::coins::Coin;
use crate::error::Result;
use crate::path::{Moment, Path, Ripeness};
use crate::portrait::path_texts;
use crate::store::Store;

/// A path and some confirmed coins, sorted by whether it can spend them yet.
struct Prospect<'w> {
    path: Path<'w>,
    text: String,
    ripeness: Ripeness,
}

/// Every path of a wallet, as of the last scanned block.
pub struct Outlook<'w> {
    now: Moment,
    prospects: Vec<Prospect<'w>>,
}

impl<'w> Outlook<'w> {
    /// Sorts the confirmed ones among these coins of the wallet.
    ///
    /// Errors: [`Error::NotScanned`](crate::Error::NotScanned) before the first block.
    pub fn of(store: &Store, wallet: &'w Wallet, coins: &[Coin]) -> Result<Self> {
        let mut prospects = Vec::new();
        for ((number, path), text) in (1..).zip(wallet.paths()).zip(path_texts(wallet)) {
            let path = Path { number, path };
            prospects.push(Prospect {
                path,
                text,
                ripeness: Ripeness::of(store, &path.locks(), coins.iter().cloned())?,
            });
        }
        Ok(Self { now: Moment::now(store)?, prospects })
    }

    /// Whether any path waits for a height, a time, or a coin's age.
    pub fn is_timed(&self) -> bool {
        let mut paths = self.prospects.iter().map(|prospect| prospect.path.path);
        paths.any(|path| path.older().is_some() || path.after().is_some())
    }

    /// Each path with the sum that it can spend now, and that it can spend later; then the block that this is as of.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Prospect { path, text: words, ripeness } in &self.prospects {
            text.push_str(&format!("path {}  {words}\n", path.number));
            text.push_str(&format!("        now  {}\n", amount_text(ripeness.ripe_sum())));
            if let Some(opens) = ripeness.next() {
                let sum = amount_text(ripeness.waiting_sum());
                text.push_str(&format!("        later  {sum}, the first {}\n", opens.text()));
            }
        }
        let Moment { height, median_time } = self.now;
        text.push_str(&format!("as of block {height}, median time {}", utc_text(median_time)));
        text
    }

    /// `{"height", "median_time", "paths": [{"path", "text", "older", "after", "coins", "open_sat", "waiting_coins",
    /// "waiting_sat", "next_height", "next_time"}]}`.
    pub fn json(&self) -> Value {
        let path = |Prospect { path, text, ripeness }: &Prospect<'_>| {
            let next = ripeness.next();
            json!({
                "path": path.number,
                "text": text,
                "older": path.path.older().map(|lock| lock.to_consensus_u32()),
                "after": path.path.after().map(|lock| lock.to_consensus_u32()),
                "coins": ripeness.ripe.len(),
                "open_sat": ripeness.ripe_sum().to_sat(),
                "waiting_coins": ripeness.waiting.len(),
                "waiting_sat": ripeness.waiting_sum().to_sat(),
                "next_height": next.map(|opens| opens.height).filter(|height| *height > 0),
                "next_time": next.map(|opens| opens.median_time).filter(|time| *time > 0),
            })
        };
        json!({
            "height": self.now.height,
            "median_time": self.now.median_time,
            "paths": self.prospects.iter().map(path).collect::<Vec<_>>(),
        })
    }
}
