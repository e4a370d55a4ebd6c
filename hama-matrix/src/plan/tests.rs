//! Plans as values: every product is computed once, every tile comes from one reader, memory is kept.

use std::collections::{BTreeMap, BTreeSet};

use hama_core::ErrorKind;
use hama_hdfs::{ElementType, Extent, TableSpec, TileIndex};
use proptest::prelude::*;

use super::steps::Step;
use super::*;
use crate::problem::Operand;

fn problem(m: u64, n: u64, k: u64) -> Problem {
    let extent = |rows, cols| Extent { rows, cols };
    Problem::new(ElementType::F64, (extent(m, k), false), (extent(k, n), false)).unwrap()
}

/// A (n x k) times its own transpose.
fn symmetric(n: u64, k: u64) -> Problem {
    let extent = Extent { rows: n, cols: k };
    let problem = Problem::new(ElementType::F64, (extent, false), (extent, true)).unwrap();
    Problem { symmetric: true, ..problem }
}

fn resources(peers: u64, memory_bytes: u64) -> Resources {
    Resources {
        peers,
        hosts: 1,
        memory_bytes,
        by_reference: true,
        rates: Rates::default(),
        kernel: KernelId::Portable,
        grid: None,
    }
}

/// Walks through a plan as the peers do, and checks what it must hold.
fn check(plan: &Plan) {
    let tiles = plan.problem.tiles();
    let mut products = BTreeSet::new();
    let mut reads = BTreeMap::new();
    let mut held: Vec<Read> = vec![Read::new(); plan.peer_count()];
    let mut walk = Vec::new();
    for (index, step) in (0..plan.step_count()).map(|index| plan.step(index)).enumerate() {
        let mut at_hand = Vec::new();
        let mut readers = BTreeMap::new();
        for peer in 0..plan.grid.peer_count() {
            let work = plan.work(peer, step);
            let needs = plan.needs(peer, step);
            for need in &needs {
                assert!(need.sharers.contains(&peer) && need.sharers.contains(&need.reader));
                let before = held[peer as usize].insert((need.operand, need.tile), index);
                assert!(before.is_none(), "{need:?} is held already");
                // All that share a tile agree about who reads it and who gets it.
                let known = readers.entry((need.operand, need.tile)).or_insert_with(|| need.clone());
                assert_eq!(known, need);
            }
            for row in work.rows.clone() {
                for col in work.cols.clone().filter(|&col| plan.problem.computes(row, col)) {
                    for inner in work.inner.clone() {
                        assert!(
                            products.insert((row, col, inner)),
                            "({row}, {col}, {inner}) is computed twice"
                        );
                        let held = &held[peer as usize];
                        assert!(held.contains_key(&(Operand::A, TileIndex { row, col: inner })));
                        assert!(held.contains_key(&(Operand::B, TileIndex { row: inner, col })));
                    }
                }
            }
            at_hand.push(held[peer as usize].clone());
            if !work.is_empty() {
                let ends = plan.ends_strip(peer, step);
                held[peer as usize].retain(|(operand, tile), _| {
                    let inner = if *operand == Operand::A { tile.col } else { tile.row };
                    !work.inner.contains(&inner) || (plan.keeps(*operand) && !ends)
                });
            }
        }
        walk.push(at_hand);
        for key in readers.into_keys() {
            *reads.entry(key).or_insert(0) += 1;
        }
    }
    let computed = if plan.problem.symmetric { tiles.m * (tiles.m + 1) / 2 } else { tiles.m * tiles.n };
    assert_eq!(products.len() as u64, computed * tiles.k, "all products are computed");
    assert!(held.iter().all(Read::is_empty), "nothing is held at the end");
    let (repeat_a, repeat_b) = plan.loops().cuts(&plan.problem).repeats(plan.stationary);
    for ((operand, _), count) in reads {
        assert!(count <= if operand == Operand::A { repeat_a } else { repeat_b }, "read {count} times");
    }
    check_factors(plan, &walk);
    check_shards(plan);
    check_tiles_of_c(plan);
}

