//! What signing would come to, as the vault itself derived it.

use crate::fault::{decode_findings, encode_findings};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Network, Txid};
use policies::approval::MAX_APPROVALS;
use policies::check::Finding;
use policies::codec::{CodecError, Decoder, Encoder};
use policies::id::{PermitId, SpendId};
use policies::policy::MAX_NAME_LEN;
use policies::request::{MAX_PURPOSE_LEN, Recipient};
use policies::spend::MAX_ITEMS;
use policies::wallet::{Keypath, MAX_DESCRIPTOR_LEN};

/// Longest path in words, in bytes: a descriptor's locks take more room in words than in it.
const MAX_PATH_LEN: usize = 4 * MAX_DESCRIPTOR_LEN;

/// Longest line of text, in bytes.
const MAX_LINE_LEN: usize = 1_024;

/// An own output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewChange {
    /// Its script and amount.
    pub recipient: Recipient,
    /// Where in the wallet it is.
    pub keypath: Keypath,
}

/// Somebody who approves the request, by a signature that the vault verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewApproval {
    /// Name in the policy, or the key's fingerprint where the policy has no name for its holder alone.
    pub by: String,
    /// Fingerprint of the key.
    pub fingerprint: String,
}

/// A spend that was signed before and in whose place this one comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// The earlier spend.
    pub spend: SpendId,
    /// Its fee.
    pub fee: Amount,
}

/// Who vouches for a spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// The authority's company.
    pub company: String,
    /// Fingerprint of the terminal's key.
    pub requester: String,
    /// Names of the groups in the policy that hold the terminal's key.
    pub groups: Vec<String>,
    /// The payment's number.
    pub payment: u32,
    /// What it is for.
    pub purpose: String,
    /// The permit.
    pub permit: PermitId,
    /// Its place in this vault's chain.
    pub sequence: u64,
    /// Bitcoin time at its issuance (median time past), unix seconds.
    pub bitcoin_time: u64,
    /// Unix time after which it is void.
    pub expires: u64,
    /// Version of the policy under which it was issued.
    pub policy_version: u64,
}

/// What signing would come to, as the vault itself derived it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The spend.
    pub spend: SpendId,
    /// Txid of its unsigned transaction.
    pub unsigned_txid: Txid,
    /// The key's name.
    pub wallet: String,
    /// Its network.
    pub network: Network,
    /// Number of inputs.
    pub inputs: u32,
    /// What they bring.
    pub input_sum: Amount,
    /// Outputs that leave the wallet, in order.
    pub recipients: Vec<Recipient>,
    /// Own outputs, in order, each derived by the vault.
    pub change: Vec<ReviewChange>,
    /// The fee.
    pub fee: Amount,
    /// Upper bound of the signed size, in virtual bytes.
    pub vsize: u64,
    /// Of a wallet of several keys: its paths in words, whether each is open, and what this vault's key gives.
    pub path: Vec<String>,
    /// When it can be mined, where that is not at once: locktime and relative locks in words.
    pub timing: Vec<String>,
    /// Every check and rule.
    pub findings: Vec<Finding>,
    /// Who vouches for it, where an authority does.
    pub voucher: Option<Voucher>,
    /// Who approves the request, as far as the policy lists them and they did not ask for it themselves.
    pub approvals: Vec<ReviewApproval>,
    /// Spends whose place it takes.
    pub replaces: Vec<Replaced>,
    /// Company of the key's authority; `None` for a standalone key.
    pub authority: Option<String>,
    /// Limits that the vault judged by, in words.
    pub limits: Vec<String>,
    /// Whether it was signed before: signing again returns the same signatures.
    pub signed_before: bool,
}

pub(crate) fn encode_recipient(to: &mut Encoder, recipient: &Recipient) {
    to.string(recipient.script.as_bytes());
    to.amount(recipient.amount);
}

pub(crate) fn decode_recipient(from: &mut Decoder<'_>) -> Result<Recipient, CodecError> {
    Ok(Recipient { script: from.script("script")?, amount: from.amount("amount")? })
}

pub(crate) fn encode_review(to: &mut Encoder, review: &Review) {
    to.fixed(review.spend.as_bytes());
    to.fixed(review.unsigned_txid.as_byte_array());
    to.string(review.wallet.as_bytes());
    to.network(review.network);
    to.u32(review.inputs);
    to.amount(review.input_sum);
    to.list(&review.recipients, encode_recipient);
    to.list(&review.change, |to, change| {
        encode_recipient(to, &change.recipient);
        change.keypath.encode(to);
    });
    to.amount(review.fee);
    to.u64(review.vsize);
    to.list(&review.path, |to, line| to.string(line.as_bytes()));
    to.list(&review.timing, |to, line| to.string(line.as_bytes()));
    encode_findings(to, &review.findings);
    to.option(review.voucher.as_ref(), encode_voucher);
    to.list(&review.approvals, |to, approval| {
        to.string(approval.by.as_bytes());
        to.string(approval.fingerprint.as_bytes());
    });
    to.list(&review.replaces, |to, replaced| {
        to.fixed(replaced.spend.as_bytes());
        to.amount(replaced.fee);
    });
    to.option(review.authority.as_ref(), |to, company| to.string(company.as_bytes()));
    to.list(&review.limits, |to, line| to.string(line.as_bytes()));
    to.u8(u8::from(review.signed_before));
}

