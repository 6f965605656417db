//! The tables, version by version.

/// "airw".
pub(super) const APPLICATION_ID: i64 = 0x6169_7277;
pub(super) const VERSION: i64 = 1;
/// `MIGRATIONS[n]` takes a database of version `n` to `n + 1`.
pub(super) const MIGRATIONS: &[&str] = &[V1];

const V1: &str = "
CREATE TABLE settings (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    network TEXT NOT NULL, chain TEXT NOT NULL, url TEXT, cookie_file TEXT) STRICT;

-- The scanned part of the active chain, without gaps; its least height is where the scan began.
CREATE TABLE blocks (
    height INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, header BLOB NOT NULL) STRICT;

CREATE TABLE wallets (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, wallet_id BLOB NOT NULL UNIQUE,
    external TEXT NOT NULL, internal TEXT NOT NULL, birthday INTEGER NOT NULL,
    external_issued INTEGER NOT NULL DEFAULT 0, internal_issued INTEGER NOT NULL DEFAULT 0,
    vault_id BLOB, audit_key BLOB, authority BLOB) STRICT;

-- Transactions that touch a wallet. height is null while unconfirmed; mempool says whether the source's
-- mempool held it at the last look; merkle_proof is a BIP37 partial tree.
CREATE TABLE transactions (
    txid BLOB PRIMARY KEY, raw BLOB NOT NULL, coinbase INTEGER NOT NULL, first_seen INTEGER NOT NULL,
    mempool INTEGER NOT NULL, height INTEGER, block_hash BLOB, position INTEGER, merkle_proof BLOB,
    CHECK ((height IS NULL) = (block_hash IS NULL) AND (height IS NULL) = (position IS NULL))) STRICT;
CREATE INDEX transactions_height ON transactions (height);

-- Outputs of ours. They never change; their state follows from `transactions`.
CREATE TABLE coins (
    txid BLOB NOT NULL REFERENCES transactions, vout INTEGER NOT NULL,
    wallet INTEGER NOT NULL REFERENCES wallets, branch INTEGER NOT NULL, idx INTEGER NOT NULL,
    value_sat INTEGER NOT NULL, script BLOB NOT NULL,
    PRIMARY KEY (txid, vout)) STRICT, WITHOUT ROWID;
CREATE INDEX coins_place ON coins (wallet, branch, idx);

-- Which transactions spend a coin of ours; several when they conflict.
CREATE TABLE spends (
    prev_txid BLOB NOT NULL, prev_vout INTEGER NOT NULL, txid BLOB NOT NULL REFERENCES transactions,
    vin INTEGER NOT NULL,
    PRIMARY KEY (prev_txid, prev_vout, txid),
    -- Deferred: a mempool lists children before their parents.
    FOREIGN KEY (prev_txid, prev_vout) REFERENCES coins (txid, vout) DEFERRABLE INITIALLY DEFERRED) STRICT, WITHOUT ROWID;
CREATE INDEX spends_txid ON spends (txid);

-- Payments of ours. They never vanish. `state` is what this folder did: exported, signed, broadcast; the rest follows
-- from documents and chain. `file` is the request file as it left.
CREATE TABLE payments (
    number INTEGER PRIMARY KEY AUTOINCREMENT, wallet INTEGER NOT NULL REFERENCES wallets, state TEXT NOT NULL,
    spend BLOB NOT NULL, spend_id BLOB NOT NULL, request BLOB NOT NULL, request_id BLOB NOT NULL,
    file BLOB NOT NULL, unsigned_txid BLOB NOT NULL, signed BLOB, created INTEGER NOT NULL) STRICT;
CREATE INDEX payments_spend_id ON payments (spend_id);

CREATE TABLE reservations (
    txid BLOB NOT NULL, vout INTEGER NOT NULL, payment INTEGER NOT NULL REFERENCES payments,
    PRIMARY KEY (txid, vout, payment),
    FOREIGN KEY (txid, vout) REFERENCES coins (txid, vout)) STRICT, WITHOUT ROWID;

-- What came back with a signed payment, by the SHA-256 of its bytes.
CREATE TABLE permits (sha256 BLOB PRIMARY KEY, spend_id BLOB NOT NULL, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE receipts (sha256 BLOB PRIMARY KEY, spend_id BLOB NOT NULL, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX permits_spend_id ON permits (spend_id);
CREATE INDEX receipts_spend_id ON receipts (spend_id);

-- Pinned by `trust`.
CREATE TABLE authorities (sha256 BLOB PRIMARY KEY, bytes BLOB NOT NULL, pinned INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE VIEW coin_states AS
SELECT c.txid, c.vout, c.wallet, c.branch, c.idx, c.value_sat, c.script,
       t.coinbase, t.height, t.mempool,
       (SELECT s.txid FROM spends s JOIN transactions st USING (txid)
         WHERE s.prev_txid = c.txid AND s.prev_vout = c.vout AND st.height IS NOT NULL) AS spent_txid,
       (SELECT s.txid FROM spends s JOIN transactions st USING (txid)
         WHERE s.prev_txid = c.txid AND s.prev_vout = c.vout AND st.height IS NULL AND st.mempool = 1)
         AS pending_spend_txid,
       -- A payment that can never confirm, because another transaction spent one of its coins, reserves nothing.
       (SELECT r.payment FROM reservations r JOIN payments p ON p.number = r.payment
         WHERE r.txid = c.txid AND r.vout = c.vout AND NOT EXISTS (
           SELECT 1 FROM reservations o
             JOIN spends s ON s.prev_txid = o.txid AND s.prev_vout = o.vout
             JOIN transactions st ON st.txid = s.txid
            WHERE o.payment = p.number AND st.height IS NOT NULL AND s.txid <> p.unsigned_txid)) AS reserved_for
FROM coins c JOIN transactions t USING (txid);
";
