//! What other wallets create, we sign; they finalize it, and Bitcoin Core mines it. A kind of wallet is a row.

use airlock_tests::bitcoind::Bitcoind;
use airlock_tests::funding::Fund;
use airlock_tests::office::{Office, SUPPLIER};
use airlock_tests::peers::{self, Coin, Descriptors, Payment, Peer, Script};
use bitcoin::base64::Engine;
use bitcoin::base64::prelude::BASE64_STANDARD;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Address, Amount, Network, Transaction, TxOut};

const STORE: &str = "vault.store";

/// What each coin is worth.
const COIN: Amount = Amount::from_sat(1_000_000);

/// How many coins each of a payment's two previous transactions makes.
const COINS: [u32; 2] = [2, 1];

/// A kind of single-key wallet, by the word of `new-key --script`, and what the peers can do with it.
struct Row {
    script: &'static str,
    /// Who makes files of it, of which version of PSBT.
    creators: &'static [(&'static str, u8)],
    finalizers: &'static [&'static str],
}

const EVERY_CREATOR: &[(&str, u8)] =
    &[("core", 0), ("core", 2), ("embit", 0), ("embit", 2), ("bdk", 0), ("electrum", 0)];
const EVERY_FINALIZER: &[&str] = &["core", "embit", "bdk", "electrum"];

/// Who reads version 2 (BIP370).
const READERS_OF_2: &[&str] = &["core", "embit"];

#[test]
fn wpkh_payments_of_every_peer_are_signed_finalized_and_mined() {
    interoperate(&Row { script: "wpkh", creators: EVERY_CREATOR, finalizers: EVERY_FINALIZER });
}

#[test]
fn pkh_payments_of_every_peer_are_signed_finalized_and_mined() {
    interoperate(&Row { script: "pkh", creators: EVERY_CREATOR, finalizers: EVERY_FINALIZER });
}

#[test]
fn sh_wpkh_payments_of_every_peer_are_signed_finalized_and_mined() {
    interoperate(&Row { script: "sh-wpkh", creators: EVERY_CREATOR, finalizers: EVERY_FINALIZER });
}

/// Electrum 4.3 has no taproot, and embit's finalizer knows nothing of signatures by taproot keys.
#[test]
fn tr_payments_of_every_peer_are_signed_finalized_and_mined() {
    interoperate(&Row {
        script: "tr",
        creators: &[("core", 0), ("core", 2), ("embit", 0), ("embit", 2), ("bdk", 0)],
        finalizers: &["core", "bdk"],
    });
}

/// The control of the peers themselves: whoever signs first, whoever combines and finalizes, it is the same transaction.
#[test]
fn a_multisig_of_other_peoples_keys_is_signed_in_both_orders_and_combined_by_each() {
    let Some(core) = Bitcoind::start() else { return };
    let (Some(embit), Some(bdk)) = (Script::find("embit"), Script::find("bdk")) else { return };
    let keys = [1, 2, 3].map(|seed| embit.key([seed; 64], "48h/1h/0h/2h"));
    let [ours, theirs, other] = keys.each_ref().map(|key| format!("{}/B/*", key.public));
    let wallet = Descriptors::of(&format!("wsh(sortedmulti(2,{ours},{theirs},{other}))"));
    let fund = Fund::open(&core, 2);
    let coins = coins(&fund, &wallet, &embit, &mut 0);
    let unsigned = embit.create(&wallet, &payment(&coins, 0));
    fund.mine(1);

    let first = |psbt: &str| embit.sign(&wallet.with_secret(&keys[0]), psbt).0;
    let second = |psbt: &str| bdk.sign(&wallet.with_secret(&keys[1]), psbt).0;
    let peers = peers::all(&core);
    let parts = [first(&unsigned), second(&unsigned)];
    let mut signed = vec![second(&parts[0]), first(&parts[1])];
    signed.extend(peers.iter().map(|peer| peer.combine(&parts)));
    let transaction = peers[0].finalize(&wallet, &signed[0]).expect("two of three");
    for (psbt, peer) in signed.iter().flat_map(|psbt| peers.iter().map(move |peer| (psbt, peer))) {
        assert_eq!(peer.finalize(&wallet, psbt).as_ref(), Some(&transaction), "{}", peer.name());
    }
    assert!(peers.iter().all(|peer| peer.finalize(&wallet, &parts[0]).is_none()), "one of three is too few");
    assert_eq!(core.would_accept(&transaction), Ok(()));
}

/// Our key is one of three; a foreign cosigner signs before it, and after it.
#[test]
fn a_wsh_multisig_with_each_foreign_cosigner_is_signed_in_both_orders_finalized_and_mined() {
    let Some(core) = Bitcoind::start() else { return };
    let Some(embit) = Script::find("embit") else { return };
    let peers = peers::all(&core);
    let office = Office::open();
    let made = office
        .signer_done(STORE, "new-key --wallet main --network regtest --script wsh-multi --words-unseen");
    let ours = made["key"].as_str().unwrap();
    let [theirs, other] = [1, 2].map(|seed| embit.key([seed; 64], "48h/1h/0h/2h"));
    let wallet = Descriptors::of(&format!(
        "wsh(sortedmulti(2,{}/B/*,{ours}/B/*,{}/B/*))",
        theirs.public, other.public
    ));
    let register =
        format!("register --wallet main --descriptor {} --descriptor {}", wallet.external, wallet.internal);
    assert_eq!(office.signer_done(STORE, &register)["registered"], true);

    let fund = Fund::open(&core, 20);
    let mut next_index = 0;
    let mut files = Vec::new();
    for (at, cosigner) in peers.iter().enumerate() {
        for ours_first in [true, false] {
            // Whoever signs, somebody else made the file.
            let creator = &peers[(at + 1) % peers.len()];
            let coins = coins(&fund, &wallet, &**creator, &mut next_index);
            files.push((cosigner, ours_first, creator.create(&wallet, &payment(&coins, 0))));
        }
    }
    fund.mine(1);
    let everyone: Vec<_> = peers.iter().map(|peer| &**peer).collect();
    let mut transactions = Vec::new();
    for (cosigner, ours_first, unsigned) in files {
        let name = format!("{}-{}", cosigner.name(), if ours_first { "after" } else { "before" });
        let foreign = |psbt: &str| cosigner.sign(&wallet.with_secret(&theirs), psbt).0;
        let signed = if ours_first {
            foreign(&sign(&office, &name, &unsigned))
        } else {
            sign(&office, &name, &foreign(&unsigned))
        };
        transactions.push(finish(&core, &office, &name, &wallet, &signed, &everyone));
    }
    mined(&core, &fund, &transactions);
}

