//! What the operator sees before a message is signed: all of it, line by line, and what the vault says of it.

use super::parts;
use bitcoin::{Address, Network};
use cold_wire::{MessageReview, MessageTerms};
use policies::message::bip322::Locks;
use policies::message::{Message, MessageForm};
use psbt_tools::display::{address_text, escape, hex};
use psbt_tools::money::amount_text;

/// The head of each page.
pub fn message_head(network: Network, live_network: &[String]) -> Vec<String> {
    let mut lines = vec!["airlock · a message to be signed".to_owned(), parts::network(network)];
    lines.extend(parts::live_network(live_network));
    lines
}

/// The text. Each of its lines stands behind a bar, so that none can pass for a line of ours.
pub fn message_lines(message: &Message, hash: [u8; 32]) -> Vec<String> {
    let mut lines = vec![format!("MESSAGE, {} bytes", message.as_bytes().len())];
    lines.extend(message.as_str().split('\n').map(|line| format!("  | {}", escape(line))));
    lines.push(format!("hash     {}", hex(&hash)));
    lines
}

/// Who signs, how, and with which coins.
pub fn part_lines(terms: &MessageTerms, review: &MessageReview) -> Vec<String> {
    let mut lines = vec![format!("wallet   {}, address {}", escape(&review.wallet), terms.keypath)];
    lines.push(match Address::from_script(&review.script, review.network) {
        Ok(address) => format!("  {}", address_text(&address.to_string())),
        Err(_) => format!("  no address: script {}", hex(review.script.as_bytes())),
    });
    lines.push(format!("form     {}", terms.form.as_str()));
    if let Some(company) = &review.authority {
        lines.push(format!(
            "WARNING  the key obeys {}, which permits payments only: nobody but you looks at this message",
            escape(company)
        ));
    }
    if terms.locks != Locks::NONE {
        lines.push(format!(
            "locks    locktime {}, sequence {}: it says what the wallet can do under these locks only",
            terms.locks.lock_time.to_consensus_u32(),
            terms.locks.sequence.to_consensus_u32()
        ));
    }
    if terms.form == MessageForm::Bip322ProofOfFunds {
        lines.push(format!("PROVES   {} coins, {}", review.coins, amount_text(review.total)));
    }
    lines.push(format!("id       {}", review.id));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::{Amount, ScriptBuf};
    use policies::id::WalletId;
    use policies::wallet::{Branch, Keypath};

    #[test]
    fn the_whole_message_is_shown_and_none_of_its_lines_passes_for_ours() {
        let message = Message::new("pay\nid       00\u{202e}ff\\\n\n").unwrap();
        let terms = MessageTerms {
            wallet: WalletId::from_bytes([1; 32]),
            form: MessageForm::Bip322ProofOfFunds,
            message: message.clone(),
            keypath: Keypath { branch: Branch::External, index: 3 },
            locks: Locks { lock_time: bitcoin::absolute::LockTime::from_consensus(7), ..Locks::NONE },
            coins: vec![],
        };
        let review = MessageReview {
            id: policies::id::MessageId::from_bytes([0xa1; 32]),
            wallet: "main".to_owned(),
            network: Network::Regtest,
            script: ScriptBuf::from_hex("0014751e76e8199196d454941c45d1b3a323f1433bd6").unwrap(),
            hash: [2; 32],
            coins: 2,
            total: Amount::ONE_BTC,
            authority: Some("Two Friends GmbH".to_owned()),
            signed: None,
        };
        let mut lines = message_head(Network::Regtest, &["eth0".to_owned()]);
        lines.extend(message_lines(&message, review.hash));
        lines.extend(part_lines(&terms, &review));
        insta::assert_snapshot!(lines.join("\n"));
    }
}
