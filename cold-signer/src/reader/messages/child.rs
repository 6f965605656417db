//! The reader's work on messages: documents are read, the wallet's part is found, signatures are verified and put together.

use super::super::child::{Ended, hear, say, unreadable};
use super::super::message::{Answer, Descriptors, Order};
use super::{Finish, Finished, MessageAnswer, MessageOrder, ProvenHolding, ReservesOrder};
use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{ScriptBuf, Transaction};
use cold_wire::{MessageSignature, MessageTerms, OwnCoin};
use policies::check::Check;
use policies::evidence::Evidence;
use policies::message::bip322::{ClaimedCoin, Locks, ToSign};
use policies::message::{MessageError, MessageForm};
use policies::signature::InputSignature;
use policies::wallet::{Branch, Keypath, MAX_INDEX, Wallet};
use psbt_tools::Error;
use psbt_tools::display::escape;
use psbt_tools::message::partial::{Partial, PartlySigned};
use psbt_tools::message::reserves::{Reserves, ReservesError};
use psbt_tools::message::signature::Signature;
use psbt_tools::message::signing::{Progress, Signing};
use psbt_tools::message::{Verdict, verify};
use psbt_tools::sandbox::Socket;
use std::collections::{BTreeMap, BTreeSet};

pub(in crate::reader) fn serve(socket: &mut Socket, order: MessageOrder) -> Result<(), Ended> {
    match order {
        MessageOrder::Look(bytes) => {
            let answer = match looked(&bytes) {
                Ok(terms) => MessageAnswer::Looked(Box::new(terms)),
                Err(error) => return say(socket, &unreadable(&error)),
            };
            say(socket, &Answer::Message(answer))?;
            match hear(socket)? {
                Order::Message(MessageOrder::Finish(finish)) => say(socket, &answered(finished(&finish))),
                _ => Err(Ended::OutOfTurn),
            }
        }
        MessageOrder::Finish(finish) => say(socket, &answered(finished(&finish))),
        MessageOrder::Reserves(order) => {
            let mut proof = match Proof::read(&order) {
                Ok(proof) => proof,
                Err(error) => return say(socket, &unreadable(&error)),
            };
            let (holdings, evidence) = (proof.parts.clone(), proof.evidence.clone());
            say(socket, &Answer::Message(MessageAnswer::Holdings { holdings, evidence }))?;
            match hear(socket)? {
                Order::Message(MessageOrder::Prove(signed)) => say(socket, &answered(proof.proven(&signed))),
                _ => Err(Ended::OutOfTurn),
            }
        }
        MessageOrder::Prove(_) => Err(Ended::OutOfTurn),
    }
}

fn answered(done: Result<MessageAnswer, Error>) -> Answer {
    match done {
        Ok(answer) => Answer::Message(answer),
        Err(error) => unreadable(&error),
    }
}

fn malformed(error: &ReservesError) -> Error {
    Error::malformed(escape(&error.to_string()), "let the program that made the file write it again")
}

fn refused(check: Check, message: impl Into<String>) -> Error {
    Error::refused(check, message)
}

fn no_message(error: &MessageError) -> Error {
    refused(Check::MESSAGE, error.to_string())
}

fn wallet(of: &Descriptors) -> Result<Wallet, Error> {
    Ok(Wallet::new(of.network, &[&of.external, &of.internal])?)
}

/// What a partly signed message is about; whether it is as it says, [`finished`] finds out.
fn looked(bytes: &[u8]) -> Result<MessageTerms, Error> {
    let file = PartlySigned::decode(bytes).map_err(|error| malformed(&error))?;
    Ok(terms_of(&file))
}

fn terms_of(file: &PartlySigned) -> MessageTerms {
    MessageTerms {
        wallet: file.wallet,
        form: file.form,
        message: file.message.clone(),
        keypath: file.keypath,
        locks: file.partial.locks,
        coins: vec![],
    }
}

