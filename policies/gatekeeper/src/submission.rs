//! A file that was submitted: the payment that it holds and the request that came with it.

use crate::Error;
use crate::commands::reconcile::read_facts;
use crate::ledger::state::State;
use policies::approval::Approval;
use policies::check::{Check, Finding};
use policies::codec::Canonical;
use policies::identity::PublicKey;
use policies::permit::Permit;
use policies::policy::Requester;
use policies::request::SignedRequest;
use policies::wallet::Wallet;
use psbt_tools::display::hash_words;
use psbt_tools::document::Document;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::facts::Facts;
use psbt_tools::import::{Context, Imported, import_document};
use psbt_tools::strict;

/// A PSBT that was read with the wallets of the ledger.
pub struct Submission {
    /// The PSBT and its checks.
    pub imported: Imported,
    /// The request and who signed it, or why there is none.
    pub asked: Result<Asked, Finding>,
    /// The approvals that came with it. Whether they are good is not asked here.
    pub approvals: Vec<Approval>,
    /// The permits that came with it, whoever signed them.
    pub permits: Vec<Permit>,
}

/// A request whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The request.
    pub signed: SignedRequest,
    /// Who signed it.
    pub requester: Requester,
}

impl Submission {
    /// Reads a PSBT with the wallets of a state. Which fees are absurd is the policy's to say, so the request is verified
    /// first.
    ///
    /// # Errors
    /// [`Error::Psbt`] when the bytes are no PSBT, [`Error::Document`] when an approval or a permit cannot be read; failed
    /// checks are findings.
    pub fn read(document: Document, state: &State, now: u64) -> Result<Self, Error> {
        let envelope = Envelope::read(&strict::parse(document.psbt_bytes())?)?;
        let asked = request_of(&envelope);
        let approvals = documents(&envelope, Kind::Approval, "an approval")?;
        let permits = documents(&envelope, Kind::Permit, "a permit")?;
        let mut context = Context { network: Some(state.network()), now: Some(now), ..Context::default() };
        if let Ok(Asked { signed, requester }) = &asked
            && let Some(bound) = state.wallet(&signed.request.wallet)
        {
            context.marks = bound.marks;
            context.fees = state.policy().fee_bounds(requester, &bound.name);
        }
        let wallets: Vec<Wallet> = state.wallets().map(|bound| bound.wallet.clone()).collect();
        let imported = import_document(document, &wallets, &context)?;
        if let Some((manifest, spend)) = imported.manifest().zip(imported.spend()) {
            manifest.agrees(spend)?;
        }
        Ok(Self { imported, asked, approvals, permits })
    }

    /// That the wallet which the file names is one of the ledger: somebody else's file is called so before it is judged.
    ///
    /// # Errors
    /// [`Error::Psbt`] with `other-wallet`.
    pub fn addressed(&self, state: &State) -> Result<(), Error> {
        let known = state.wallets().map(|bound| (bound.wallet.network(), bound.wallet.id()));
        Ok(self.imported.manifest().map_or(Ok(()), |manifest| manifest.addressed(known))?)
    }
}

/// What the file says of itself, before anything else is said of it, and the words by which it is known.
pub fn claims(imported: &Imported) -> Vec<String> {
    let words = format!("words: {}", hash_words(&imported.sha256()));
    let says = imported.manifest().into_iter().flat_map(|manifest| manifest.lines());
    says.chain([words]).collect()
}

/// What the chain proves, as it came with a payment.
///
/// # Errors
/// [`Error::Psbt`] when the bytes are no PSBT, [`Error::Document`] when the facts cannot be read.
pub fn facts(document: &Document) -> Result<Vec<Facts>, Error> {
    let envelope = Envelope::read(&strict::parse(document.psbt_bytes())?)?;
    envelope.get(Kind::Facts).map(read_facts).collect()
}

/// The one signed request of an envelope. An unsigned draft beside it says nothing.
fn request_of(envelope: &Envelope) -> Result<Asked, Finding> {
    const HINT: &str = "let a terminal sign the request: `gatekeeper request FILE --key F -o OUT`";
    let refuse = |message: String| Finding::refuse(Check::AUTHORISATION, message).hint(HINT);
    let requests = requests(envelope).map_err(|error| refuse(error.to_string()))?;
    if requests.is_empty() {
        return Err(refuse("no request came with the payment".to_owned()));
    }
    let (signed, key) = one_signed(requests).map_err(refuse)?;
    Ok(Asked { signed, requester: Requester::Key(key) })
}

/// The one request that a terminal signed, and its key.
///
/// # Errors
/// Why there is none, in words.
pub fn one_signed(requests: Vec<SignedRequest>) -> Result<(SignedRequest, PublicKey), String> {
    let mut signed = requests.into_iter().filter(|request| request.signature.is_some());
    match (signed.next(), signed.next()) {
        (Some(signed), None) => match signed.requester() {
            Ok(key) => Ok((signed, key)),
            Err(error) => Err(format!("the request: {error}")),
        },
        (Some(_), Some(_)) => Err("the file holds several signed requests".to_owned()),
        (None, _) => Err("the request is not signed by a terminal".to_owned()),
    }
}

/// Every request of an envelope.
///
/// # Errors
/// [`Error::Document`] when one cannot be read.
pub fn requests(envelope: &Envelope) -> Result<Vec<SignedRequest>, Error> {
    documents(envelope, Kind::Request, "the request")
}

/// Every document of a kind.
///
/// # Errors
/// [`Error::Document`] when one cannot be read.
pub fn documents<T: Canonical>(envelope: &Envelope, kind: Kind, what: &'static str) -> Result<Vec<T>, Error> {
    let read = |bytes| T::from_bytes(bytes).map_err(|error| Error::document(what, error));
    envelope.get(kind).map(read).collect()
}
