//! `NewKey`: entropy, words, an account, a record. The words are shown before anything is written.

use cold_wire::{Fault, FaultKind, NewKey, ReplyBody};
use policies::codec::Canonical;
use policies::policy::Policy;
use policies::text::{amount_text, duration_text};
use policies::wallet::MAX_INDEX;

use super::{Open, Vault, is_in_policy, key_info};
use crate::key_record::{KeyTerms, seal_content};
use crate::keys::{Dice, Entropy, MachineEntropy, WordCount};
use crate::record::Kind;
use crate::store::{Content, Store};
use crate::terminal::{Terminal, ask_dice, show_machine_part, teach_words};
use crate::{Error, clock};

/// Where a key's entropy comes from.
pub enum Origin {
    /// Made here; whether its words were shown and asked back.
    Made {
        /// Whether they were.
        backed_up: bool,
    },
    /// Restored from words.
    Restored,
}

pub(super) fn handle(vault: &mut Vault, wanted: &NewKey) -> Result<ReplyBody, Fault> {
    let count = match wanted.words {
        12 => WordCount::Twelve,
        24 => WordCount::TwentyFour,
        other => return Err(refused(format!("{other} words: expected 12 or 24"))),
    };
    let mut terminal = vault.terminal.take();
    let ceremony = terminal.as_deref_mut().filter(|_| vault.words_shown);
    let made = make(vault, wanted, count, ceremony);
    vault.terminal = terminal;
    made
}

fn make(
    vault: &mut Vault,
    wanted: &NewKey,
    count: WordCount,
    terminal: Option<&mut (dyn Terminal + 'static)>,
) -> Result<ReplyBody, Fault> {
    let (store, open) = vault.open_mut()?;
    is_possible(open, wanted)?;
    let machine = MachineEntropy::draw()?;
    let (entropy, backed_up) = match terminal {
        Some(terminal) => {
            terminal.show(&announcement(open, wanted))?;
            let dice = if wanted.dice.is_empty() {
                ask_dice(terminal, &machine.commitment())?
            } else {
                Some(Dice::new(&wanted.dice)?)
            };
            if dice.is_some() {
                show_machine_part(terminal, &machine)?;
            }
            let entropy = machine.mix(dice.as_ref(), count)?;
            teach_words(terminal, &entropy.words()?)?;
            (entropy, true)
        }
        None if wanted.network == bitcoin::Network::Bitcoin => {
            return Err(Fault::new(
                FaultKind::Incomplete,
                "no-terminal",
                "a mainnet key's backup words must be shown on a terminal of the vault",
                "run new-key in a terminal; keys without a backup are made on test networks only",
            ));
        }
        None => {
            let dice = if wanted.dice.is_empty() { None } else { Some(Dice::new(&wanted.dice)?) };
            (machine.mix(dice.as_ref(), count)?, false)
        }
    };
    let sequence = add_key(store, open, wanted, &entropy, &Origin::Made { backed_up })?;
    let key = open.key(sequence).ok_or_else(|| refused("the key was not taken up".to_owned()))?;
    Ok(ReplyBody::Key(key_info(open, key)?))
}

/// Appends a key's record and takes it up; its sequence number.
///
/// # Errors
/// A fault when the name is taken, the account is out of range, the pinned policy does not know the wallet, or the
/// store cannot be written.
pub fn add_key(
    store: &mut Store,
    open: &mut Open,
    wanted: &NewKey,
    entropy: &Entropy,
    origin: &Origin,
) -> Result<u64, Fault> {
    is_possible(open, wanted)?;
    let now = clock::checked(store)?;
    let (restored, backed_up) = match origin {
        Origin::Made { backed_up } => (false, *backed_up),
        Origin::Restored => (true, true),
    };
    let terms = KeyTerms {
        wallet: wanted.wallet.clone(),
        network: wanted.network,
        kind: wanted.kind,
        account: wanted.account,
        created: now,
        restored,
        backed_up,
        authority: open.journal.pinned().map(|(id, _)| id),
        limit: wanted.limit,
    };
    let seed = entropy.seed("")?;
    let account = terms.account(&seed)?;
    let wallet = terms.wallet(&account)?;
    // Test networks share their derivation paths: one key on two of them would sign one coin twice, once on each.
    let point = account.key().xpub.public_key;
    if let Some(other) = open.journal.keys().iter().find(|other| other.own.xpub.public_key == point) {
        return Err(refused(format!(
            "this key is in the store already, as `{}` on {}",
            other.terms.wallet, other.terms.network
        )));
    }
    is_in_policy(open.journal.pinned().map(|(_, authority)| authority), &wanted.wallet, wallet.as_ref())?;
    // What is durable must be readable: a record that a later unlock refuses would lock the whole store.
    KeyTerms::from_bytes(&terms.to_bytes()).map_err(Error::Record)?;
    let content = seal_content(&seed, &terms)?;
    let network = terms.network.to_string();
    let record = Content { kind: Kind::Key, clear: network.as_bytes(), sealed: Some(content.expose()) };
    let head = store.append(&open.data_key, now, &record)?;
    open.journal.add_key(head.sequence, &content)?;
    Ok(head.sequence)
}

/// What the vault itself says that it is about to make: a console may have named it otherwise on its own screen.
fn announcement(open: &Open, wanted: &NewKey) -> String {
    let obeys = open.journal.pinned().map_or_else(
        || "no authority: whoever operates this vault may spend".to_owned(),
        |(id, authority)| format!("{}, for ever\n           authority {id}", authority.company),
    );
    let limit = wanted.limit.map_or_else(
        || "none of its own".to_owned(),
        |window| {
            let amount = window.amount.map(amount_text);
            let count = window.count.map(|count| format!("{count} payments"));
            let most: Vec<_> = amount.into_iter().chain(count).collect();
            format!("{} in {}", most.join(" and "), duration_text(window.seconds))
        },
    );
    format!(
        "A new key is made.\n  wallet   {}\n  network  {}\n  script   {}, account {}\n  limit    {limit}\n  obeys    {obeys}\nCtrl-C if that is not what you want.\n",
        wanted.wallet,
        wanted.network,
        wanted.kind.as_str(),
        wanted.account
    )
}

/// What can be known to be impossible before anything is drawn or shown.
fn is_possible(open: &Open, wanted: &NewKey) -> Result<(), Fault> {
    if wanted.wallet.trim().is_empty() {
        return Err(refused("the wallet's name is empty".to_owned()));
    }
    if open.journal.keys().iter().any(|key| key.terms.wallet == wanted.wallet) {
        return Err(Fault::new(
            FaultKind::Refused,
            "exists",
            format!("this store has a wallet `{}` already", wanted.wallet),
            "choose another name: a key is never replaced",
        ));
    }
    // Proves the name and the limit as well: both become part of the key's policy.
    Policy::standalone(&wanted.wallet, wanted.limit).map_err(Error::Record)?;
    if wanted.account > MAX_INDEX {
        return Err(refused(format!("account {}: expected at most {MAX_INDEX}", wanted.account)));
    }
    let Some((_, authority)) = open.journal.pinned() else { return Ok(()) };
    is_in_policy(Some(authority), &wanted.wallet, None)?;
    if wanted.limit.is_some() {
        return Err(refused(format!(
            "--limit is for keys without an authority: this one obeys the policy of {}",
            authority.company
        )));
    }
    Ok(())
}

fn refused(message: String) -> Fault {
    Fault::new(FaultKind::Refused, "new-key", message, "change the request; nothing was written")
}