fn finished(finish: &Finish) -> Result<MessageAnswer, Error> {
    let Finish { terms, signed, earlier, .. } = finish;
    let wallet = wallet(&finish.wallet)?;
    let script = wallet.script(terms.keypath).ok_or_else(|| refused(Check::GAP, "no such keypath"))?;
    let done = |text: String| MessageAnswer::Finished(Finished { text, missing: None });
    let fresh = match signed {
        MessageSignature::Inputs(signatures) => signatures,
        MessageSignature::Bip137(bytes) => {
            let signature = Signature::Bip137(*bytes);
            return match verify(&terms.message, &script, &signature) {
                Verdict::Valid(_) => Ok(done(signature.encode())),
                Verdict::Inconclusive(reason) | Verdict::Invalid(reason) => {
                    Err(refused(Check::MESSAGE, reason))
                }
            };
        }
    };
    let mut partial = Partial { locks: terms.locks, signatures: vec![] };
    if let Some(bytes) = earlier {
        let file = PartlySigned::decode(bytes).map_err(|error| malformed(&error))?;
        if terms_of(&file) != *terms || file.address != script || file.network != wallet.network() {
            return Err(refused(Check::MESSAGE, "the file is of another message or address"));
        }
        partial = file.partial;
    }
    partial.add(fresh.clone());
    let to_sign = terms.to_sign(&script).map_err(|error| no_message(&error))?;
    let (evidence, keypaths) = (Evidence::default(), terms.keypaths());
    let signing = Signing {
        message: &terms.message,
        to_sign: &to_sign,
        wallet: &wallet,
        keypaths: &keypaths,
        evidence: &evidence,
    };
    let missing = match signing.finish(terms.form, &partial.signatures)? {
        Progress::Complete(signature) => return Ok(done(signature.encode())),
        Progress::Missing(keys) => keys,
    };
    let file = PartlySigned {
        wallet: terms.wallet,
        network: wallet.network(),
        address: script,
        keypath: terms.keypath,
        form: terms.form,
        message: terms.message.clone(),
        partial,
    };
    Ok(MessageAnswer::Finished(Finished { text: file.encode(), missing: Some(missing) }))
}

/// A proof of reserves and what in it waits for one wallet.
struct Proof {
    reserves: Reserves,
    wallet: Wallet,
    evidence: Evidence,
    parts: Vec<(u32, MessageTerms)>,
}

impl Proof {
    fn read(order: &ReservesOrder) -> Result<Self, Error> {
        let reserves = Reserves::decode(&order.document).map_err(|error| malformed(&error))?;
        let wallet = wallet(&order.wallet)?;
        let stated = reserves.statement().network;
        if stated != wallet.network() {
            let message = format!("the document is about {stated}, the wallet is on {}", wallet.network());
            return Err(refused(Check::NETWORK, message));
        }
        let evidence = Evidence::new(previous(&order.previous)?);
        let places = places(&reserves, &wallet, order.gap);
        let mut parts = Vec::new();
        let mut signed = 0_usize;
        for (at, holding) in reserves.holdings().iter().enumerate() {
            let Some(keypath) = places.get(&holding.address) else { continue };
            if holding.signature.is_some() {
                signed = signed.saturating_add(1);
                continue;
            }
            let locks = match (reserves.partial(at).map(|partial| partial.locks), order.locks) {
                (Some(made), Some(given)) if made != given => {
                    let message = format!("holding {at} was signed by others under other locks");
                    return Err(refused(Check::LOCKTIME, message));
                }
                (Some(locks), _) | (None, Some(locks)) => locks,
                (None, None) => Locks::NONE,
            };
            let coins = holding.coins.iter().map(|(outpoint, output)| {
                let keypath = places.get(&output.script_pubkey).ok_or_else(|| {
                    refused(
                        Check::SIGNED_INPUTS,
                        format!("holding {at}: the coin {outpoint} is not found in the wallet"),
                    )
                })?;
                let (outpoint, sequence) = (*outpoint, locks.sequence);
                let coin = ClaimedCoin { outpoint, output: output.clone(), sequence };
                Ok(OwnCoin { coin, keypath: *keypath })
            });
            let terms = MessageTerms {
                wallet: wallet.id(),
                form: MessageForm::Bip322ProofOfFunds,
                message: reserves.message().map_err(|error| no_message(&error))?,
                keypath: *keypath,
                locks,
                coins: coins.collect::<Result<_, Error>>()?,
            };
            parts.push((u32::try_from(at).unwrap_or(u32::MAX), terms));
        }
        if parts.is_empty() {
            let what = match signed {
                0 => "nothing in the document is this wallet's",
                _ => "everything in the document that is this wallet's is signed already",
            };
            return Err(refused(Check::SIGNED_INPUTS, what));
        }
        Ok(Self { reserves, wallet, evidence, parts })
    }

