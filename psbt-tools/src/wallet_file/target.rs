//! A wallet in the formats that other programs read.

use super::{bip388, bsms, coldcard, core, descriptor, read, specter};
use crate::display::escape;
use policies::wallet::{Branch, Wallet};

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The two descriptors, one a line.
    Descriptor,
    /// Both as one descriptor with `<0;1>` (BIP389): for a QR code, which holds one.
    Multipath,
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
        Target::Multipath => multipath(wallet)?,
        Target::Bip388 => format!("{:#}\n", bip388::Policy::of(wallet)?.to_json(&name)),
        Target::Bsms => format!("{}\n", bsms::write(wallet)?),
        Target::Coldcard => coldcard::write(wallet, &name)?,
        Target::Core => format!("{:#}\n", core::write(wallet, birthday)),
        Target::Specter => format!("{:#}\n", specter::write(wallet, &name)),
    };
    let back = read(text.as_bytes()).ok()?.wallet(wallet.network()).ok()?;
    (back == *wallet).then_some(text)
}

/// The two descriptors as one: where their paths differ, both numbers stand, as in `<0;1>`.
fn multipath(wallet: &Wallet) -> Option<String> {
    let [external, internal] = Branch::ALL.map(|branch| wallet.descriptor(branch));
    let body = |text: &str| text.split('#').next().unwrap_or_default().to_owned();
    let (external, internal) = (body(&external), body(&internal));
    let (external, internal): (Vec<&str>, Vec<&str>) =
        (external.split('/').collect(), internal.split('/').collect());
    if external.len() != internal.len() {
        return None;
    }
    let steps = external.iter().zip(&internal).map(|(a, b)| match a == b {
        true => (*a).to_owned(),
        false => format!("<{a};{b}>"),
    });
    let text = descriptor::canonical(&steps.collect::<Vec<_>>().join("/")).ok()?;
    Some(format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::Network;

    const KEYS: [&str; 2] = [
        "[73c5da0a/84'/1'/0']tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M",
        "[73c5da0a/48'/1'/0'/2']tpubDFH9dgzveyD8zTbPUFuLrGmCydNvxehyNdUXKJAQN8x4aZ4j6UZqGfnqFrD4NqyaTVGKbvEW54tsvPTK2UoSbCC1PJY8iCNiwTL3RWZEheQ",
    ];

    #[test]
    fn both_descriptors_become_one_that_is_the_same_wallet() {
        for descriptor in [
            format!("wpkh({}/<0;1>/*)", KEYS[0]),
            format!("wsh(sortedmulti(2,{}/<0;1>/*,{}/<0;1>/*))", KEYS[0], KEYS[1]),
            format!("wsh(or_i(and_v(v:pkh({0}/<2;3>/*),older(10)),pk({1}/<0;1>/*)))", KEYS[0], KEYS[1]),
        ] {
            let wallet = Wallet::new(Network::Regtest, &[&descriptor]).unwrap();
            let text = write(&wallet, Target::Multipath, "office", None).unwrap();
            assert_eq!(text.trim_end().split('#').next(), Some(descriptor.as_str()));
        }
    }
}
