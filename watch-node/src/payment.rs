//! What is needed around a payment: the outputs that it spends, their transactions, and the vaults' latest records.

use bitcoin::{ScriptBuf, Transaction, TxOut, Txid};
use policies::evidence::Evidence;
use policies::request::Head;
use policies::spend::Spend;
use policies::wallet::Wallet;

use crate::coins::Coin;
use crate::error::{Error, Result};
use crate::store::Store;

/// The outputs that a payment spends, in the order of its inputs.
///
/// Errors: [`Error::CorruptStore`] when its keypaths are not the wallet's.
pub fn spent_outputs(spend: &Spend, wallet: &Wallet) -> Result<Vec<TxOut>> {
    spend
        .inputs()
        .iter()
        .map(|input| {
            let script_pubkey = wallet.script(input.keypath).ok_or(Error::CorruptStore("keypath"))?;
            Ok(TxOut { value: input.value, script_pubkey })
        })
        .collect()
}

/// The txid that a transaction has without signatures. By it a payment is known again, also where signing it changes its
/// txid because signatures are in the inputs' scripts: version, locktime, outpoints, sequences and outputs are the same.
pub fn unsigned_txid(transaction: &Transaction) -> Txid {
    let mut unsigned = transaction.clone();
    unsigned.input.iter_mut().for_each(|input| input.script_sig = ScriptBuf::new());
    unsigned.compute_txid()
}

/// The stored transactions of these coins.
///
/// Errors: [`Error::CorruptStore`] when one is missing.
pub fn evidence_for(store: &Store, coins: &[Coin]) -> Result<Evidence> {
    let mut txids: Vec<Txid> = coins.iter().map(|coin| coin.outpoint.txid).collect();
    txids.sort_unstable();
    txids.dedup();
    let transactions: Vec<Transaction> = txids
        .into_iter()
        .map(|txid| store.transaction(txid)?.ok_or(Error::CorruptStore("coin without its transaction")))
        .collect::<Result<_>>()?;
    Ok(Evidence::new(transactions))
}

/// The latest record of each vault that a receipt shows.
pub fn heads(store: &Store) -> Result<Vec<Head>> {
    let mut heads: Vec<Head> = Vec::new();
    for receipt in store.receipts()? {
        let head = receipt.statement.head;
        match heads.iter_mut().find(|known| known.vault == head.vault) {
            Some(known) if known.sequence < head.sequence => *known = head,
            Some(_) => {}
            None => heads.push(head),
        }
    }
    heads.sort_unstable();
    heads.truncate(policies::request::MAX_HEADS);
    Ok(heads)
}
