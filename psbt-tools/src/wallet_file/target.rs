//! A wallet in the formats that other programs read.

use super::{bip388, bsms, coldcard, core, read, specter};
use crate::display::escape;
use policies::wallet::{Branch, Wallet};

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The two descriptors, one a line.
    Descriptor,
    /// A wallet policy as JSON.
    Bip388,
    /// A BSMS descriptor record, without encryption.
    Bsms,
    /// A Coldcard's multisig file, which Sparrow, Specter and Electrum read too.
    Coldcard,
    /// What Bitcoin Core's `importdescriptors` takes.
    Core,
    /// The JSON of Specter and Fully Noded, which Sparrow reads too.
    Specter,
}

/// Writes a wallet under a name; `birthday` is when its keys were made, Unix time, for the programs that look through the
/// chain. `None` when the format has no words for the wallet: what is written always reads back as the same one.
pub fn write(wallet: &Wallet, target: Target, name: &str, birthday: Option<u64>) -> Option<String> {
    let name = escape(name);
    let text = match target {
        Target::Descriptor => {
            Branch::ALL.into_iter().map(|branch| format!("{}\n", wallet.descriptor(branch))).collect()
        }
        Target::Bip388 => format!("{:#}\n", bip388::Policy::of(wallet)?.to_json(&name)),
        Target::Bsms => format!("{}\n", bsms::write(wallet)?),
        Target::Coldcard => coldcard::write(wallet, &name)?,
        Target::Core => format!("{:#}\n", core::write(wallet, birthday)),
        Target::Specter => format!("{:#}\n", specter::write(wallet, &name)),
    };
    let back = read(text.as_bytes()).ok()?.wallet(wallet.network()).ok()?;
    (back == *wallet).then_some(text)
}
