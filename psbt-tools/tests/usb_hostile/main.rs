//! Sticks that were made to do harm: each ends with its reason; nothing outside one is read, nothing is overwritten.

mod failing;
mod fat;
mod ground;
mod mounts;
mod moving;
mod old_kernel;
mod stick;
mod table;
mod trees;

use table::Table;

#[test]
fn every_hostile_tree_ends_with_its_reason() {
    let mut table = Table::default();
    trees::links(&mut table);
    trees::kinds(&mut table);
    trees::names(&mut table);
    trees::crowds(&mut table);
    trees::sidecars(&mut table);
    table.end(110);
}

#[test]
fn what_is_swapped_while_it_is_read_never_leads_outside() {
    let mut table = Table::default();
    moving::swapped(&mut table);
    table.end(4);
}

#[test]
fn every_failing_stick_ends_with_its_reason() {
    let mut table = Table::default();
    failing::reading(&mut table);
    failing::writing(&mut table);
    failing::hanging(&mut table);
    table.end(25);
}

#[test]
fn mounts_are_not_crossed_and_full_or_protected_sticks_say_so() {
    let mut table = Table::default();
    mounts::mounts(&mut table);
    table.end(10);
}