/// Tiles of factors, each with the step that it was read for.
type Read = BTreeMap<(Operand, TileIndex), usize>;

/// Tiles of factors that peers hold, which are at most a step apart. `walk` has those that each peer holds when it
/// multiplies a step.
fn check_factors(plan: &Plan, walk: &[Vec<Read>]) {
    let loops = plan.loops();
    let [a, b, _] = plan.problem.tile_bytes().map(|bytes| hama_core::Pool::cost(bytes as usize) as u64);
    let bytes = |tiles: BTreeSet<((Operand, TileIndex), usize)>| {
        tiles.iter().map(|((operand, _), _)| if *operand == Operand::A { a } else { b }).sum::<u64>()
    };
    let most = |by_reference| {
        let memory = MemoryUse::of(&plan.problem, &loops, &loops.cuts(&plan.problem), by_reference);
        memory.panels_bytes + memory.resident_bytes
    };
    let (copied_most, read_most) = (most(false), most(true));
    let needs = |peer: u64, step: usize| {
        if step < walk.len() { plan.needs(peer, plan.step(step as u64)) } else { Vec::new() }
    };
    let needed =
        |peer, step| needs(peer, step).into_iter().map(move |need| ((need.operand, need.tile), step));
    let read_by = |peer, step| {
        let own = needs(peer, step).into_iter().filter(move |need| need.reader == peer);
        own.map(move |need| ((need.operand, need.tile), step))
    };
    let peers = plan.grid.peer_count();
    for (step, at_hand) in walk.iter().enumerate() {
        // Copied: what is at hand, and the next two steps, where others are ahead.
        for peer in 0..peers {
            let held = at_hand[peer as usize].iter().map(|(tile, step)| (*tile, *step));
            let copied = bytes(held.chain(needed(peer, step + 1)).chain(needed(peer, step + 2)).collect());
            assert!(
                copied <= copied_most,
                "peer {peer} has {copied} > {copied_most} in step {step} of {loops:?}"
            );
        }
        // By reference: what any of them has at hand, has passed on for the next step and reads for the one after,
        // where all are in step, or one is ahead or behind.
        let all = |ahead: &dyn Fn(u64) -> bool| {
            let mut alive = BTreeSet::new();
            for peer in 0..peers {
                let step = step + usize::from(ahead(peer));
                let held = walk.get(step).map(|at_hand| &at_hand[peer as usize]);
                alive.extend(held.into_iter().flatten().map(|(tile, step)| (*tile, *step)));
                alive.extend(read_by(peer, step + 1).chain(read_by(peer, step + 2)));
            }
            bytes(alive)
        };
        let some = (0..peers).flat_map(|one| [all(&|peer| peer == one), all(&|peer| peer != one)]);
        let alive = some.fold(all(&|_| false), u64::max);
        assert!(alive <= read_most * peers, "{alive} > {read_most} x {peers} in step {step} of {loops:?}");
    }
}

