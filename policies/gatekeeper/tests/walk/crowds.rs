//! Many gatekeepers over one ledger: payments of random sizes against one sliding window.

use crate::office::{Office, Payment, Said, said};
use bitcoin::Amount;
use policies::permit::{PermitStatement, vault_id};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const FEE: u64 = 10_000;

/// Sizes of payments in satoshi, the same in every run (SplitMix64, Steele et al. 2014).
fn sizes(count: usize) -> Vec<u64> {
    let mut state = 0x5eed_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..count).map(|_| 500_000 + next() % 5_500_000).collect()
}

/// An office whose window holds half of all that will be asked for.
fn office_with_window(limit: u64) -> Option<Office> {
    let office = Office::without_ledger()?;
    let policy = std::fs::read_to_string(office.path("policy.toml")).unwrap();
    let amount = Amount::from_sat(limit).to_string_with_denomination(bitcoin::Denomination::Bitcoin);
    let window = format!("amount = \"{amount}\" }}");
    assert!(policy.contains("amount = \"2 BTC\", count = 20 }"));
    office.write("policy.toml", policy.replace("amount = \"2 BTC\", count = 20 }", &window));
    office.run(&["init", "--policy", "policy.toml", "--permit-key", "permit"]).done();
    office.vault("audit", "savings.json");
    office.run(&["vault", "add", "savings.json"]).done();
    Some(office)
}

#[test]
fn a_crowd_of_gatekeepers_never_exceeds_a_window_and_leaves_one_chain() {
    let long = std::env::var("AIRLOCK_LONG").is_ok_and(|value| value == "1");
    let count = if long { 1_000 } else { 64 };
    let sizes = sizes(count);
    let limit = sizes.iter().map(|sat| sat + FEE).sum::<u64>() / 2;
    let Some(office) = office_with_window(limit) else { return };
    for (at, sat) in sizes.iter().enumerate() {
        let number = u32::try_from(at + 1).unwrap();
        office.requested(&Payment { fee: FEE, ..Payment::new(number, *sat) }, &format!("{number}.psbt"));
    }
    for crowd in [2, 4, 8, 16] {
        let started = Instant::now();
        let folder = format!("crowd-{crowd}");
        let outcome = submit_all(&office, &folder, crowd, count);
        let took = started.elapsed();
        let sum = judge_crowd(&office, &folder, &outcome, &sizes, limit);
        let permitted = outcome.iter().filter(|said| said.code == 0).count();
        eprintln!(
            "{crowd} gatekeepers, {count} payments: {permitted} permitted, {} refused for the window; {sum} of {limit} sat; \
             {took:.1?}",
            count - permitted
        );
    }
}

/// Submits every payment to a copy of the ledger, by as many processes at any time as the crowd counts.
fn submit_all(office: &Office, folder: &str, crowd: usize, count: usize) -> Vec<Said> {
    std::fs::create_dir(office.path(folder)).unwrap();
    let ledger = office.path(folder).join("ledger");
    std::fs::create_dir(&ledger).unwrap();
    for name in ["ledger.sqlite", "authority.pub", "permit-key.path"] {
        std::fs::copy(office.path("ledger").join(name), ledger.join(name)).unwrap();
    }
    let next = AtomicUsize::new(1);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number > count {
                return done;
            }
            let request = format!("../{number}.psbt");
            let arguments = ["submit", &request, "-o", &out_name(number), "--json"];
            done.push((number, run(office, folder, &arguments)));
        }
    };
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..crowd).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, said)| said).collect()
}

fn run(office: &Office, folder: &str, arguments: &[&str]) -> Said {
    said(office.command(arguments).current_dir(office.path(folder)).output().unwrap())
}

fn out_name(number: usize) -> String {
    format!("{number}-permitted.psbt")
}

/// Holds what every process said against the limit, the ledger and the permits. Gives the permitted sum.
fn judge_crowd(office: &Office, folder: &str, outcome: &[Said], sizes: &[u64], limit: u64) -> u64 {
    let mut statements = Vec::new();
    let mut refused = Vec::new();
    for (at, said) in outcome.iter().enumerate() {
        let out = Path::new(folder).join(out_name(at + 1)).display().to_string();
        if said.code == 0 {
            let statement = office.permit(&out).statement;
            assert_eq!(statement.outflow.to_sat(), sizes[at] + FEE);
            statements.push(statement);
        } else {
            assert_eq!(said.refusals(), ["limit-per-window"]);
            assert!(!office.exists(&out));
            refused.push(sizes[at] + FEE);
        }
    }
    let sum: u64 = statements.iter().map(|statement| statement.outflow.to_sat()).sum();
    assert!(sum <= limit, "{sum} sat left through a window of {limit}");
    // Nothing leaves the window during the test: what did not fit then does not fit now.
    assert!(refused.iter().all(|outflow| sum + outflow > limit), "refused although it fits");
    assert!(!refused.is_empty() && !statements.is_empty());

    let shown = run(office, folder, &["show", "--json"]).done().json();
    let payments = shown["payments"].as_array().unwrap();
    assert!(payments.iter().all(|payment| payment["state"] == "permitted"));
    assert_eq!(payments.len(), statements.len());
    assert_eq!(payments.iter().map(|payment| payment["outflow_sat"].as_u64().unwrap()).sum::<u64>(), sum);
    // Founded, vault added, and reserved and permitted for each.
    let events = run(office, folder, &["log", "verify", "--json"]).done().json()["events"].as_u64();
    assert_eq!(events, Some(2 + 2 * u64::try_from(statements.len()).unwrap()));
    one_chain(office, statements);
    sum
}

fn one_chain(office: &Office, mut statements: Vec<PermitStatement>) {
    let vault = vault_id(&office.key("audit"));
    statements.sort_by_key(|statement| statement.vaults[0].sequence);
    let mut previous = [0; 32];
    for (statement, sequence) in statements.iter().zip(1..) {
        let [place] = statement.vaults[..] else { panic!("one vault: {:?}", statement.vaults) };
        assert_eq!((place.vault, place.sequence, place.previous), (vault, sequence, previous));
        previous = statement.chain_after(vault).unwrap();
    }
}
