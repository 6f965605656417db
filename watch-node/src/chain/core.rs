//! Bitcoin Core over its RPC interface, with the cookie file that it writes at each start.
//!
//! Plain HTTP, so the server must be this machine or on a private network. Core's wallet is never used.

use std::cell::RefCell;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread::sleep;
use std::time::Duration;

use bitcoin::block::Header;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Amount, Block, BlockHash, Denomination, FeeRate, Network, Transaction, Txid};
use jsonrpc::simple_http::{self, SimpleHttpTransport};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Acceptance, BlockSource, Relay, Tip};
use crate::error::{Error, Result};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts while the server cannot be reached, and while it answers that it is still starting.
const ATTEMPTS: u32 = 3;
const WARMUP_ATTEMPTS: u32 = 60;
/// Transactions asked for in one HTTP request.
const BATCH: usize = 200;
/// Bitcoin Core's codes (`rpc/protocol.h`).
const NOT_FOUND: i32 = -5;
const BAD_PARAMETER: i32 = -8;
const VERIFY_ERROR: i32 = -25;
const VERIFY_REJECTED: i32 = -26;
const ALREADY_IN_UTXO_SET: i32 = -27;
const IN_WARMUP: i32 = -28;

/// A connection to one Bitcoin Core.
pub struct Core {
    url: String,
    cookie_file: PathBuf,
    client: RefCell<jsonrpc::Client>,
}

impl Core {
    /// Connects and makes sure that the node is on `network`.
    ///
    /// Errors: [`Error::Url`] for anything but `http://` to a loopback or private address.
    pub fn connect(url: &str, cookie_file: &Path, network: Network) -> Result<Self> {
        check_url(url)?;
        let client = RefCell::new(client(url, cookie_file)?);
        let core = Self { url: url.to_owned(), cookie_file: cookie_file.to_owned(), client };
        let found = core.chain_info()?.chain;
        if Network::from_core_arg(&found).ok() != Some(network) {
            return Err(Error::WrongChain { expected: network, found });
        }
        Ok(core)
    }

    fn chain_info(&self) -> Result<ChainInfo> {
        self.call("getblockchaininfo", json!([]))
    }

    /// One call; reads the cookie afresh when it is refused, and waits for a node that is still starting.
    fn call<T: DeserializeOwned>(&self, method: &'static str, arguments: Value) -> Result<T> {
        let arguments = jsonrpc::try_arg(arguments).map_err(|error| answer(method, error))?;
        let mut cookie_is_fresh = false;
        let (mut unreachable, mut warmups) = (0, 0);
        loop {
            let outcome = self.client.borrow().call::<T>(method, Some(&arguments));
            let error = match outcome {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match failure(error) {
                Failure::Unauthorised if !cookie_is_fresh => {
                    self.client.replace(client(&self.url, &self.cookie_file)?);
                    cookie_is_fresh = true;
                }
                Failure::Unauthorised => {
                    let (url, cookie) = (self.url.clone(), self.cookie_file.clone());
                    return Err(Error::BadCookie { url, cookie });
                }
                Failure::Transport(reason) => {
                    unreachable += 1;
                    if unreachable == ATTEMPTS {
                        return Err(Error::Unreachable { url: self.url.clone(), reason });
                    }
                    sleep(Duration::from_millis(200));
                }
                Failure::Rpc(IN_WARMUP, _) if warmups < WARMUP_ATTEMPTS => {
                    warmups += 1;
                    sleep(Duration::from_millis(500));
                }
                Failure::Rpc(code, message) => return Err(Error::Rpc { method, code, message }),
                Failure::Nonsense(reason) => return Err(Error::Answer { method, reason }),
            }
        }
    }
}

impl BlockSource for Core {
    fn tip(&self) -> Result<Tip> {
        let info = self.chain_info()?;
        let hash = parse("getblockchaininfo", &info.bestblockhash)?;
        Ok(Tip { height: info.blocks, hash })
    }