fn interoperate(row: &Row) {
    let Some(core) = Bitcoind::start() else { return };
    let peers = peers::all(&core);
    let named = |name: &str| peers.iter().map(|peer| &**peer).find(|peer| peer.name() == name);
    let office = Office::open();
    office.signer_done(
        STORE,
        &format!("new-key --wallet main --network regtest --script {} --words-unseen", row.script),
    );
    let export = office.signer_done(STORE, "export --wallet main -o main.json");
    let descriptor = |branch: &str| export[branch].as_str().unwrap().to_owned();
    let wallet = Descriptors { external: descriptor("external"), internal: descriptor("internal") };

    let fund = Fund::open(&core, 12);
    let mut next_index = 0;
    let mut files = Vec::new();
    for (creator, version) in row.creators {
        let Some(peer) = named(creator) else { continue };
        let coins = coins(&fund, &wallet, peer, &mut next_index);
        files.push((creator, *version, peer.create(&wallet, &payment(&coins, *version))));
    }
    fund.mine(1);
    let mut transactions = Vec::new();
    for (creator, version, unsigned) in files {
        let name = format!("{}-{creator}-v{version}", row.script);
        let signed = sign(&office, &name, &unsigned);
        let reads = |name: &&&str| version == 0 || READERS_OF_2.contains(*name);
        let finalizers: Vec<_> = row.finalizers.iter().filter(reads).filter_map(|name| named(name)).collect();
        transactions.push(finish(&core, &office, &name, &wallet, &signed, &finalizers));
    }
    mined(&core, &fund, &transactions);
}

/// The network transaction of a signed file: the same by our own tools and by each of the peers, and the mempool takes it.
fn finish(
    core: &Bitcoind,
    office: &Office,
    name: &str,
    wallet: &Descriptors,
    signed: &str,
    finalizers: &[&dyn Peer],
) -> Transaction {
    office.write(&format!("{name}-complete.psbt"), signed);
    for step in ["finalize {}-complete.psbt -o {}-final.psbt", "extract {}-final.psbt -o {}.hex"] {
        let said = office.run(&format!("psbt-tools {}", step.replace("{}", name)));
        assert_eq!(said.code, 0, "{said:?}");
    }
    let hex = String::from_utf8(office.read(&format!("{name}.hex"))).unwrap();
    let transaction: Transaction = deserialize_hex(hex.trim()).unwrap();
    for peer in finalizers {
        let theirs = peer.finalize(wallet, signed);
        assert_eq!(theirs.as_ref(), Some(&transaction), "{name}, finalized by {}", peer.name());
    }
    assert_eq!(core.would_accept(&transaction), Ok(()), "{name}");
    core.rpc("sendrawtransaction", &[&serialize_hex(&transaction)]);
    transaction
}

/// The next block has all of them.
fn mined(core: &Bitcoind, fund: &Fund<'_>, transactions: &[Transaction]) {
    fund.mine(1);
    let block = core.block(None).txdata;
    assert!(transactions.iter().all(|transaction| block.contains(transaction)), "all are mined");
}

/// Half of the coins to the supplier.
fn payment(coins: &[Coin], psbt_version: u8) -> Payment<'_> {
    let spent = COIN * u64::try_from(coins.len()).unwrap();
    Payment { coins, to: SUPPLIER, amount: spent / 2, fee: Amount::from_sat(1_000), psbt_version }
}

/// Three coins from two transactions, still in the mempool, at the next addresses; the peer derives the same as Core.
fn coins(fund: &Fund<'_>, wallet: &Descriptors, peer: &dyn Peer, next_index: &mut u32) -> Vec<Coin> {
    let mut coins = Vec::new();
    for count in COINS {
        let indices = *next_index..*next_index + count;
        *next_index = indices.end;
        let output = |index| {
            let address: Address<_> = peer.address(&wallet.external, index).parse().unwrap();
            let script_pubkey = address.require_network(Network::Regtest).unwrap().script_pubkey();
            TxOut { value: COIN, script_pubkey }
        };
        let transaction = fund.pay(indices.clone().map(output).collect());
        let coin = |(vout, index)| Coin { transaction: transaction.clone(), vout, index };
        coins.extend((0..).zip(indices).map(coin));
    }
    coins
}

/// Reviews and signs a file as its operator does; gives the signed file as base64.
fn sign(office: &Office, name: &str, unsigned: &str) -> String {
    office.write(&format!("{name}.psbt"), BASE64_STANDARD.decode(unsigned).unwrap());
    office.sign(STORE, &format!("{name}.psbt"), &format!("{name}-signed.psbt"));
    BASE64_STANDARD.encode(office.read(&format!("{name}-signed.psbt")))
}
