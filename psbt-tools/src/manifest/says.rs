//! Who writes a file, and for whom.

use super::MAX_SENDER_LEN;
use bitcoin::Network;
use policies::codec::{CodecError, Decoder, Encoder, deceives};
use policies::id::{RequestId, VaultId, WalletId};
use policies::request::{MAX_PURPOSE_LEN, Request};

/// How much of a vault's id its name has, in characters.
const SHORT: usize = 16;

/// What a writer says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Says {
    /// Which program, and whose.
    pub(super) sender: String,
    /// What the payment is for.
    pub(super) purpose: String,
    /// The wallet's network.
    pub(super) network: Network,
    /// The wallet that pays.
    pub(super) wallet: WalletId,
    /// The request that asks for it.
    pub(super) request: Option<RequestId>,
}

impl Says {
    /// A file about a wallet's payment. Characters that a document may not hold are left out of the sender's name, and what is
    /// too long is cut.
    pub fn new(sender: &str, network: Network, wallet: WalletId) -> Self {
        Self { sender: fit(sender, MAX_SENDER_LEN), purpose: String::new(), network, wallet, request: None }
    }

    /// The same about what a request asks for.
    #[must_use]
    pub fn asked(self, request: &Request) -> Self {
        Self { purpose: fit(&request.purpose, MAX_PURPOSE_LEN), request: Some(request.id()), ..self }
    }

    /// About a request's payment.
    pub fn about(sender: &str, request: &Request) -> Self {
        Self::new(sender, request.network, request.wallet).asked(request)
    }

    /// Whether it says of the request's purpose what [`Says::asked`] does.
    pub(super) fn fits(&self, request: &Request) -> bool {
        self.purpose == fit(&request.purpose, MAX_PURPOSE_LEN)
    }

    /// Who says so.
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// What for; empty when nothing is said.
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// Network and wallet.
    pub fn wallet(&self) -> (Network, WalletId) {
        (self.network, self.wallet)
    }

    /// The request.
    pub fn request(&self) -> Option<RequestId> {
        self.request
    }

    pub(super) fn encode(&self, to: &mut Encoder) {
        to.string(self.sender.as_bytes());
        to.string(self.purpose.as_bytes());
        to.network(self.network);
        to.fixed(self.wallet.as_bytes());
        to.option(self.request.as_ref(), |to, request| to.fixed(request.as_bytes()));
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            sender: from.text("sender", MAX_SENDER_LEN)?,
            purpose: from.text("purpose", MAX_PURPOSE_LEN)?,
            network: from.network("network")?,
            wallet: WalletId::from_bytes(from.fixed("wallet")?),
            request: from.option("request", |from| from.fixed("request").map(RequestId::from_bytes))?,
        })
    }
}

/// The name of a vault as a sender.
pub fn vault(vault: VaultId) -> String {
    let id = vault.to_string();
    format!("vault {}", id.get(..SHORT).unwrap_or_default())
}

/// The name of a company's gatekeeper.
pub fn gatekeeper(company: &str) -> String {
    format!("the gatekeeper of {company}")
}

/// The name of whoever signed with an SSH key.
pub fn terminal(fingerprint: &str) -> String {
    format!("the holder of key {fingerprint}")
}

fn fit(text: &str, max: usize) -> String {
    let mut fitting = String::new();
    for c in text.chars().filter(|c| !deceives(*c)) {
        if fitting.len().saturating_add(c.len_utf8()) > max {
            break;
        }
        fitting.push(c);
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senders_name_is_made_to_fit() {
        assert_eq!(fit("a\u{202e}b\nc", 10), "abc");
        assert_eq!(fit("ää", 3), "ä");
        assert_eq!(vault(VaultId::from_bytes([0xab; 32])), "vault abababababababab");
    }
}
