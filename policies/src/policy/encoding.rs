//! A policy's canonical bytes: what is hashed, and what a vault pins.

use super::{
    Above, Allow, Destination, Limit, MAX_ENTRIES, MAX_NAME_LEN, Policy, PolicyTerms, Quorum, Replacement,
    Requester, Require, SumBy, WalletTerms, Window,
};
use crate::codec::{Canonical, CodecError, Decoder, Encoder};
use crate::examine::FeeCeiling;
use crate::id::{PolicyId, WalletId};
use crate::identity::PublicKey;

impl Canonical for Policy {
    const TAG: &'static str = PolicyId::TAG;

    fn encode_fields(&self, to: &mut Encoder) {
        let terms = &self.terms;
        to.string(terms.company.as_bytes());
        to.u64(terms.version);
        to.option(terms.previous.as_ref(), |to, id| to.fixed(id.as_bytes()));
        to.option(terms.valid_until.as_ref(), |to, time| to.u64(*time));
        to.count(terms.people.len());
        for (name, members) in &terms.people {
            to.string(name.as_bytes());
            to.list(members, encode_requester);
        }
        to.count(terms.groups.len());
        for (name, members) in &terms.groups {
            to.string(name.as_bytes());
            to.list(members, encode_name);
        }
        to.count(terms.wallets.len());
        for (name, wallet) in &terms.wallets {
            to.string(name.as_bytes());
            to.option(wallet.id.as_ref(), |to, id| to.fixed(id.as_bytes()));
            to.list(&wallet.vaults, |to, key| key.encode(to));
            to.u8(match wallet.replacement {
                Replacement::FeeOnly => 0,
                Replacement::BackOnly => 1,
            });
        }
        to.list(&terms.allows, |to, allow| {
            to.string(allow.name.as_bytes());
            to.list(&allow.requesters, encode_name);
            to.string(allow.wallet.as_bytes());
            to.list(&allow.to, |to, destination| match destination {
                Destination::Anyone => to.u8(0),
                Destination::Back => to.u8(1),
                Destination::Script(script) => {
                    to.u8(2);
                    to.string(script.as_bytes());
                }
            });
        });
        to.list(&terms.limits, encode_limit);
        to.list(&terms.requires, encode_require);
        to.u64(terms.permit_valid_for);
        to.u64(terms.headers_max_age);
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Policy::new(PolicyTerms {
            company: name(from)?,
            version: from.u64("version")?,
            previous: from.option("previous", |from| from.fixed("previous").map(PolicyId::from_bytes))?,
            valid_until: from.option("valid until", |from| from.u64("valid until"))?,
            people: from
                .list("people", MAX_ENTRIES, |from| {
                    Ok((name(from)?, from.list("members", MAX_ENTRIES, decode_requester)?))
                })?
                .into_iter()
                .collect(),
            groups: from
                .list("groups", MAX_ENTRIES, |from| {
                    Ok((name(from)?, from.list("members", MAX_ENTRIES, name)?))
                })?
                .into_iter()
                .collect(),
            wallets: from
                .list("wallets", MAX_ENTRIES, |from| {
                    let name = name(from)?;
                    let id =
                        from.option("wallet id", |from| from.fixed("wallet id").map(WalletId::from_bytes))?;
                    let vaults = from.list("vaults", MAX_ENTRIES, PublicKey::decode)?;
                    let replacement = match from.u8("replacement")? {
                        0 => Replacement::FeeOnly,
                        1 => Replacement::BackOnly,
                        other => return Err(CodecError::invalid("replacement", format!("kind {other}"))),
                    };
                    Ok((name, WalletTerms { id, vaults, replacement }))
                })?
                .into_iter()
                .collect(),
            allows: from.list("allow", MAX_ENTRIES, |from| {
                Ok(Allow {
                    name: name(from)?,
                    requesters: from.list("requesters", MAX_ENTRIES, name)?,
                    wallet: name(from)?,
                    to: from.list("to", MAX_ENTRIES, decode_destination)?,
                })
            })?,
            limits: from.list("limit", MAX_ENTRIES, decode_limit)?,
            requires: from.list("require", MAX_ENTRIES, decode_require)?,
            permit_valid_for: from.u64("permit validity")?,
            headers_max_age: from.u64("age of headers")?,
        })
    }
}

