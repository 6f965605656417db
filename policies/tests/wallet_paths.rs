//! What a wallet says of its spending paths, held against miniscript's own planner.

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::transaction::Version;
use bitcoin::{Network, Sequence};
use miniscript::DescriptorPublicKey;
use miniscript::plan::Assets;
use policies::wallet::{Branch, Keypath, Locks, Wallet};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::OnceLock;

const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn keys() -> [String; 5] {
    let secp = Secp256k1::new();
    [1u8, 2, 3, 4, 5].map(|seed| {
        let master = Xpriv::new_master(Network::Regtest, &[seed; 32]).unwrap();
        let path: DerivationPath = "48h/1h/0h/2h".parse().unwrap();
        let account = Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap());
        format!("[{}/48'/1'/0'/2']{account}/<0;1>/*", master.fingerprint(&secp))
    })
}

fn wallets() -> &'static [Wallet] {
    static WALLETS: OnceLock<Vec<Wallet>> = OnceLock::new();
    WALLETS.get_or_init(|| {
        let [a, b, c, d, e] = keys();
        let recovery = format!("and_v(v:pkh({c}),older(144))");
        [
            format!("wpkh({a})"),
            format!("sh(sortedmulti(2,{a},{b},{c}))"),
            format!("wsh(multi(2,{a},{b},{c}))"),
            format!("wsh(or_d(multi(2,{a},{b}),{recovery}))"),
            format!("wsh(or_i(and_v(v:pkh({d}),older(1000)),or_d(pk({a}),{recovery})))"),
            format!("wsh(andor(pk({a}),after(800000),and_v(v:pk({b}),pk({c}))))"),
            format!("wsh(thresh(3,pk({a}),s:pk({b}),s:pk({c}),sln:older(10)))"),
            format!("wsh(and_v(v:sha256({HASH}),pk({a})))"),
            format!("wsh(or_d(pk({a}),and_v(v:pk({b}),after(1700000000))))"),
            format!("tr({a},{{multi_a(2,{b},{c},{d}),and_v(v:pk({e}),older(4194305))}})"),
            format!(
                "tr(50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0,{{pk({a}),{{multi_a(2,{b},{c}),and_v(v:pk({d}),after(500))}}}})"
            ),
        ]
        .iter()
        .map(|descriptor| Wallet::new(Network::Regtest, &[descriptor]).unwrap())
        .collect()
    })
}

/// Whether miniscript finds a satisfaction with these places' keys, every preimage, and these locks.
fn plans(wallet: &Wallet, signed: &BTreeSet<usize>, locks: &Locks) -> bool {
    let definite = wallet.definite(Keypath { branch: Branch::External, index: 3 }).unwrap();
    let mut assets = Assets::new().add(HASH.parse::<bitcoin::hashes::sha256::Hash>().unwrap());
    for key in signed.iter().filter_map(|place| wallet.key_at(*place)) {
        let text = format!("{key}/<0;1>/*");
        assets = assets.add(text.parse::<DescriptorPublicKey>().unwrap());
    }
    if locks.version.0 >= 2
        && let Some(age) = locks.sequence.to_relative_lock_time()
    {
        assets = assets.older(age);
    }
    if locks.sequence.enables_absolute_lock_time() {
        assets = assets.after(locks.lock_time);
    }
    definite.plan_mall(&assets).is_ok()
}

prop_compose! {
    fn any_locks()(
        version in 1i32..=2,
        lock_time in prop_oneof![
            Just(0u32), 490u32..510, 799_999u32..=800_001, 1_699_999_999u32..=1_700_000_001, any::<u32>(),
        ],
        sequence in prop_oneof![
            0u32..20, 143u32..146, 999u32..1_002, 4_194_303u32..4_194_307, 0xffff_fffcu32..=0xffff_ffff, any::<u32>(),
        ],
    ) -> Locks {
        Locks {
            version: Version(version),
            lock_time: LockTime::from_consensus(lock_time),
            sequence: Sequence(sequence),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_path_is_met_exactly_when_miniscript_finds_a_plan(
        at in 0usize..11, mask in 0u8..32, locks in any_locks(),
    ) {
        let wallet = &wallets()[at];
        let signed: BTreeSet<usize> = (0..wallet.places().len()).filter(|place| mask >> place & 1 == 1).collect();
        let met = wallet.paths().iter().any(|path| path.is_met_by(&signed, &locks));
        prop_assert_eq!(met, plans(wallet, &signed, &locks), "{:?} {:?} {:?}", wallet, signed, locks);
    }

    #[test]
    fn a_key_counts_exactly_when_some_plan_needs_it(at in 0usize..11, locks in any_locks()) {
        let wallet = &wallets()[at];
        let places = wallet.places().len();
        let sets = || (0u32..1 << places).map(|mask| -> BTreeSet<usize> {
            (0..places).filter(|place| mask >> place & 1 == 1).collect()
        });
        for place in (0..places).filter(|place| wallet.key_at(*place).is_some()) {
            // Some set of signatures is enough with it and not without it.
            let needed = sets().filter(|set| !set.contains(&place)).any(|without| {
                let mut with = without.clone();
                with.insert(place);
                plans(wallet, &with, &locks) && !plans(wallet, &without, &locks)
            });
            let counts = wallet.paths().iter().any(|path| path.signers(&locks).contains(&place));
            prop_assert!(counts || !needed, "place {} of {:?} under {:?}", place, wallet, locks);
        }
    }
}
