//! C06, C07, C10 to C12, C23, C30: which registered wallet the inputs are of, and which outputs come back to it.
//! Derivations in a PSBT are hints where to look; only a script that the wallet itself derives there is ours.

use super::claims;
use super::coins::Coin;
use bitcoin::bip32::{ChildNumber, KeySource};
use bitcoin::psbt::{Input, Output};
use bitcoin::{Network, NetworkKind, Psbt, Script, XOnlyPublicKey};
use policies::check::{Check, Finding};
use policies::wallet::{Branch, Keypath, Wallet};
use std::collections::BTreeSet;

/// Most keypaths of one wallet that are tried for one input or output (check C27): honest files name one.
const MAX_KEYPATHS: usize = 4;

/// Whose the inputs and outputs are.
#[derive(Debug, Clone)]
pub(crate) struct Ownership<'a> {
    /// The registered wallet that owns most inputs.
    pub wallet: Option<&'a Wallet>,
    /// Where in it each input is; `None` for a stranger's.
    pub inputs: Vec<Option<Keypath>>,
    /// Where in it each output is; `None` for a recipient's.
    pub outputs: Vec<Option<Keypath>>,
}

/// Finds the wallet; all that is wrong about it is added to the findings.
pub(crate) fn establish<'a>(
    psbt: &Psbt,
    coins: &[Coin],
    wallets: &'a [Wallet],
    network: Option<Network>,
    findings: &mut Vec<Finding>,
) -> Ownership<'a> {
    let seekers: Vec<_> = wallets.iter().map(Seeker::new).collect();
    let owned = owned_inputs(psbt, coins, &seekers);
    // Of equals the first; a wallet of the network that was asked for before one with the same keys on another.
    let best =
        seekers.iter().zip(&owned).rev().filter(|(_, inputs)| inputs.iter().any(Option::is_some)).max_by_key(
            |(seeker, inputs)| {
                let meant = network.is_none_or(|network| network == seeker.wallet.network());
                (meant, inputs.iter().flatten().count())
            },
        );
    let Some((seeker, inputs)) = best else {
        findings.extend(nothing_ours(coins, wallets));
        let outputs = vec![None; psbt.outputs.len()];
        return Ownership { wallet: None, inputs: vec![None; psbt.inputs.len()], outputs };
    };
    let wallet = seeker.wallet;
    let before = findings.len();
    foreign_inputs(coins, inputs, &owned, findings);
    if findings.len() == before {
        findings.push(Finding::pass(Check::SIGNED_INPUTS, "every input that would be signed is proven ours"));
    }
    let outputs = owned_outputs(psbt, seeker, findings);
    findings.push(Finding::pass(
        Check::FINGERPRINTS,
        "ownership was matched by derived scripts, never by fingerprints",
    ));
    if let Some(network) = network.filter(|network| *network != wallet.network()) {
        findings.push(
            Finding::refuse(
                Check::NETWORK,
                format!("the inputs are of a {} wallet, expected {network}", wallet.network()),
            )
            .hint("a key's network is fixed at its creation; name that network"),
        );
    }
    Ownership { wallet: Some(wallet), inputs: inputs.clone(), outputs }
}

/// C30: extended keys in the file are for the network.
pub(crate) fn global_keys(psbt: &Psbt, network: Network) -> Finding {
    let kind = |kind: NetworkKind| if kind.is_mainnet() { "mainnet" } else { "test networks" };
    match psbt.xpub.keys().find(|xpub| xpub.network != NetworkKind::from(network)) {
        None => Finding::pass(Check::NETWORK, format!("nothing contradicts {network}")),
        Some(xpub) => Finding::refuse(
            Check::NETWORK,
            format!("the file holds an extended key for {}, expected {network}", kind(xpub.network)),
        )
        .hint("the file was made for another network; name that network or get the right file"),
    }
}

/// A derivation as the PSBT gives it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hint<'a> {
    /// The key's x coordinate.
    pub key: XOnlyPublicKey,
    /// Fingerprint and path.
    pub source: &'a KeySource,
}

fn input_hints(input: &Input) -> Vec<Hint<'_>> {
    let ecdsa =
        input.bip32_derivation.iter().map(|(key, source)| Hint { key: key.x_only_public_key().0, source });
    ecdsa.chain(input.tap_key_origins.iter().map(|(key, (_, source))| Hint { key: *key, source })).collect()
}

fn output_hints(output: &Output) -> Vec<Hint<'_>> {
    let ecdsa =
        output.bip32_derivation.iter().map(|(key, source)| Hint { key: key.x_only_public_key().0, source });
    ecdsa.chain(output.tap_key_origins.iter().map(|(key, (_, source))| Hint { key: *key, source })).collect()
}

/// A wallet and the ends that its derivation paths have.
pub(super) struct Seeker<'a> {
    pub wallet: &'a Wallet,
    ends: Vec<(Branch, &'a [ChildNumber])>,
}

impl<'a> Seeker<'a> {
    fn new(wallet: &'a Wallet) -> Self {
        let places = wallet.places().iter().filter(|place| place.key.is_some());
        let ends: BTreeSet<_> =
            places.flat_map(|place| Branch::ALL.map(|branch| (branch, place.steps(branch)))).collect();
        Self { wallet, ends: ends.into_iter().collect() }
    }

    /// Where the wallet has a key that ends in these steps, by whatever fingerprint and origin: fingerprints may be zero
    /// or another key's (check C23).
    fn by_end(&self, hint: &Hint<'_>) -> Vec<Keypath> {
        let steps: &[ChildNumber] = hint.source.1.as_ref();
        let Some((ChildNumber::Normal { index }, before)) = steps.split_last() else { return Vec::new() };
        let ends = self.ends.iter().filter(|(_, end)| before.ends_with(end));
        ends.map(|(branch, _)| Keypath { branch: *branch, index: *index }).collect()
    }

