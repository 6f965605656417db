//! Payments of many inputs, of each kind of script: by the command lines, from a funded wallet to a block of a real
//! Bitcoin Core.

use std::time::Instant;

use airlock_tests::bitcoind::Bitcoind;
use airlock_tests::office::{Office, SUPPLIER};
use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sighash::SighashCache;
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, CompressedPublicKey, EcdsaSighashType, Network, OutPoint, ScriptBuf, Sequence,
    Transaction, TxIn, TxOut, Witness, ecdsa,
};
use policies::wallet::{Branch, Keypath, Wallet};
use watch_node::chain::embedded::{MINER_KEY, miner_script};

const STORE: &str = "vault.store";

/// How many inputs each payment spends.
const COUNTS: [usize; 3] = [1, 100, 500];

/// What each coin of the wallet is worth.
const COIN: Amount = Amount::from_sat(1_000_000);

/// What stays over for the fee at 5 sat/vB, in satoshi for each input; the rest of it comes back as change.
const LEFT_SAT: u64 = 2_000;

#[test]
fn wpkh_payments_of_one_to_five_hundred_inputs_are_mined() {
    pay_all("wpkh");
}

#[test]
fn tr_payments_of_one_to_five_hundred_inputs_are_mined() {
    pay_all("tr");
}

fn pay_all(script: &str) {
    let Some(core) = Bitcoind::start() else { return };
    let office = Office::open();
    office.signer_done(
        STORE,
        &format!(
            "new-key --wallet main --network regtest --script {script} --words-unseen --limit 100btc/24h"
        ),
    );
    let export = office.signer_done(STORE, "export --wallet main -o main.json");
    let descriptors = ["external", "internal"].map(|branch| export[branch].as_str().unwrap());
    let wallet = Wallet::new(Network::Regtest, &descriptors).unwrap();
    office.node(&format!(
        "init --network regtest --chain core --url {} --cookie-file {}",
        core.url(),
        core.cookie().display()
    ));
    office.node("wallet import main --file main.json");
    fund(&core, &wallet, COUNTS.iter().sum());
    office.node("sync");
    let coins = office.node("coins main");
    let coins: Vec<_> =
        coins["coins"].as_array().unwrap().iter().map(|coin| coin["outpoint"].as_str().unwrap()).collect();
    assert_eq!(coins.len(), COUNTS.iter().sum::<usize>());
    let mut rest = coins.as_slice();
    for count in COUNTS {
        let (spent, others) = rest.split_at(count);
        rest = others;
        pay(&core, &office, &format!("{script}-{count}"), spent);
    }
    let payments = office.node("payments");
    let confirmations = [3, 2, 1];
    for (payment, expected) in payments["payments"].as_array().unwrap().iter().zip(confirmations) {
        assert_eq!(payment["confirmations"], expected, "{payments}");
    }
}

/// One payment of exactly these coins, from the request to the block.
fn pay(core: &Bitcoind, office: &Office, name: &str, coins: &[&str]) {
    let inputs = u64::try_from(coins.len()).unwrap();
    let sat = (COIN.to_sat() - LEFT_SAT) * inputs;
    let named: String = coins.iter().map(|coin| format!(" --coin {coin}")).collect();
    let begun = Instant::now();
    let pay = office.node(&format!("pay main --to {SUPPLIER}={sat}sat --feerate 5 -o {name}.psbt{named}"));
    assert_eq!(pay["inputs"], inputs);
    let paid = begun.elapsed();
    let spend = office.spend_id(STORE, &format!("{name}.psbt"));
    let reviewed = begun.elapsed();
    let signed =
        office.signer_done(STORE, &format!("sign {name}.psbt --consent {spend} -o {name}-signed.psbt"));
    assert_eq!(signed["signatures"], inputs);
    let done = begun.elapsed();
    eprintln!(
        "{name}: request of {} bytes; pay {paid:.1?}, review {:.1?}, sign {:.1?}",
        office.read(&format!("{name}.psbt")).len(),
        reviewed - paid,
        done - reviewed
    );

    for step in ["finalize {}-signed.psbt -o {}-final.psbt", "extract {}-final.psbt -o {}.hex"] {
        let said = office.run(&format!("psbt-tools {}", step.replace("{}", name)));
        assert_eq!(said.code, 0, "{said:?}");
    }
    let hex = String::from_utf8(office.read(&format!("{name}.hex"))).unwrap();
    let transaction: Transaction = deserialize_hex(hex.trim()).unwrap();
    assert_eq!(transaction.input.len(), coins.len());
    assert_eq!(core.would_accept(&transaction), Ok(()));
    assert!(core.would_accept(&forged(&transaction)).is_err(), "the control: one wrong signature");
    let submitted = office.node(&format!("submit {name}-signed.psbt"));
    let txid = transaction.compute_txid();
    assert_eq!(submitted["submitted"][0]["txid"], txid.to_string());
    mine(core, 1);
    assert!(core.block(None).txdata.contains(&transaction), "{name} is mined");
    office.node("sync");
}

/// The same with one bit of the last input's signature changed.
fn forged(transaction: &Transaction) -> Transaction {
    let mut forged = transaction.clone();
    let witness = &mut forged.input.last_mut().unwrap().witness;
    let mut items = witness.to_vec();
    items[0][40] ^= 1;
    *witness = Witness::from_slice(&items);
    forged
}

/// Gives the wallet so many coins at as many addresses, from a mature block reward of the embedded miner's key.
fn fund(core: &Bitcoind, wallet: &Wallet, count: usize) {
    mine(core, 101);
    let block = core.block(Some(1));
    let reward = &block.txdata[0];
    let output = |index| TxOut {
        value: COIN,
        script_pubkey: wallet.script(Keypath { branch: Branch::External, index }).unwrap(),
    };
    let mut outputs: Vec<_> = (0..u32::try_from(count).unwrap()).map(output).collect();
    let given: Amount = outputs.iter().map(|output| output.value).sum();
    let value = reward.output[0].value - given - Amount::from_sat(100_000);
    outputs.push(TxOut { value, script_pubkey: miner_script().unwrap() });
    let transaction = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(reward.compute_txid(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        }],
        output: outputs,
    };
    core.rpc("sendrawtransaction", &[&serialize_hex(&signed_by_miner(transaction, &reward.output[0]))]);
    mine(core, 1);
}

fn signed_by_miner(mut transaction: Transaction, spent: &TxOut) -> Transaction {
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&MINER_KEY).unwrap();
    let sighash = SighashCache::new(&transaction)
        .p2wpkh_signature_hash(0, &spent.script_pubkey, spent.value, EcdsaSighashType::All)
        .unwrap();
    let signature = secp.sign_ecdsa(&Message::from_digest(sighash.to_byte_array()), &key);
    let public = CompressedPublicKey(key.public_key(&secp));
    transaction.input[0].witness = Witness::p2wpkh(&ecdsa::Signature::sighash_all(signature), &public.0);
    transaction
}

fn mine(core: &Bitcoind, count: u32) {
    let to = Address::from_script(&miner_script().unwrap(), Network::Regtest).unwrap().to_string();
    core.rpc("generatetoaddress", &[&count.to_string(), &to]);
}
