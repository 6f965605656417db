//! Taproot outputs and key path spends: BIP341's wallet vectors.

use super::{rows, text, vectors};
use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::hex::FromHex;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{Keypair, Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::taproot::{LeafVersion, TapNodeHash, TaprootBuilder, TaprootSpendInfo};
use bitcoin::{Address, Amount, Network, ScriptBuf, Transaction, TxOut, XOnlyPublicKey, taproot};
use miniscript::Descriptor;
use serde_json::Value;

/// Adds a tree's leaves in their order.
fn add(builder: TaprootBuilder, tree: &Value, depth: u8) -> TaprootBuilder {
    if let Some(pair) = tree.as_array() {
        return pair.iter().fold(builder, |builder, half| add(builder, half, depth + 1));
    }
    let version = u8::try_from(tree["leafVersion"].as_u64().unwrap()).unwrap();
    let script = ScriptBuf::from_hex(text(tree, "script")).unwrap();
    builder.add_leaf_with_ver(depth, script, LeafVersion::from_consensus(version).unwrap()).unwrap()
}

/// The tree as descriptors write it, where every leaf is `pk(KEY)` of BIP342's leaf version.
fn as_descriptor(tree: &Value) -> Option<String> {
    if let Some(pair) = tree.as_array() {
        let halves: Option<Vec<_>> = pair.iter().map(as_descriptor).collect();
        return Some(format!("{{{}}}", halves?.join(",")));
    }
    let key = text(tree, "script").strip_prefix("20")?.strip_suffix("ac")?;
    (tree["leafVersion"] == 192).then(|| format!("pk({key})"))
}

fn spend_info(internal: XOnlyPublicKey, tree: &Value) -> TaprootSpendInfo {
    let secp = Secp256k1::verification_only();
    if tree.is_null() {
        return TaprootSpendInfo::new_key_spend(&secp, internal, None);
    }
    add(TaprootBuilder::new(), tree, 0).finalize(&secp, internal).unwrap()
}

#[test]
fn bip341_outputs_are_made_as_stated() {
    let Some(file) = vectors("bip341_wallet.json") else { return };
    let (mut outputs, mut blocks, mut described) = (0, 0, 0);
    for row in rows(&file["scriptPubKey"]) {
        let (given, inner, expected) = (&row["given"], &row["intermediary"], &row["expected"]);
        let internal: XOnlyPublicKey = text(given, "internalPubkey").parse().unwrap();
        let tree = &given["scriptTree"];
        let info = spend_info(internal, tree);
        assert_eq!(info.merkle_root().map(|root| root.to_string()).as_deref(), inner["merkleRoot"].as_str());
        assert_eq!(info.tap_tweak().to_string(), text(inner, "tweak"));
        assert_eq!(info.output_key().to_string(), text(inner, "tweakedPubkey"));
        let script = ScriptBuf::new_p2tr_tweaked(info.output_key());
        assert_eq!(script.to_hex_string(), text(expected, "scriptPubKey"));
        let address = Address::from_script(&script, Network::Bitcoin).unwrap();
        assert_eq!(address.to_string(), text(expected, "bip350Address"));
        for (leaf, stated) in
            leaves(tree).into_iter().zip(expected["scriptPathControlBlocks"].as_array().into_iter().flatten())
        {
            let block = info.control_block(&leaf).unwrap();
            let bytes = Vec::<u8>::from_hex(stated.as_str().unwrap()).unwrap();
            assert_eq!(block.serialize(), bytes);
            blocks += 1;
        }
        let tree = if tree.is_null() {
            Some(String::new())
        } else {
            as_descriptor(tree).map(|tree| format!(",{tree}"))
        };
        if let Some(tree) = tree {
            let descriptor: Descriptor<XOnlyPublicKey> = format!("tr({internal}{tree})").parse().unwrap();
            assert_eq!(descriptor.script_pubkey(), script);
            described += 1;
        }
        outputs += 1;
    }
    assert_eq!(outputs, 7);
    eprintln!(
        "bip341: {outputs} outputs, {blocks} control blocks as stated; {described} of the outputs by descriptors as well"
    );
}

fn leaves(tree: &Value) -> Vec<(ScriptBuf, LeafVersion)> {
    if let Some(pair) = tree.as_array() {
        return pair.iter().flat_map(leaves).collect();
    }
    let Some(version) = tree["leafVersion"].as_u64() else { return Vec::new() };
    let version = LeafVersion::from_consensus(u8::try_from(version).unwrap()).unwrap();
    vec![(ScriptBuf::from_hex(text(tree, "script")).unwrap(), version)]
}

#[test]
fn bip341_key_path_spends_are_signed_as_stated() {
    let Some(file) = vectors("bip341_wallet.json") else { return };
    let secp = Secp256k1::new();
    let mut count = 0;
    for case in rows(&file["keyPathSpending"]) {
        let transaction: Transaction = deserialize_hex(text(&case["given"], "rawUnsignedTx")).unwrap();
        let coins: Vec<TxOut> = rows(&case["given"]["utxosSpent"])
            .iter()
            .map(|coin| TxOut {
                script_pubkey: ScriptBuf::from_hex(text(coin, "scriptPubKey")).unwrap(),
                value: Amount::from_sat(coin["amountSats"].as_u64().unwrap()),
            })
            .collect();
        let mut cache = SighashCache::new(&transaction);
        for input in rows(&case["inputSpending"]) {
            let (given, inner) = (&input["given"], &input["intermediary"]);
            let at = usize::try_from(given["txinIndex"].as_u64().unwrap()).unwrap();
            let kind =
                TapSighashType::from_consensus_u8(u8::try_from(given["hashType"].as_u64().unwrap()).unwrap())
                    .unwrap();
            let hash = cache.taproot_key_spend_signature_hash(at, &Prevouts::All(&coins), kind).unwrap();
            assert_eq!(hash.to_string(), text(inner, "sigHash"));
            let pair = Keypair::from_seckey_str(&secp, text(given, "internalPrivkey")).unwrap();
            assert_eq!(pair.x_only_public_key().0.to_string(), text(inner, "internalPubkey"));
            let root = given["merkleRoot"].as_str().map(|root| root.parse::<TapNodeHash>().unwrap());
            let tweaked = pair.tap_tweak(&secp, root).to_keypair();
            assert_eq!(tweaked.secret_key().display_secret().to_string(), text(inner, "tweakedPrivkey"));
            let message = Message::from_digest(hash.to_byte_array());
            let signature = taproot::Signature {
                signature: secp.sign_schnorr_with_aux_rand(&message, &tweaked, &[0; 32]),
                sighash_type: kind,
            };
            let witness = input["expected"]["witness"][0].as_str().unwrap();
            assert_eq!(signature.to_vec(), Vec::<u8>::from_hex(witness).unwrap());
            count += 1;
        }
    }
    assert_eq!(count, 7);
    eprintln!("bip341: {count} key path spends with the stated hash, tweaked key and signature");
}