/// Appends a requester.
pub(crate) fn encode_requester(to: &mut Encoder, requester: &Requester) {
    match requester {
        Requester::Operator => to.u8(0),
        Requester::Key(key) => {
            to.u8(1);
            key.encode(to);
        }
    }
}

/// Reads a requester.
pub(crate) fn decode_requester(from: &mut Decoder<'_>) -> Result<Requester, CodecError> {
    match from.u8("requester")? {
        0 => Ok(Requester::Operator),
        1 => PublicKey::decode(from).map(Requester::Key),
        other => Err(CodecError::invalid("requester", format!("kind {other}"))),
    }
}

fn decode_destination(from: &mut Decoder<'_>) -> Result<Destination, CodecError> {
    match from.u8("destination")? {
        0 => Ok(Destination::Anyone),
        1 => Ok(Destination::Back),
        2 => from.script("destination").map(Destination::Script),
        other => Err(CodecError::invalid("destination", format!("kind {other}"))),
    }
}

fn encode_limit(to: &mut Encoder, limit: &Limit) {
    to.string(limit.name.as_bytes());
    to.option(limit.requesters.as_ref(), |to, names| to.list(names, encode_name));
    to.option(limit.wallet.as_ref(), |to, name| to.string(name.as_bytes()));
    to.option(limit.per_payment.as_ref(), |to, amount| to.amount(*amount));
    to.option(limit.per_window.as_ref(), |to, window| window.encode(to));
    to.option(limit.fee.as_ref(), |to, fee| {
        to.amount(fee.amount);
        to.u64(fee.percent);
        to.u64(fee.sat_per_vb);
    });
}

fn decode_limit(from: &mut Decoder<'_>) -> Result<Limit, CodecError> {
    Ok(Limit {
        name: name(from)?,
        requesters: from.option("requesters", |from| from.list("requesters", MAX_ENTRIES, name))?,
        wallet: from.option("wallet", name)?,
        per_payment: from.option("per payment", |from| from.amount("per payment"))?,
        per_window: from.option("per window", Window::decode)?,
        fee: from.option("fee", |from| {
            Ok(FeeCeiling {
                amount: from.amount("fee amount")?,
                percent: from.u64("fee percent")?,
                sat_per_vb: from.u64("fee rate")?,
            })
        })?,
    })
}

fn encode_require(to: &mut Encoder, require: &Require) {
    encode_name(to, &require.name);
    to.option(require.requesters.as_ref(), |to, names| to.list(names, encode_name));
    to.option(require.wallet.as_ref(), encode_name);
    to.option(require.above.as_ref(), |to, above| {
        to.u64(above.seconds);
        to.amount(above.amount);
        to.u8(u8::from(above.by.requester));
        to.u8(u8::from(above.by.destination));
    });
    to.list(&require.approvals, |to, quorum| {
        encode_name(to, &quorum.from);
        to.u64(quorum.count);
    });
}

fn decode_require(from: &mut Decoder<'_>) -> Result<Require, CodecError> {
    Ok(Require {
        name: name(from)?,
        requesters: from.option("requesters", |from| from.list("requesters", MAX_ENTRIES, name))?,
        wallet: from.option("wallet", name)?,
        above: from.option("above", |from| {
            Ok(Above {
                seconds: from.u64("window")?,
                amount: from.amount("above")?,
                by: SumBy {
                    requester: from.boolean("by requester")?,
                    destination: from.boolean("by destination")?,
                },
            })
        })?,
        approvals: from.list("approvals", MAX_ENTRIES, |from| {
            Ok(Quorum { from: name(from)?, count: from.u64("count")? })
        })?,
    })
}

fn name(from: &mut Decoder<'_>) -> Result<String, CodecError> {
    from.text("name", MAX_NAME_LEN)
}

fn encode_name(to: &mut Encoder, name: &String) {
    to.string(name.as_bytes());
}
