//! Kill -9 of every program at every step of a payment on Bitcoin Core, then the step again: exactly one payment, and
//! books that agree.

mod cycle;
mod sites;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use airlock_tests::bitcoind::Bitcoind;
use airlock_tests::office::Office;
use airlock_tests::programs::has;
use cycle::{Chain, STEPS, Step, assert_explained};
use serde_json::Value;
use sites::{Site, Whom, kill_after, kill_at, sites};

/// Most kills of all processes at the sites of a step in a run that is not `AIRLOCK_LONG`; half as many of each
/// process alone.
const SAMPLE: usize = 14;

/// The same where a vault signs: opening it takes a second.
const SIGN_SAMPLE: usize = 8;

/// The same where a vault is only read.
const RECEIPTS_SAMPLE: usize = 4;

/// Where the moments of random kills begin.
const SEED: u64 = 0x5eed_a1e0_c0ff_ee11;

/// A kill.
#[derive(Clone, Debug)]
enum Blow {
    At(Site, Whom),
    After(Duration),
}

/// A step that was found undisturbed: the state before it, its command, and what it leaves.
struct Undisturbed {
    step: Step,
    before: Office,
    line: String,
    left: Value,
}

/// How many there were.
#[derive(Default)]
struct Count {
    all: AtomicUsize,
    one: AtomicUsize,
    random: AtomicUsize,
    /// Killed and done already: the output was there.
    done: AtomicUsize,
    /// Hidden temporary files that stay behind.
    parts: AtomicUsize,
}

#[test]
fn a_cycle_killed_anywhere_and_resumed_pays_exactly_once_and_the_books_agree() {
    let office = Office::open();
    if !has("strace") || !office.found_company() {
        return;
    }
    let Some(core) = Bitcoind::start() else { return };
    let is_long = std::env::var("AIRLOCK_LONG").is_ok_and(|value| value == "1");
    let mut chain = Chain::found(core, &office);
    let mut random = SEED;
    let mut found: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut to_rewind = Vec::new();

    for step in STEPS {
        let begun = Instant::now();
        if step == Step::Settle {
            chain.mine();
        }
        let before = office.copy();
        let line = step.line(&office);
        let (all, said) = sites(&office, &line);
        assert_eq!(said.code, 0, "{line}: {said:?}");
        let undisturbed = Undisturbed { step, before, left: step.left(&office, &chain), line };
        let blows = blows(&undisturbed, &all, is_long, &mut random);
        for site in &all {
            found.entry(site.process.clone()).or_default().0 += 1;
        }
        for site in distinct(&blows) {
            found.entry(site.process.clone()).or_default().1 += 1;
        }
        let count = Count::default();
        if step == Step::Submit {
            // A relay that was told once would hide what is lost.
            for blow in &blows {
                chain.forget_mempool();
                undisturbed.survive(blow, &chain, &count);
            }
        } else {
            two_at_once(&blows, |blow| undisturbed.survive(blow, &chain, &count));
        }
        let ends = ends(&blows, is_long);
        if step.is_mined() {
            two_at_once(&ends, |end| undisturbed.to_the_end(end, &chain));
        } else {
            to_rewind.push((undisturbed, ends));
        }
        eprintln!(
            "{step:?}: {} sites; killed all at {}, one at {}, at random {}; the output was there after {}, a hidden \
             temporary file after {}; {:.1} s",
            all.len(),
            count.all.into_inner(),
            count.one.into_inner(),
            count.random.into_inner(),
            count.done.into_inner(),
            count.parts.into_inner(),
            begun.elapsed().as_secs_f32()
        );
    }
    chain.assert_paid_once(&office);
    for (process, (found, hit)) in found {
        eprintln!("{process}: {found} kill sites, {hit} hit");
    }
    for (undisturbed, ends) in &to_rewind {
        for end in ends {
            chain.rewind();
            undisturbed.to_the_end(end, &chain);
        }
    }
}

impl Undisturbed {
    /// Kills the step on a copy of the state before it, resumes it, and finds what the undisturbed run left.
    fn survive(&self, blow: &Blow, chain: &Chain, count: &Count) {
        let office = self.before.copy();
        let (step, line) = (self.step, &self.line);
        match blow {
            Blow::At(site, whom) => {
                let killed = kill_at(&office, line, site, *whom);
                assert!(killed.hit, "{step:?}: {site} was not reached");
                let killed_count = if *whom == Whom::All { &count.all } else { &count.one };
                killed_count.fetch_add(1, Ordering::Relaxed);
                // The parent of a child that was killed says so and leaves no output, or it needed the child no more.
                if let Some(said) = killed.said {
                    let is_there = step.output().is_some_and(|output| office.path(output).exists());
                    assert_eq!(said.code == 0, is_there, "{site}: {said:?}");
                    if said.code != 0 {
                        assert_explained(&said, &site.process);
                    }
                }
            }
            Blow::After(after) => {
                count.random.fetch_add(usize::from(kill_after(&office, line, *after)), Ordering::Relaxed);
            }
        }
        let names = office.names();
        let parts = names.iter().filter(|name| name.ends_with(".part")).count();
        assert!(parts <= 1, "{names:?}");
        count.parts.fetch_add(parts, Ordering::Relaxed);
        let is_done = step.output().is_some_and(|output| office.path(output).exists());
        count.done.fetch_add(usize::from(is_done), Ordering::Relaxed);
        step.resume(&office, line);
        assert_eq!(step.left(&office, chain), self.left, "{step:?} after {blow:?}");
    }