/// Tiles of C that a peer holds, counted as the program holds them: sums of the piece at hand, tiles that wait to be
/// written, those that others sent, to be added up or to be mirrored. What others send may come before this peer has
/// done anything in the superstep and, where it has arrived at the barrier, what they send in the next one.
fn check_tiles_of_c(plan: &Plan) {
    let loops = plan.loops();
    let memory = MemoryUse::of(&plan.problem, &loops, &loops.cuts(&plan.problem), plan.by_reference);
    let tile = hama_core::Pool::cost(plan.problem.tile_bytes()[2] as usize) as u64;
    // The reduction is counted for itself.
    let transposed_into = u64::from(plan.problem.has_mirror_images());
    let most = (memory.sums_bytes + memory.mirror_bytes) / tile - transposed_into;
    let summed_most = memory.reduce_bytes / tile;
    let peers = plan.grid.peer_count();
    let count = |at: &dyn Fn(u64) -> u64| (0..peers).map(at).collect::<Vec<u64>>();
    let computed = |peer: u64, step: Step| {
        let work = plan.work(peer, step);
        let cols = |row| {
            work.cols.clone().filter(move |&col| plan.problem.computes(row, col)).map(move |col| (row, col))
        };
        work.rows.clone().flat_map(cols).collect::<Vec<_>>()
    };
    // With p_k = 1, what those who are ahead send in the step after this one.
    let sent_ahead = |index: u64, to: u64| {
        let step = plan.step(index + 1);
        let sends = index + 1 < plan.step_count() && plan.sends_results(step);
        if !plan.problem.has_mirror_images()
            || plan.grid.k > 1
            || !sends
            || plan.sends_results(plan.step(index))
        {
            return 0;
        }
        let tiles = (0..peers).filter(|&peer| peer != to).flat_map(|peer| computed(peer, step));
        tiles.filter(|&(row, col)| row != col && plan.tile_writer(col, row) == to).count() as u64
    };
    let mut waiting = vec![0; peers as usize];
    let mut arriving = vec![0; peers as usize];
    let mut owned: Vec<Vec<(u64, u64)>> = vec![Vec::new(); peers as usize];
    for index in 0..plan.step_count() + plan.steps_after() {
        let step = plan.step(index);
        let begins = index < plan.step_count() && step.panel == 0;
        let ends = index < plan.step_count() && plan.ends_piece(step);
        let mut next = vec![0; peers as usize];
        // Partial sums that have come are added up.
        let mut done = owned;
        let mut next_owned = vec![Vec::new(); peers as usize];
        for (peer, next_owned) in next_owned.iter_mut().enumerate().filter(|_| ends) {
            for tile in computed(peer as u64, step) {
                if plan.grid.k == 1 {
                    done[peer].push(tile);
                } else if plan.tile_writer(tile.0, tile.1) == peer as u64 {
                    next_owned.push(tile);
                }
            }
            assert!(next_owned.len() as u64 * (plan.grid.k - 1) <= summed_most);
        }
        for (peer, done) in done.iter().enumerate() {
            for &(row, col) in done.iter().filter(|&&(row, col)| plan.problem.symmetric && row != col) {
                let to = plan.tile_writer(col, row);
                assert!(plan.mirrors(peer, (row, col), to));
                if to != peer as u64 {
                    next[to as usize] += 1;
                }
            }
        }
        let sums = count(&|peer| {
            if index < plan.step_count() { computed(peer, step).len() as u64 } else { 0 }
        });
        for peer in 0..peers as usize {
            // What came is handed to the writer; with p_k = 1 what is done by this step is not done yet.
            let added = if plan.grid.k > 1 { done[peer].len() as u64 } else { 0 };
            waiting[peer] += arriving[peer] + added;
            let early = if ends || plan.grid.k > 1 { next[peer] } else { 0 };
            let held = if begins { 0 } else { sums[peer] };
            assert!(
                waiting[peer] + held + early <= most,
                "before step {index} of {loops:?}: {waiting:?} {sums:?} {next:?}, {most}"
            );
            if begins {
                waiting[peer] = waiting[peer].min(plan.waiting_at_most());
            }
            let early = early + sent_ahead(index, peer as u64);
            assert!(
                waiting[peer] + sums[peer] + early <= most,
                "in step {index} of {loops:?}: {waiting:?} {sums:?} {next:?}, {most}"
            );
            if ends {
                waiting[peer] += if plan.grid.k == 1 { sums[peer] } else { 0 };
            }
            // With p_k > 1 own parts wait for those of others, and are counted as sums until then.
            arriving[peer] = next[peer];
        }
        owned = next_owned;
    }
}