    /// Where the wallet has a key of this origin.
    fn by_origin(&self, hint: &Hint<'_>) -> Option<Keypath> {
        self.wallet.keypath_of(hint.source.0, &hint.source.1)
    }

    /// Where to look for what has these hints: the first few keypaths that are not the same.
    pub fn keypaths(&self, hints: &[Hint<'_>], by_origin: bool) -> Vec<Keypath> {
        let mut keypaths = Vec::new();
        for hint in hints {
            let named =
                if by_origin { self.by_origin(hint).into_iter().collect() } else { self.by_end(hint) };
            for keypath in named {
                if keypaths.len() < MAX_KEYPATHS && !keypaths.contains(&keypath) {
                    keypaths.push(keypath);
                }
            }
        }
        keypaths
    }
}

/// For each wallet where each input is. Who names an origin is asked first: a wallet derives nothing for strangers.
fn owned_inputs(psbt: &Psbt, coins: &[Coin], seekers: &[Seeker<'_>]) -> Vec<Vec<Option<Keypath>>> {
    for seeker in seekers {
        // The first place where each input is looked for.
        let hints = psbt.inputs.iter().map(input_hints);
        let keypaths: Vec<_> =
            hints.filter_map(|hints| seeker.keypaths(&hints, true).first().copied()).collect();
        seeker.wallet.prepare(keypaths);
    }
    let mut owned = vec![vec![None; psbt.inputs.len()]; seekers.len()];
    for (at, (input, coin)) in psbt.inputs.iter().zip(coins).enumerate() {
        let Some(output) = &coin.output else { continue };
        let hints = input_hints(input);
        let script = &output.script_pubkey;
        let mut any = false;
        for by_origin in [true, false] {
            for (seeker, places) in seekers.iter().zip(&mut owned) {
                let keypath = find(seeker, &hints, script, by_origin);
                any = any || keypath.is_some();
                if let Some(place) = places.get_mut(at) {
                    *place = keypath;
                }
            }
            if any {
                break;
            }
        }
    }
    owned
}

fn find(seeker: &Seeker<'_>, hints: &[Hint<'_>], script: &Script, by_origin: bool) -> Option<Keypath> {
    let keypaths = seeker.keypaths(hints, by_origin);
    keypaths.into_iter().find(|keypath| seeker.wallet.owns(script, *keypath))
}

fn nothing_ours(coins: &[Coin], wallets: &[Wallet]) -> Option<Finding> {
    let all_known = coins.iter().all(|coin| coin.output.is_some());
    if wallets.is_empty() || coins.is_empty() || !all_known {
        return None;
    }
    Some(
        Finding::refuse(Check::FOREIGN_INPUT, "no input is of a registered wallet").hint(
            "register the wallet, or name its descriptor; a PSBT without derivations cannot be matched",
        ),
    )
}

/// C10 and C11: inputs of other registered wallets, and of nobody we know.
fn foreign_inputs(
    coins: &[Coin],
    inputs: &[Option<Keypath>],
    owned: &[Vec<Option<Keypath>>],
    findings: &mut Vec<Finding>,
) {
    for (at, (coin, keypath)) in coins.iter().zip(inputs).enumerate() {
        if keypath.is_some() || coin.output.is_none() {
            continue;
        }
        let elsewhere = owned.iter().any(|inputs| inputs.get(at).is_some_and(Option::is_some));
        findings.push(if elsewhere {
            Finding::refuse(Check::ONE_WALLET, format!("input {at} is of another registered wallet"))
                .hint("make one payment for each wallet")
        } else {
            Finding::refuse(Check::FOREIGN_INPUT, format!("input {at} is not ours"))
                .hint("payments with strangers' inputs (coinjoin, payjoin) are not signed")
        });
    }
}

/// Own outputs; what is claimed to be one and is not is added to the findings.
fn owned_outputs(psbt: &Psbt, seeker: &Seeker<'_>, findings: &mut Vec<Finding>) -> Vec<Option<Keypath>> {
    let mut outputs = Vec::with_capacity(psbt.outputs.len());
    for (at, (txout, output)) in psbt.unsigned_tx.output.iter().zip(&psbt.outputs).enumerate() {
        let hints = output_hints(output);
        let script = &txout.script_pubkey;
        let own = find(seeker, &hints, script, true).or_else(|| find(seeker, &hints, script, false));
        findings.extend(claims::false_claim(at, &hints, script, own, seeker));
        outputs.push(own);
    }
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_keypaths_that_differ_are_tried() {
        let xpub = "tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M";
        let wallet =
            Wallet::new(Network::Regtest, &[format!("wpkh([73c5da0a/84h/1h/0h]{xpub}/<0;1>/*)")]).unwrap();
        let seeker = Seeker::new(&wallet);
        let key = wallet.keys()[0].xpub.public_key.x_only_public_key().0;
        let source = |index: u32| -> KeySource {
            (wallet.keys()[0].fingerprint, format!("84h/1h/0h/1/{index}").parse().unwrap())
        };
        let sources: Vec<_> = [7, 7, 7, 1, 2, 3, 4, 5, 6].map(source).into();
        let hints: Vec<_> = sources.iter().map(|source| Hint { key, source }).collect();
        for by_origin in [true, false] {
            let found = seeker.keypaths(&hints, by_origin);
            assert!(found.iter().all(|keypath| keypath.branch == Branch::Internal));
            assert_eq!(found.iter().map(|keypath| keypath.index).collect::<Vec<_>>(), [7, 1, 2, 3]);
        }
    }
}