    fn hash_at(&self, height: u32) -> Result<Option<BlockHash>> {
        match self.call::<String>("getblockhash", json!([height])) {
            Ok(hash) => parse("getblockhash", &hash).map(Some),
            Err(Error::Rpc { code: BAD_PARAMETER, .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn header(&self, hash: BlockHash) -> Result<Header> {
        hex(self, "getblockheader", json!([hash.to_string(), false]))?.ok_or(Error::NoBlock(hash))
    }

    fn block(&self, hash: BlockHash) -> Result<Block> {
        hex(self, "getblock", json!([hash.to_string(), 0]))?.ok_or(Error::NoBlock(hash))
    }

    fn mempool(&self) -> Result<Option<Vec<Txid>>> {
        let txids: Vec<String> = self.call("getrawmempool", json!([]))?;
        txids.iter().map(|txid| parse("getrawmempool", txid)).collect::<Result<_>>().map(Some)
    }

    fn mempool_transactions(&self, txids: &[Txid]) -> Result<Vec<Transaction>> {
        const METHOD: &str = "getrawtransaction";
        let mut found = Vec::with_capacity(txids.len());
        for chunk in txids.chunks(BATCH) {
            let arguments = chunk
                .iter()
                .map(|txid| {
                    jsonrpc::try_arg(json!([txid.to_string()])).map_err(|error| answer(METHOD, error))
                })
                .collect::<Result<Vec<_>>>()?;
            let client = self.client.borrow();
            let requests: Vec<_> =
                arguments.iter().map(|arguments| client.build_request(METHOD, Some(arguments))).collect();
            let responses = client.send_batch(&requests).map_err(|error| match failure(error) {
                Failure::Transport(reason) => Error::Unreachable { url: self.url.clone(), reason },
                other => answer(METHOD, other.to_string()),
            })?;
            for (txid, response) in chunk.iter().zip(responses) {
                let response = response.ok_or_else(|| answer(METHOD, "an answer is missing"))?;
                // An error here means that the transaction has left the mempool since it was listed.
                let Ok(text) = response.result::<String>() else { continue };
                let transaction: Transaction =
                    deserialize_hex(&text).map_err(|error| answer(METHOD, error))?;
                if transaction.compute_txid() != *txid {
                    return Err(answer(METHOD, "another transaction than asked for"));
                }
                found.push(transaction);
            }
        }
        Ok(found)
    }
}

impl Relay for Core {
    fn test_acceptance(&self, transaction: &Transaction) -> Result<Acceptance> {
        const METHOD: &str = "testmempoolaccept";
        let answers: Vec<TestedTransaction> = self.call(METHOD, json!([[serialize_hex(transaction)]]))?;
        let tested = answers.into_iter().next().ok_or_else(|| answer(METHOD, "no answer"))?;
        if tested.allowed {
            let (fees, vsize_vb) =
                tested.fees.zip(tested.vsize).ok_or_else(|| answer(METHOD, "neither fee nor size"))?;
            return Ok(Acceptance::Accepted { fee_sat: btc(METHOD, &fees.base)?.to_sat(), vsize_vb });
        }
        let reason = tested.reject_reason.unwrap_or_else(|| "no reason given".into());
        Ok(match reason.as_str() {
            "txn-already-in-mempool" | "txn-already-known" => Acceptance::Known,
            _ => Acceptance::Refused(reason),
        })
    }

    fn submit(&self, transaction: &Transaction) -> Result<Txid> {
        let txid = transaction.compute_txid();
        match self.call::<String>("sendrawtransaction", json!([serialize_hex(transaction)])) {
            Ok(_) | Err(Error::Rpc { code: ALREADY_IN_UTXO_SET, .. }) => Ok(txid),
            Err(Error::Rpc { code: VERIFY_ERROR | VERIFY_REJECTED, message, .. }) => {
                Err(Error::TransactionRefused { txid, reason: message })
            }
            Err(other) => Err(other),
        }
    }

    fn feerate_hint(&self, target_blocks: u16) -> Result<Option<FeeRate>> {
        const METHOD: &str = "estimatesmartfee";
        let estimate: Estimate = self.call(METHOD, json!([target_blocks]))?;
        let Some(per_kvb) = estimate.feerate else { return Ok(None) };
        Ok(Some(FeeRate::from_sat_per_kwu(btc(METHOD, &per_kvb)?.to_sat().div_ceil(4))))
    }
}

#[derive(Deserialize)]
struct ChainInfo {
    chain: String,
    blocks: u32,
    bestblockhash: String,
}

/// Amounts stay text until they are parsed exactly: no float comes near them.
#[derive(Deserialize)]
struct TestedTransaction {
    allowed: bool,
    vsize: Option<u64>,
    fees: Option<Fees>,
    #[serde(rename = "reject-reason")]
    reject_reason: Option<String>,
}

#[derive(Deserialize)]
struct Fees {
    base: Box<RawValue>,
}

#[derive(Deserialize)]
struct Estimate {
    feerate: Option<Box<RawValue>>,
}

enum Failure {
    Unauthorised,
    Transport(String),
    Rpc(i32, String),
    Nonsense(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Unauthorised => f.write_str("the cookie was refused"),
            Failure::Transport(reason) | Failure::Rpc(_, reason) | Failure::Nonsense(reason) => {
                f.write_str(reason)
            }
        }
    }
}

fn failure(error: jsonrpc::Error) -> Failure {
    match error {
        jsonrpc::Error::Transport(inner) => match inner.downcast_ref::<simple_http::Error>() {
            Some(simple_http::Error::HttpErrorCode(401)) => Failure::Unauthorised,
            _ => Failure::Transport(inner.to_string()),
        },
        jsonrpc::Error::Rpc(rpc) => Failure::Rpc(rpc.code, rpc.message),
        other => Failure::Nonsense(other.to_string()),
    }
}

fn answer(method: &'static str, reason: impl ToString) -> Error {
    Error::Answer { method, reason: reason.to_string() }
}

/// A consensus-encoded object in hex; `None` when the node does not have it.
fn hex<T: bitcoin::consensus::Decodable>(
    core: &Core,
    method: &'static str,
    arguments: Value,
) -> Result<Option<T>> {
    match core.call::<String>(method, arguments) {
        Ok(text) => deserialize_hex(&text).map(Some).map_err(|error| answer(method, error)),
        Err(Error::Rpc { code: NOT_FOUND, .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn parse<T: FromStr<Err: ToString>>(method: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|error: T::Err| answer(method, error))
}

fn btc(method: &'static str, number: &RawValue) -> Result<Amount> {
    Amount::from_str_in(number.get(), Denomination::Bitcoin).map_err(|error| answer(method, error))
}

fn client(url: &str, cookie_file: &Path) -> Result<jsonrpc::Client> {
    let cookie = std::fs::read_to_string(cookie_file).map_err(Error::file(cookie_file))?;
    let transport = SimpleHttpTransport::builder()
        .url(url)
        .map_err(|error| Error::Unreachable { url: url.to_owned(), reason: error.to_string() })?
        .timeout(TIMEOUT)
        .cookie_auth(cookie.trim())
        .build();
    Ok(jsonrpc::Client::with_transport(transport))
}

/// The transport takes `https://` and then speaks plain HTTP, so the scheme is judged here; and a cookie does
/// not travel in clear over a public network.
fn check_url(url: &str) -> Result<()> {
    let refuse = |reason| Err(Error::Url { url: url.to_owned(), reason });
    let Some(rest) = url.strip_prefix("http://") else {
        return refuse("only http:// is spoken");
    };
    let authority = rest.trim_end_matches('/');
    if authority.contains(['/', '@', '?', '#']) {
        return refuse("only a host and a port are expected");
    }
    let Ok(addresses) = authority.to_socket_addrs() else {
        return refuse("no such host, or no port given");
    };
    if !addresses.map(|address| address.ip()).all(is_private) {
        return refuse("a cookie in clear may not cross a public network");
    }
    Ok(())
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_to_near_addresses_is_used() {
        for url in [
            "http://127.0.0.1:8332",
            "http://[::1]:8332/",
            "http://192.168.1.7:8332",
            "http://10.0.0.2:18443",
        ] {
            check_url(url).unwrap();
        }
        for url in [
            "https://127.0.0.1:8332",
            "127.0.0.1:8332",
            "http://127.0.0.1",
            "http://user:pass@127.0.0.1:8332",
            "http://127.0.0.1:8332/wallet/x",
            "http://8.8.8.8:8332",
        ] {
            assert!(matches!(check_url(url), Err(Error::Url { .. })), "{url}");
        }
    }
}