pub(crate) fn decode_review(from: &mut Decoder<'_>) -> Result<Review, CodecError> {
    Ok(Review {
        spend: SpendId::from_bytes(from.fixed("spend")?),
        unsigned_txid: Txid::from_byte_array(from.fixed("txid")?),
        wallet: from.text("wallet", MAX_NAME_LEN)?,
        network: from.network("network")?,
        inputs: from.u32("inputs")?,
        input_sum: from.amount("input sum")?,
        recipients: from.list("recipients", MAX_ITEMS, decode_recipient)?,
        change: from.list("change", MAX_ITEMS, |from| {
            Ok(ReviewChange { recipient: decode_recipient(from)?, keypath: Keypath::decode(from)? })
        })?,
        fee: from.amount("fee")?,
        vsize: from.u64("vsize")?,
        path: from.list("path", 1_000, |from| from.text("path", MAX_PATH_LEN))?,
        timing: from.list("timing", MAX_ITEMS, |from| from.text("timing", MAX_LINE_LEN))?,
        findings: decode_findings(from)?,
        voucher: from.option("voucher", decode_voucher)?,
        approvals: from.list("approvals", MAX_APPROVALS, |from| {
            Ok(ReviewApproval {
                by: from.text("approver", MAX_NAME_LEN)?,
                fingerprint: from.text("fingerprint", MAX_NAME_LEN)?,
            })
        })?,
        replaces: from.list("replaced", MAX_ITEMS, |from| {
            Ok(Replaced { spend: SpendId::from_bytes(from.fixed("spend")?), fee: from.amount("fee")? })
        })?,
        authority: from.option("authority", |from| from.text("company", MAX_NAME_LEN))?,
        limits: from.list("limits", 1_000, |from| from.text("limit", MAX_LINE_LEN))?,
        signed_before: from.boolean("signed before")?,
    })
}

pub(crate) fn encode_voucher(to: &mut Encoder, voucher: &Voucher) {
    to.string(voucher.company.as_bytes());
    to.string(voucher.requester.as_bytes());
    to.list(&voucher.groups, |to, group| to.string(group.as_bytes()));
    to.u32(voucher.payment);
    to.string(voucher.purpose.as_bytes());
    to.fixed(voucher.permit.as_bytes());
    to.u64(voucher.sequence);
    to.u64(voucher.bitcoin_time);
    to.u64(voucher.expires);
    to.u64(voucher.policy_version);
}

pub(crate) fn decode_voucher(from: &mut Decoder<'_>) -> Result<Voucher, CodecError> {
    Ok(Voucher {
        company: from.text("company", MAX_NAME_LEN)?,
        requester: from.text("requester", MAX_LINE_LEN)?,
        groups: from.list("groups", 1_000, |from| from.text("group", MAX_NAME_LEN))?,
        payment: from.u32("payment")?,
        purpose: from.text("purpose", MAX_PURPOSE_LEN)?,
        permit: PermitId::from_bytes(from.fixed("permit")?),
        sequence: from.u64("sequence")?,
        bitcoin_time: from.u64("bitcoin time")?,
        expires: from.u64("expires")?,
        policy_version: from.u64("policy version")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reply, ReplyBody};
    use policies::check::Check;
    use policies::codec::Canonical;
    use policies::wallet::Branch;

    fn review() -> Review {
        let recipient = Recipient { script: bitcoin::ScriptBuf::new_op_return([7]), amount: Amount::ONE_SAT };
        let name = str::to_owned;
        Review {
            spend: SpendId::from_bytes([1; 32]),
            unsigned_txid: Txid::from_byte_array([2; 32]),
            wallet: name("main"),
            network: Network::Regtest,
            inputs: 1,
            input_sum: Amount::ONE_BTC,
            recipients: vec![recipient.clone()],
            change: vec![ReviewChange { recipient, keypath: Keypath { branch: Branch::Internal, index: 3 } }],
            fee: Amount::ONE_SAT,
            vsize: 141,
            path: vec![name("2 of 3"), "9 blocks after each coin and ".repeat(1_000)],
            timing: vec![name("later")],
            findings: vec![Finding::ask(Check::SIGNED_BEFORE, "before").hint("compare")],
            voucher: Some(Voucher {
                company: name("Two Friends GmbH"),
                requester: name("SHA256:a"),
                groups: vec![name("desk")],
                payment: 42,
                purpose: name("rent"),
                permit: PermitId::from_bytes([3; 32]),
                sequence: 7,
                bitcoin_time: 8,
                expires: 9,
                policy_version: 10,
            }),
            approvals: vec![ReviewApproval { by: name("anna"), fingerprint: name("SHA256:b") }],
            replaces: vec![Replaced { spend: SpendId::from_bytes([4; 32]), fee: Amount::ONE_SAT }],
            authority: Some(name("Two Friends GmbH")),
            limits: vec![name("a day")],
            signed_before: true,
        }
    }

    fn decoded(review: Review) -> Result<Reply, CodecError> {
        Reply::from_bytes(&Reply { id: 1, body: ReplyBody::Review(Box::new(review)) }.to_bytes())
    }

    #[test]
    fn a_review_survives_its_bytes_and_every_part_counts() {
        assert_eq!(decoded(review()).unwrap().body, ReplyBody::Review(Box::new(review())));
        let bytes = Reply { id: 1, body: ReplyBody::Review(Box::new(review())) }.to_bytes();
        for end in 0..bytes.len() {
            assert!(Reply::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
        assert!(Reply::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn approvers_are_capped_by_number_and_by_length() {
        let approval = || review().approvals[0].clone();
        let with = |approvals| decoded(Review { approvals, ..review() });
        assert!(with(vec![approval(); MAX_APPROVALS]).is_ok());
        assert!(with(vec![approval(); MAX_APPROVALS + 1]).is_err());
        let long = |len| ReviewApproval { by: "a".repeat(len), ..approval() };
        assert!(with(vec![long(MAX_NAME_LEN)]).is_ok());
        assert!(with(vec![long(MAX_NAME_LEN + 1)]).is_err());
    }
}
