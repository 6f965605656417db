//! The tables, version by version.

/// "airw".
pub(super) const APPLICATION_ID: i64 = 0x6169_7277;
pub(super) const VERSION: i64 = 4;
/// `MIGRATIONS[n]` takes a database of version `n` to `n + 1`.
pub(super) const MIGRATIONS: &[&str] = &[V1, V2, V3, V4];

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
-- from documents and chain. `file` is the request file as it left (since version 2 in `payment_files`). Since version 3
-- all but the number is in `attempts`.
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

// Files carry headers and proofs and are read one at a time, payments all at once.
const V2: &str = "
CREATE TABLE payment_files (
    payment INTEGER PRIMARY KEY REFERENCES payments, bytes BLOB NOT NULL) STRICT;
INSERT INTO payment_files (payment, bytes) SELECT number, file FROM payments;
ALTER TABLE payments DROP COLUMN file;
";

// A payment may be tried several times: a higher fee, or back to the wallet. `abandoned` is when a person gave it up, in
// Unix time. Approvals and signed requests by what they sign; `permitted`: a verified permit came with the request, or names
// the approval.
const V3: &str = "
DROP VIEW coin_states;
DROP INDEX payments_spend_id;
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, payment INTEGER NOT NULL REFERENCES payments, nth INTEGER NOT NULL,
    state TEXT NOT NULL, spend BLOB NOT NULL, spend_id BLOB NOT NULL, request BLOB NOT NULL,
    request_id BLOB NOT NULL, unsigned_txid BLOB NOT NULL, signed BLOB, created INTEGER NOT NULL,
    UNIQUE (payment, nth)) STRICT;
INSERT INTO attempts (payment, nth, state, spend, spend_id, request, request_id, unsigned_txid, signed, created)
    SELECT number, 1, state, spend, spend_id, request, request_id, unsigned_txid, signed, created FROM payments
    ORDER BY number;
CREATE TABLE attempt_files (
    attempt INTEGER PRIMARY KEY REFERENCES attempts, bytes BLOB NOT NULL) STRICT;
INSERT INTO attempt_files (attempt, bytes)
    SELECT a.id, f.bytes FROM payment_files f JOIN attempts a ON a.payment = f.payment;
DROP TABLE payment_files;
ALTER TABLE reservations RENAME TO reservations_2;
CREATE TABLE reservations (
    txid BLOB NOT NULL, vout INTEGER NOT NULL, attempt INTEGER NOT NULL REFERENCES attempts,
    PRIMARY KEY (txid, vout, attempt),
    FOREIGN KEY (txid, vout) REFERENCES coins (txid, vout)) STRICT, WITHOUT ROWID;
CREATE INDEX reservations_attempt ON reservations (attempt);
INSERT INTO reservations (txid, vout, attempt)
    SELECT r.txid, r.vout, a.id FROM reservations_2 r JOIN attempts a ON a.payment = r.payment;
DROP TABLE reservations_2;
ALTER TABLE payments DROP COLUMN state;
ALTER TABLE payments DROP COLUMN spend;
ALTER TABLE payments DROP COLUMN spend_id;
ALTER TABLE payments DROP COLUMN request;
ALTER TABLE payments DROP COLUMN request_id;
ALTER TABLE payments DROP COLUMN unsigned_txid;
ALTER TABLE payments DROP COLUMN signed;
ALTER TABLE payments ADD COLUMN abandoned INTEGER;