    fn proven(&mut self, signed: &[(u32, Vec<InputSignature>)]) -> Result<MessageAnswer, Error> {
        let mut holdings = Vec::new();
        for (at, signatures) in signed {
            let part = self.parts.iter().find(|(known, _)| known == at);
            let (_, terms) = part.ok_or_else(|| refused(Check::MESSAGE, "there is no such holding"))?;
            let missing = attached(&mut self.reserves, &self.wallet, &self.evidence, *at, terms, signatures)?;
            holdings.push(ProvenHolding { holding: *at, missing });
        }
        Ok(MessageAnswer::Proven { file: self.reserves.encode().into_bytes(), holdings })
    }
}

/// Puts a holding's signatures in; the keys that are missing, if any are.
fn attached(
    reserves: &mut Reserves,
    wallet: &Wallet,
    evidence: &Evidence,
    at: u32,
    terms: &MessageTerms,
    signatures: &[InputSignature],
) -> Result<Option<Vec<String>>, Error> {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let fault = |error: ReservesError| refused(Check::MESSAGE, escape(&error.to_string()));
    let to_sign: ToSign = reserves.to_sign(at, terms.locks, terms.locks.sequence).map_err(fault)?;
    let mut partial =
        reserves.partial(at).cloned().unwrap_or(Partial { locks: terms.locks, signatures: vec![] });
    partial.add(signatures.to_vec());
    let keypaths = terms.keypaths();
    let signing =
        Signing { message: &terms.message, to_sign: &to_sign, wallet, keypaths: &keypaths, evidence };
    match signing.satisfactions(&partial.signatures)? {
        Progress::Complete(satisfactions) => {
            reserves.attach(at, &to_sign, satisfactions, evidence).map_err(fault)?;
            Ok(None)
        }
        Progress::Missing(keys) => {
            reserves.keep(at, partial);
            Ok(Some(keys))
        }
    }
}

/// Where in the wallet the document's scripts are: searched until so many indexes in a row hold none of them.
fn places(reserves: &Reserves, wallet: &Wallet, gap: u32) -> BTreeMap<ScriptBuf, Keypath> {
    let coins = |holding: &psbt_tools::message::reserves::Holding| {
        holding.coins.iter().map(|(_, output)| output.script_pubkey.clone()).collect::<Vec<_>>()
    };
    let mut sought: BTreeSet<ScriptBuf> = reserves
        .holdings()
        .iter()
        .flat_map(|holding| coins(holding).into_iter().chain([holding.address.clone()]))
        .collect();
    let mut found = BTreeMap::new();
    let (mut index, mut end) = (0, gap);
    while index <= end.min(MAX_INDEX) && !sought.is_empty() {
        for branch in Branch::ALL {
            let keypath = Keypath { branch, index };
            let Some(script) = wallet.script(keypath) else { continue };
            if sought.remove(&script) {
                found.insert(script, keypath);
                end = index.saturating_add(gap);
            }
        }
        index = index.saturating_add(1);
    }
    found
}

/// Transactions in hexadecimal, one a line.
fn previous(files: &[Vec<u8>]) -> Result<Vec<Transaction>, Error> {
    let wrong = || {
        Error::malformed(
            "this is no previous transaction",
            "expected raw transactions in hexadecimal, one a line",
        )
    };
    let mut transactions = Vec::new();
    for file in files {
        let text = std::str::from_utf8(file).map_err(|_| wrong())?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            transactions.push(deserialize_hex(line).map_err(|_| wrong())?);
        }
    }
    Ok(transactions)
}