/// Every shard lies in one brick and one piece, and is written by a peer of that brick.
fn check_shards(plan: &Plan) {
    let spec = TableSpec::new(plan.problem.shape(), plan.problem.element).unwrap();
    let spec = spec.with_shard(plan.shard).unwrap();
    for shard in spec.shards() {
        let writer = plan.brick(plan.writer(shard));
        let pieces: BTreeSet<(u64, u64)> = spec
            .tiles_of(shard)
            .map(|tile| {
                assert!(writer.rows.contains(&tile.row) && writer.cols.contains(&tile.col));
                let (row, col) = (tile.row - writer.rows.start, tile.col - writer.cols.start);
                (row / plan.piece.rows, col / plan.piece.cols)
            })
            .collect();
        assert_eq!(pieces.len(), 1, "{shard:?} crosses a piece of {:?}", plan.loops());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_loops_need_less_than_the_smallest_memory(
        (m, n, k) in (1u64..5000, 1u64..5000, 1u64..5000),
        (p_m, p_n, p_k) in (1u64..4, 1u64..4, 1u64..3),
        by_reference: bool,
    ) {
        let problem = problem(m, n, k);
        let (tiles, one) = (problem.tiles(), Extent { rows: 1, cols: 1 });
        let filled = |count, tiles| Runs::at_most(count, tiles).count();
        let grid = Grid { m: filled(p_m, tiles.m), n: filled(p_n, tiles.n), k: filled(p_k, tiles.k) };
        let smallest = smallest_memory(&problem, grid, by_reference);
        let given = Resources { grid: Some(grid), by_reference, ..resources(64, smallest) };
        prop_assert!(plan(problem, &given).is_ok(), "{grid} in {smallest}");
        for (rows, cols, panel) in (1..=5).flat_map(|r| (1..=5).flat_map(move |c| (1..=5).map(move |p| (r, c, p)))) {
            for stationary in [Stationary::A, Stationary::B, Stationary::C] {
                let loops = Loops { grid, stationary, piece: Extent { rows, cols }, panel, shard: one };
                if loops.are_valid(&problem) {
                    let needed = MemoryUse::of(&problem, &loops, &loops.cuts(&problem), by_reference);
                    prop_assert!(smallest <= needed.total_bytes() * grid.peer_count(), "{:?}", loops);
                }
            }
        }
    }

    #[test]
    fn plans_of_any_product_hold(
        m in 1u64..9000,
        n in 1u64..9000,
        k in 1u64..9000,
        peers in 1u64..13,
        memory in 27u32..34,
    ) {
        let (problem, resources) = (problem(m, n, k), resources(peers, 1 << memory));
        match plan(problem, &resources) {
            Ok(plan) => {
                prop_assert!(plan.grid.peer_count() <= peers);
                prop_assert!(plan.memory.total_bytes() * plan.grid.peer_count() <= resources.memory_bytes);
                prop_assert!(plan.estimate.read_bytes + plan.estimate.written_bytes >= plan.bounds.moved_bytes * 0.999);
                check(&plan);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::OutOfMemory);
                let alone = smallest_memory(&problem, Grid { m: 1, n: 1, k: 1 }, true);
                prop_assert!(alone > resources.memory_bytes);
            }
        }
    }

    #[test]
    fn plans_of_symmetric_products_hold(n in 1u64..9000, k in 1u64..9000, peers in 1u64..13, memory in 27u32..34) {
        let (problem, resources) = (symmetric(n, k), resources(peers, 1 << memory));
        let Ok(plan) = plan(problem, &resources) else {
            let whole = Problem { symmetric: false, ..problem };
            let alone = smallest_memory(&whole, Grid { m: 1, n: 1, k: 1 }, true);
            prop_assert!(alone > resources.memory_bytes);
            return Ok(());
        };
        prop_assert!(plan.memory.total_bytes() * plan.grid.peer_count() <= resources.memory_bytes);
        prop_assert!(plan.estimate.read_bytes + plan.estimate.written_bytes >= plan.bounds.moved_bytes * 0.999);
        check(&plan);
    }

    #[test]
    fn every_grid_stationary_piece_and_panel_of_a_symmetric_product_holds(
        n in 1u64..9, k in 1u64..8,
        grid_m in 1u64..5, grid_n in 1u64..5, grid_k in 1u64..4,
        rows in 1u64..5, cols in 1u64..5, panel in 1u64..4,
        stationary in prop_oneof![Just(Stationary::A), Just(Stationary::B), Just(Stationary::C)],
    ) {
        let grid = Grid { m: grid_m, n: grid_n, k: grid_k };
        let given = Resources { grid: Some(grid), ..resources(64, 1 << 40) };
        let Ok(made) = plan(symmetric(n * 1024, k * 1024), &given) else { return Ok(()) };
        let (piece, shard) = (Extent { rows, cols }, Extent { rows: 1, cols: 1 });
        check(&Plan { stationary, piece, panel, shard, ..made });
    }

    #[test]
    fn every_grid_stationary_piece_and_panel_holds(
        m in 1u64..8, n in 1u64..8, k in 1u64..8,
        grid_m in 1u64..4, grid_n in 1u64..4, grid_k in 1u64..4,
        rows in 1u64..5, cols in 1u64..5, panel in 1u64..4,
        stationary in prop_oneof![Just(Stationary::A), Just(Stationary::B), Just(Stationary::C)],
    ) {
        let problem = problem(m * 1024, n * 1024, k * 1024);
        let grid = Grid { m: grid_m, n: grid_n, k: grid_k };
        let given = Resources { grid: Some(grid), ..resources(27, 1 << 40) };
        let Ok(made) = plan(problem, &given) else { return Ok(()) };
        let (piece, shard) = (Extent { rows, cols }, Extent { rows: 1, cols: 1 });
        check(&Plan { stationary, piece, panel, shard, ..made });
    }
}