CREATE TABLE signed_requests (
    request_id BLOB PRIMARY KEY, bytes BLOB NOT NULL, permitted INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE approvals (
    sha256 BLOB PRIMARY KEY, request_id BLOB NOT NULL, bytes BLOB NOT NULL,
    permitted INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX approvals_request_id ON approvals (request_id);

CREATE VIEW coin_states AS
SELECT c.txid, c.vout, c.wallet, c.branch, c.idx, c.value_sat, c.script,
       t.coinbase, t.height, t.mempool,
       (SELECT s.txid FROM spends s JOIN transactions st USING (txid)
         WHERE s.prev_txid = c.txid AND s.prev_vout = c.vout AND st.height IS NOT NULL) AS spent_txid,
       (SELECT s.txid FROM spends s JOIN transactions st USING (txid)
         WHERE s.prev_txid = c.txid AND s.prev_vout = c.vout AND st.height IS NULL AND st.mempool = 1)
         AS pending_spend_txid,
       -- An attempt that can never confirm, because another transaction spent one of its coins, reserves nothing. Nor does
       -- one of a payment that was given up, unless the source has shown it: then it may come back.
       (SELECT a.payment FROM reservations r JOIN attempts a ON a.id = r.attempt
          JOIN payments p ON p.number = a.payment
         WHERE r.txid = c.txid AND r.vout = c.vout
           AND (p.abandoned IS NULL OR EXISTS (SELECT 1 FROM transactions own WHERE own.txid = a.unsigned_txid))
           AND NOT EXISTS (
             SELECT 1 FROM reservations o
               JOIN spends s ON s.prev_txid = o.txid AND s.prev_vout = o.vout
               JOIN transactions st ON st.txid = s.txid
              WHERE o.attempt = a.id AND st.height IS NOT NULL AND s.txid <> a.unsigned_txid)
         ORDER BY a.payment DESC LIMIT 1) AS reserved_for
FROM coins c JOIN transactions t USING (txid);
";

// A wallet may have several vaults. Signatures of an attempt, and preimages of its hash locks,
// are kept until they are enough. A transaction is known again
// by its txid without signatures: `unsigned_txid`, filled in by the program for rows of earlier versions.
const V4: &str = "
DROP VIEW coin_states;
CREATE TABLE vaults (
    wallet INTEGER NOT NULL REFERENCES wallets, vault_id BLOB NOT NULL, audit_key BLOB NOT NULL, authority BLOB,
    PRIMARY KEY (wallet, vault_id)) STRICT, WITHOUT ROWID;
INSERT INTO vaults (wallet, vault_id, audit_key, authority)
    SELECT id, vault_id, audit_key, authority FROM wallets WHERE vault_id IS NOT NULL AND audit_key IS NOT NULL;
ALTER TABLE wallets DROP COLUMN vault_id;
ALTER TABLE wallets DROP COLUMN audit_key;
ALTER TABLE wallets DROP COLUMN authority;

-- leaf is empty but for a taproot script path.
CREATE TABLE signatures (
    attempt INTEGER NOT NULL REFERENCES attempts, input INTEGER NOT NULL, public_key BLOB NOT NULL,
    leaf BLOB NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (attempt, input, public_key, leaf)) STRICT, WITHOUT ROWID;

CREATE TABLE preimages (
    attempt INTEGER NOT NULL REFERENCES attempts, preimage BLOB NOT NULL,
    PRIMARY KEY (attempt, preimage)) STRICT, WITHOUT ROWID;

ALTER TABLE transactions ADD COLUMN unsigned_txid BLOB;
CREATE INDEX transactions_unsigned_txid ON transactions (unsigned_txid);

CREATE VIEW coin_states AS
SELECT c.txid, c.vout, c.wallet, c.branch, c.idx, c.value_sat, c.script,
       t.coinbase, t.height, t.mempool,
       (SELECT s.txid FROM spends s JOIN transactions st USING (txid)
         WHERE s.prev_txid = c.txid AND s.prev_vout = c.vout AND st.height IS NOT NULL) AS spent_txid,
       (SELECT s.txid FROM spends s JOIN transactions st USING (txid)
         WHERE s.prev_txid = c.txid AND s.prev_vout = c.vout AND st.height IS NULL AND st.mempool = 1)
         AS pending_spend_txid,
       -- An attempt that can never confirm, because another transaction spent one of its coins, reserves nothing. Nor does
       -- one of a payment that was given up, unless the source has shown it: then it may come back.
       (SELECT a.payment FROM reservations r JOIN attempts a ON a.id = r.attempt
          JOIN payments p ON p.number = a.payment
         WHERE r.txid = c.txid AND r.vout = c.vout
           AND (p.abandoned IS NULL
                OR EXISTS (SELECT 1 FROM transactions own WHERE own.unsigned_txid = a.unsigned_txid))
           AND NOT EXISTS (
             SELECT 1 FROM reservations o
               JOIN spends s ON s.prev_txid = o.txid AND s.prev_vout = o.vout
               JOIN transactions st ON st.txid = s.txid
              WHERE o.attempt = a.id AND st.height IS NOT NULL AND st.unsigned_txid <> a.unsigned_txid)
         ORDER BY a.payment DESC LIMIT 1) AS reserved_for
FROM coins c JOIN transactions t USING (txid);
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::open_database;

    #[test]
    fn a_payment_of_the_first_version_keeps_its_file_and_its_coin() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let old = open_database(&path, APPLICATION_ID, 1, &[V1]).unwrap();
        old.execute_batch(
            "INSERT INTO wallets (id, name, wallet_id, external, internal, birthday, vault_id, audit_key)
                 VALUES (1, 'w', x'01', '', '', 0, x'07', x'08');
             INSERT INTO payments (number, wallet, state, spend, spend_id, request, request_id, file, unsigned_txid, created)
             VALUES (7, 1, 'exported', x'02', x'02', x'02', x'02', x'0304', x'02', 5);
             INSERT INTO transactions (txid, raw, coinbase, first_seen, mempool) VALUES (x'09', x'', 0, 0, 1);
             INSERT INTO coins VALUES (x'09', 3, 1, 0, 0, 1000, x'');
             INSERT INTO reservations VALUES (x'09', 3, 7);",
        )
        .unwrap();
        drop(old);
        let db = open_database(&path, APPLICATION_ID, VERSION, MIGRATIONS).unwrap();
        let file: (i64, Vec<u8>) = db
            .query_row(
                "SELECT payment, bytes FROM attempt_files JOIN attempts ON id = attempt WHERE nth = 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(file, (7, vec![3, 4]));
        let created: i64 = db.query_row("SELECT created FROM payments", [], |row| row.get(0)).unwrap();
        assert_eq!(created, 5);
        let reserved: i64 =
            db.query_row("SELECT reserved_for FROM coin_states", [], |row| row.get(0)).unwrap();
        assert_eq!(reserved, 7);
        let vault: (i64, Vec<u8>) = db
            .query_row("SELECT wallet, audit_key FROM vaults", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(vault, (1, vec![8]));
    }
}
