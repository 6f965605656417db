//! C06, C10, C11, C23, C30: which registered wallet the inputs are of, and which outputs come back to it. Derivations in
//! a PSBT are hints where to look; only a script that the wallet itself derives there is ours.

use super::coins::Coin;
use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, KeySource};
use bitcoin::{Network, NetworkKind, Psbt, Script, XOnlyPublicKey};
use policies::check::{Check, Finding};
use policies::wallet::{Branch, Keypath, Wallet};

/// Most derivations that are tried for one input or output (check C27): a single-key wallet needs one.
const MAX_HINTS: usize = 16;

/// Whose the inputs and outputs are.
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
    let owned: Vec<(&Wallet, Vec<Option<Keypath>>)> =
        wallets.iter().map(|wallet| (wallet, owned_inputs(psbt, coins, wallet))).collect();
    // Of equals the first; a wallet of the network that was asked for before one with the same keys on another.
    let best = owned.iter().rev().filter(|(_, inputs)| inputs.iter().any(Option::is_some)).max_by_key(
        |(wallet, inputs)| {
            (network.is_none_or(|network| network == wallet.network()), inputs.iter().flatten().count())
        },
    );
    let Some((wallet, inputs)) = best else {
        findings.extend(nothing_ours(coins, wallets));
        let outputs = vec![None; psbt.outputs.len()];
        return Ownership { wallet: None, inputs: vec![None; psbt.inputs.len()], outputs };
    };
    foreign_inputs(coins, inputs, &owned, findings);
    let outputs = owned_outputs(psbt, wallet, findings);
    findings.extend(Check::from_number(23).map(|check| {
        Finding::pass(check, "ownership was matched by derived scripts, never by fingerprints")
    }));
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
struct Hint<'a> {
    key: XOnlyPublicKey,
    source: &'a KeySource,
}

impl Hint<'_> {
    /// Branch and index: the last two steps, unhardened.
    fn keypath(&self) -> Option<Keypath> {
        let [.., ChildNumber::Normal { index: branch }, ChildNumber::Normal { index }] =
            self.source.1.as_ref()
        else {
            return None;
        };
        Some(Keypath { branch: Branch::from_number(*branch)?, index: *index })
    }
}

macro_rules! hints {
    ($map:expr) => {{
        let ecdsa =
            $map.bip32_derivation.iter().map(|(key, source)| Hint { key: key.x_only_public_key().0, source });
        let taproot = $map.tap_key_origins.iter().map(|(key, (_, source))| Hint { key: *key, source });
        ecdsa.chain(taproot).take(MAX_HINTS)
    }};
}

fn owned_inputs(psbt: &Psbt, coins: &[Coin], wallet: &Wallet) -> Vec<Option<Keypath>> {
    psbt.inputs
        .iter()
        .zip(coins)
        .map(|(input, coin)| {
            let script = &coin.output.as_ref()?.script_pubkey;
            hints!(input).filter_map(|hint| hint.keypath()).find(|keypath| wallet.owns(script, *keypath))
        })
        .collect()
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
    owned: &[(&Wallet, Vec<Option<Keypath>>)],
    findings: &mut Vec<Finding>,
) {
    for (at, (coin, keypath)) in coins.iter().zip(inputs).enumerate() {
        if keypath.is_some() || coin.output.is_none() {
            continue;
        }
        let elsewhere = owned.iter().any(|(_, inputs)| inputs.get(at).is_some_and(Option::is_some));
        findings.push(if elsewhere {
            Finding::refuse(Check::ONE_WALLET, format!("input {at} is of another registered wallet"))
                .hint("make one payment for each wallet")
        } else {
            Finding::refuse(Check::FOREIGN_INPUT, format!("input {at} is not ours"))
                .hint("payments with strangers' inputs (coinjoin, payjoin) are not signed")
        });
    }
}

/// Own outputs, and C06: a derivation that names our key for a script that is not ours there.
fn owned_outputs(psbt: &Psbt, wallet: &Wallet, findings: &mut Vec<Finding>) -> Vec<Option<Keypath>> {
    let origin = origin(wallet);
    let mut outputs = Vec::with_capacity(psbt.outputs.len());
    for (at, (txout, output)) in psbt.unsigned_tx.output.iter().zip(&psbt.outputs).enumerate() {
        let mut own = None;
        for hint in hints!(output) {
            let keypath = hint.keypath();
            if let Some(keypath) = keypath.filter(|keypath| wallet.owns(&txout.script_pubkey, *keypath)) {
                own = Some(keypath);
            } else if claims(&hint, keypath, wallet, origin.as_ref()) {
                findings.push(false_claim(at, &hint, &txout.script_pubkey, wallet.network()));
            }
        }
        outputs.push(own);
    }
    outputs
}

const FRAUD: &str = "a false claim of change is fraud; do not use files of whoever made this one";

fn false_claim(at: usize, hint: &Hint<'_>, script: &Script, network: Network) -> Finding {
    Finding::refuse(
        Check::CHANGE,
        format!(
            "output {at} is claimed to be ours at m/{}, but {} is not",
            hint.source.1,
            policies::evidence::script_text(&script.to_owned(), network)
        ),
    )
    .hint(FRAUD)
}

/// Whether a derivation says that an output is this wallet's: it names a key that the wallet derives, or the wallet's
/// own origin. A zero fingerprint names nobody.
fn claims(
    hint: &Hint<'_>,
    keypath: Option<Keypath>,
    wallet: &Wallet,
    origin: Option<&(Fingerprint, DerivationPath)>,
) -> bool {
    let by_key = keypath.is_some_and(|keypath| derives(wallet, keypath, &hint.key));
    let by_origin = origin.is_some_and(|(fingerprint, path)| {
        *fingerprint != Fingerprint::default()
            && hint.source.0 == *fingerprint
            && hint.source.1.as_ref().starts_with(path.as_ref())
    });
    by_key || by_origin
}

fn derives(wallet: &Wallet, keypath: Keypath, key: &XOnlyPublicKey) -> bool {
    wallet.public_key(keypath).is_some_and(|own| own.inner.x_only_public_key().0 == *key)
}

/// Fingerprint and path of the wallet's account key.
fn origin(wallet: &Wallet) -> Option<(Fingerprint, DerivationPath)> {
    let (_, (fingerprint, path)) =
        crate::build::derivation(wallet, Keypath { branch: Branch::External, index: 0 })?;
    let steps: &[ChildNumber] = path.as_ref();
    let account = steps.get(..steps.len().saturating_sub(2))?;
    Some((fingerprint, account.into()))
}