#[test]
fn half_of_a_symmetric_product_is_planned_for_all_peers() {
    for peers in [1, 2, 4, 7] {
        let make = |problem| plan(problem, &resources(peers, 6 << 30)).unwrap();
        let half = make(symmetric(8000, 8000));
        let full = make(Problem { symmetric: false, ..half.problem });
        assert!(half.estimate.compute_s < 0.56 * full.estimate.compute_s, "{peers} peers: {}", half.grid);
        assert!(half.flop() < full.flop() * 51 / 100);
        assert!(half.to_string().contains("symmetric 36 of 64 tiles"), "{half}");
        assert_ne!(half.problem.to_string(), full.problem.to_string());
        let error = half.check(&full.problem, u64::MAX, true).unwrap_err();
        assert!(error.to_string().contains("it is of"), "{error}");
    }
}

#[test]
fn a_product_with_few_panels_fits_where_its_strip_does() {
    // A strip of A is one tile, the panels at hand and ahead would be three.
    let problem = problem(1000, 40_000, 1000);
    let made = plan(problem, &resources(1, 50 << 20)).unwrap();
    assert_eq!(made.stationary, Stationary::A);
    check(&made);
}

#[test]
fn a_plan_that_counts_on_references_is_refused_where_tiles_are_copied() {
    let made = plan(problem(3000, 3000, 3000), &resources(2, 1 << 30)).unwrap();
    let made = Plan { kernel: KernelId::of_this_host(), ..made };
    made.check(&made.problem, 1 << 30, true).unwrap();
    let error = made.check(&made.problem, 1 << 30, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("by reference"), "{error}");
    Plan { by_reference: false, ..made.clone() }.check(&made.problem, 1 << 30, true).unwrap();
}

#[test]
fn all_of_a_symmetric_product_is_computed_where_memory_is_scarce() {
    let problem = symmetric(8000, 8000);
    let whole = Problem { symmetric: false, ..problem };
    for memory in [smallest_memory(&whole, Grid { m: 1, n: 1, k: 1 }, true), 128 << 20, 1 << 30] {
        let time = |problem| plan(problem, &resources(2, memory)).unwrap().estimate.total_s;
        assert!(time(problem) <= time(whole), "{memory}");
    }
    let given = resources(1, smallest_memory(&whole, Grid { m: 1, n: 1, k: 1 }, true));
    let least = plan(problem, &Resources { kernel: KernelId::of_this_host(), ..given }).unwrap();
    assert!(!least.problem.symmetric);
    least.check(&problem, least.memory_given_bytes, true).unwrap();
}