    /// Kills all processes of the step, resumes it, and runs the rest of the cycle.
    fn to_the_end(&self, site: &Site, chain: &Chain) {
        let office = self.before.copy();
        assert!(kill_at(&office, &self.line, site, Whom::All).hit, "{site} was not reached");
        self.step.resume(&office, &self.line);
        for step in STEPS.iter().skip_while(|step| **step != self.step).skip(1) {
            if *step == Step::Settle {
                chain.mine();
            }
            let line = step.line(&office);
            let said = office.run(&line);
            assert_eq!(said.code, 0, "{line} after {:?} was killed at {site}: {said:?}", self.step);
        }
        chain.assert_paid_once(&office);
    }
}

/// The kills of a step: of all processes, of one that has others, and at random moments.
fn blows(undisturbed: &Undisturbed, all: &[Site], is_long: bool, random: &mut u64) -> Vec<Blow> {
    let most = match undisturbed.step {
        _ if is_long => usize::MAX,
        Step::Sign => SIGN_SAMPLE,
        Step::Receipts => RECEIPTS_SAMPLE,
        _ => SAMPLE,
    };
    let mut blows: Vec<_> = sample(all, most).into_iter().map(|site| Blow::At(site, Whom::All)).collect();
    if all.iter().any(|site| !site.is_parent) {
        let mut processes: Vec<_> = all.iter().map(|site| &site.process).collect();
        processes.sort();
        processes.dedup();
        for process in processes {
            let own: Vec<_> = all.iter().filter(|site| site.process == *process).cloned().collect();
            blows.extend(sample(&own, most / 2).into_iter().map(|site| Blow::At(site, Whom::One)));
        }
    }
    let office = undisturbed.before.copy();
    let begun = Instant::now();
    office.run(&undisturbed.line);
    let whole = begun.elapsed();
    for _ in 0..if is_long { 20 } else { 2 } {
        // Knuth's linear congruential generator (MMIX); its upper bits are the better ones.
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let permille = u32::try_from((*random >> 33) % 1_000).unwrap();
        blows.push(Blow::After(whole * permille / 1_000));
    }
    blows
}

/// At most so many sites: the first and last of each kind first of all, then evenly.
fn sample(all: &[Site], most: usize) -> Vec<Site> {
    if all.len() <= most {
        return all.to_vec();
    }
    let kind = |site: &Site| (site.process.clone(), site.call.clone(), site.target.clone());
    let ends: Vec<_> = all
        .iter()
        .enumerate()
        .filter(|(at, site)| {
            let alike = |other: &&Site| kind(other) == kind(site);
            !all[..*at].iter().any(|other| alike(&other)) || !all[at + 1..].iter().any(|other| alike(&other))
        })
        .map(|(_, site)| site.clone())
        .collect();
    if ends.len() <= most {
        return ends;
    }
    (0..most).map(|n| ends[n * (ends.len() - 1) / most.saturating_sub(1).max(1)].clone()).collect()
}

/// The sites of these kills, each once.
fn distinct(blows: &[Blow]) -> Vec<&Site> {
    let mut seen: Vec<&Site> = Vec::new();
    for blow in blows {
        if let Blow::At(site, _) = blow
            && !seen.contains(&site)
        {
            seen.push(site);
        }
    }
    seen
}

/// After which kills the whole rest of the cycle is run.
fn ends(blows: &[Blow], is_long: bool) -> Vec<Site> {
    let all: Vec<_> = blows
        .iter()
        .filter_map(|blow| match blow {
            Blow::At(site, Whom::All) => Some(site.clone()),
            Blow::At(_, Whom::One) | Blow::After(_) => None,
        })
        .collect();
    match is_long {
        true => [0, all.len() / 2, all.len() - 1].map(|at| all[at].clone()).to_vec(),
        // In the later half of a step something was promised already.
        false => vec![all[all.len() * 2 / 3].clone()],
    }
}

/// Two at once: most of a kill is waiting for the tracer.
fn two_at_once<T: Sync>(all: &[T], each: impl Fn(&T) + Sync) {
    let next = Mutex::new(all.iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let one = next.lock().unwrap().next();
                    let Some(one) = one else { return };
                    each(one);
                }
            });
        }
    });
}