#[test]
fn a_large_symmetric_product_leaves_few_files_open() {
    let shard = |problem| plan(problem, &resources(2, 8 << 30)).unwrap().shard;
    let (large, one) = (symmetric(200_000, 4000), Extent { rows: 1, cols: 1 });
    assert_ne!(shard(symmetric(60_000, 4000)), one);
    assert_ne!(shard(Problem { symmetric: false, ..large }), one);
    assert_eq!(shard(large), one);
}

#[test]
fn the_same_arguments_give_the_same_plan() {
    let make = || plan(problem(8000, 5000, 3000), &resources(7, 1 << 30)).unwrap();
    assert_eq!(make(), make());
}

#[test]
fn a_plan_survives_being_saved() {
    let made = plan(problem(8000, 5000, 3000), &resources(7, 1 << 30)).unwrap();
    let back: Plan = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
    assert_eq!(made, back);
}

#[test]
fn two_peers_split_a_square_product_without_reading_anything_twice() {
    let made = plan(problem(4000, 4000, 4000), &resources(2, 6 << 30)).unwrap();
    assert_eq!(made.grid.peer_count(), 2);
    assert_eq!(made.grid.k, 1);
    assert_eq!(made.estimate.read_bytes, 256e6);
}

#[test]
fn a_long_inner_dimension_is_cut() {
    let made = plan(problem(100, 100, 100_000), &resources(4, 1 << 30)).unwrap();
    assert!(made.grid.k > 1 && made.grid.m == 1 && made.grid.n == 1, "{}", made.grid);
}

#[test]
fn peers_that_would_not_help_stay_idle() {
    let made = plan(problem(10, 10, 10), &resources(7, 1 << 30)).unwrap();
    assert_eq!(made.grid.peer_count(), 1);
}

#[test]
fn too_little_memory_says_how_much_is_needed_and_that_suffices() {
    let problem = problem(40_000, 40_000, 40_000);
    let given = Resources { grid: Some(Grid { m: 2, n: 1, k: 1 }), ..resources(2, 64 << 20) };
    let error = plan(problem, &given).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    let text = error.to_string();
    assert!(
        text.starts_with(
            "--memory 64MiB is too small for a (40000 x 40000) by b (40000 x 40000) with 2 peers"
        )
    );
    assert!(text.ends_with("or leave out --grid"), "{text}");
    let memory_bytes = smallest_memory(&problem, Grid { m: 2, n: 1, k: 1 }, true);
    assert!(text.contains(&crate::bytes::format_bytes(memory_bytes)));
    assert!(plan(problem, &Resources { memory_bytes, ..given }).is_ok());
    assert!(plan(problem, &Resources { memory_bytes: memory_bytes - 1, ..given }).is_err());
}

#[test]
fn grids_that_cannot_be_filled_are_refused() {
    let given = |grid| Resources { grid: Some(grid), ..resources(8, 1 << 40) };
    let refused = |grid| plan(problem(4000, 4000, 4000), &given(grid)).unwrap_err().to_string();
    assert!(refused(Grid { m: 3, n: 1, k: 1 }).contains("4 tiles along m make no 3 runs"));
    assert!(refused(Grid { m: 5, n: 1, k: 1 }).contains("try 4"));
    assert!(refused(Grid { m: 3, n: 3, k: 1 }).contains("try 2"));
    assert!(refused(Grid { m: 4, n: 4, k: 1 }).contains("has 16 peers, but there are 8: try --peers 16"));
    assert!(refused(Grid { m: u64::MAX, n: 2, k: 2 }).contains("no 18446744073709551615 runs"));
}

#[test]
fn a_plan_prints_what_it_does() {
    let made = plan(problem(4000, 4000, 4000), &resources(2, 6 << 30)).unwrap();
    let text = made.to_string();
    for part in ["product ", "grid ", "order ", "memory ", "store ", "peers ", "time ", "at least"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert_eq!(made.walk().to_string().lines().count() as u64, made.step_count() * made.grid.peer_count());
}

/// Every rate at its least and at its most.
fn extreme_rates() -> impl Iterator<Item = Rates> {
    (0..1u32 << 7).map(|bits| {
        let pick = |bit: u32, (least, most): (f64, f64)| if bits >> bit & 1 == 0 { least } else { most };
        let (per_second, seconds) = ((1e3, 1e18), (0.0, 1e5));
        Rates {
            flop_per_s: pick(0, per_second),
            read_bytes_per_s: pick(1, per_second),
            write_bytes_per_s: pick(2, per_second),
            touch_bytes_per_s: pick(3, per_second),
            seconds_per_byte: pick(4, seconds),
            superstep_s: pick(5, seconds),
            fixed_s: pick(6, seconds),
        }
    })
}

#[test]
fn extreme_rates_lead_to_plans_that_hold() {
    for rates in extreme_rates() {
        for (problem, memory) in [(problem(3000, 4000, 5000), 256 << 20), (problem(1, 9000, 1), 64 << 20)] {
            let made = plan(problem, &Resources { rates, ..resources(5, memory) }).unwrap();
            check(&made);
            assert!(made.memory.total_bytes() * made.grid.peer_count() <= memory);
            let e = &made.estimate;
            for seconds in [e.compute_s, e.touch_s, e.io_s, e.receive_s, e.sync_s, e.prologue_s, e.total_s] {
                assert!(seconds.is_finite() && seconds >= 0.0, "{e:?} by {rates:?}");
            }
        }
    }
}

#[test]
fn plans_follow_the_rates() {
    let with =
        |rates| plan(problem(4000, 4000, 4000), &Resources { rates, ..resources(2, 1 << 30) }).unwrap();
    let rates = Rates::default();
    let usual = with(rates);
    // Where a byte between peers or a superstep costs more than the work, one peer does it, in few supersteps.
    assert_eq!(with(Rates { seconds_per_byte: 1.0, ..rates }).grid.peer_count(), 1);
    let few = with(Rates { superstep_s: 1e3, ..rates });
    assert!(few.estimate.supersteps < usual.estimate.supersteps, "{few}");
    // A slow disk leaves no peer idle: what is in the page cache does not wait for it.
    for rate in [1e6, 1e7, 1e8, 1e9] {
        let slow = with(Rates { read_bytes_per_s: rate, write_bytes_per_s: rate, ..rates });
        assert_eq!(slow.grid.peer_count(), 2, "{slow}");
    }
}

#[test]
fn rates_that_no_machine_has_are_refused() {
    let rates = Rates::default();
    for bad in [f64::NAN, f64::INFINITY, -1.0, 1e30] {
        for rates in [
            Rates { flop_per_s: bad, ..rates },
            Rates { read_bytes_per_s: bad, ..rates },
            Rates { write_bytes_per_s: bad, ..rates },
            Rates { touch_bytes_per_s: bad, ..rates },
            Rates { seconds_per_byte: bad, ..rates },
            Rates { superstep_s: bad, ..rates },
            Rates { fixed_s: bad, ..rates },
        ] {
            let error = plan(problem(9, 9, 9), &Resources { rates, ..resources(1, 1 << 30) }).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            let built = crate::Hama::builder().store("memory:rates").rates(rates).build().unwrap_err();
            assert_eq!(built.to_string(), error.to_string());
        }
    }
    assert!(
        Rates { write_bytes_per_s: 0.0, ..rates }
            .check()
            .unwrap_err()
            .message()
            .contains("write_bytes_per_s 0:")
    );
}
