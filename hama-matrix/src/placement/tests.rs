//! Placements as values: nothing better among all, nothing worse than without looking, the same each time.

use hama_core::ErrorKind;
use hama_hdfs::{ElementType, Extent, LocationSource, Replica, TableSpec};
use proptest::prelude::*;

use super::search::place;
use super::traffic::{Data, Pass, Work};
use super::*;
use crate::grid::Grid;
use crate::kernel::KernelId;
use crate::plan::{MemoryOf, Rates, Resources, plan, plan_on_hosts};
use crate::problem::{Operand, Problem};

/// Work on so many hosts, of which some may stand in racks, some hold data and compute nothing.
fn work(bricks: std::ops::Range<usize>, hosts: std::ops::Range<usize>) -> impl Strategy<Value = Work> {
    (bricks, hosts, 0..3usize).prop_flat_map(|(bricks, hosts, others)| {
        let all = hosts + others;
        let some = move |of: usize| prop::collection::btree_set(0..of, 0..=of.min(4));
        let used = prop::collection::btree_set(0..bricks, 1..=bricks.min(4));
        let data = (0..1000u64, some(all), used).prop_map(|(bytes, holders, users)| Data {
            bytes,
            holders: holders.into_iter().collect(),
            users: users.into_iter().collect(),
        });
        let pass = (0..1000u64, 0..bricks, 0..bricks).prop_map(|(bytes, from, to)| Pass { bytes, from, to });
        (
            prop::collection::vec(prop::option::of(0..2usize), all),
            prop::collection::vec(data, 0..12),
            prop::collection::vec(pass, 0..4),
        )
            .prop_map(move |(racks, data, passes)| Work { bricks, hosts, racks, data, passes })
    })
}

fn is_balanced(work: &Work, places: &[usize]) -> bool {
    let mut count = vec![0; work.hosts];
    places.iter().for_each(|&host| count[host] += 1);
    count
        .iter()
        .all(|&bricks| bricks == work.bricks / work.hosts || bricks == work.bricks.div_ceil(work.hosts))
}

/// Every way to put the bricks on hosts.
fn every_way(work: &Work) -> impl Iterator<Item = Vec<usize>> {
    let (bricks, hosts) = (work.bricks, work.hosts);
    (0..hosts.pow(bricks as u32))
        .map(move |code| (0..bricks).map(|brick| code / hosts.pow(brick as u32) % hosts).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_is_better_than_what_is_found_among_few(work in work(1..7, 1..4)) {
        let places = place(&work);
        prop_assert!(is_balanced(&work, &places), "{places:?}");
        let ways = every_way(&work).filter(|way| is_balanced(&work, way));
        let least = ways.map(|way| work.traffic(&way).cost()).min().unwrap();
        prop_assert_eq!(work.traffic(&places).cost(), least);
    }

    #[test]
    fn nothing_is_worse_than_without_looking_among_many(work in work(17..60, 2..9)) {
        let (places, spread) = (place(&work), work.spread());
        prop_assert!(is_balanced(&work, &places) && is_balanced(&work, &spread), "{places:?}");
        prop_assert!(work.traffic(&places).cost() <= work.traffic(&spread).cost());
        prop_assert_eq!(place(&work), places);
    }

    #[test]
    fn every_byte_is_read_once_and_goes_as_far_as_it_comes(work in work(1..40, 1..9)) {
        let traffic = work.traffic(&place(&work));
        let reads = traffic.all_reads(true);
        prop_assert_eq!(reads.bytes(), work.data.iter().map(|data| data.bytes).sum::<u64>());
        let unknown = work.data.iter().filter(|data| data.holders.is_empty()).map(|data| data.bytes).sum::<u64>();
        prop_assert_eq!(reads.unknown_bytes, unknown);
        let all = |of: &dyn Fn(usize) -> u64| (0..work.racks.len()).map(of).sum::<u64>();
        prop_assert_eq!(all(&|host| traffic.sent(host)) + unknown, all(&|host| traffic.received(host)));
        prop_assert!((0..work.racks.len()).all(|host| traffic.received(host) <= traffic.busiest()));
    }
}

#[test]
fn a_tile_is_read_next_to_where_it_lies_and_passed_on() {
    let data =
        |holders: &[usize], users: &[usize]| Data { bytes: 11, holders: holders.into(), users: users.into() };
    let racks = vec![Some(0), Some(0), Some(1), None, Some(1)];
    let one = |data: Data, places: &[usize]| {
        let work = Work { bricks: 3, hosts: 4, racks: racks.clone(), data: vec![data], passes: vec![] };
        let traffic = work.traffic(places);
        let reads = traffic.all_reads(true);
        let sums = [reads.local_bytes, reads.rack_bytes.unwrap(), reads.remote_bytes, reads.unknown_bytes];
        let moved: Vec<_> = (0..5).map(|host| (traffic.sent(host), traffic.received(host))).collect();
        (sums, moved, traffic.cost().0)
    };
    let none = (0, 0);
    // Where it lies, once, and from there to the other rack twice.
    let expected = ([11, 0, 0, 0], vec![(22, 0), none, (0, 22), none, none], 44);
    assert_eq!(one(data(&[0], &[0, 1, 2]), &[0, 2, 2]), expected);
    // In the rack of the holder, which computes nothing.
    assert_eq!(
        one(data(&[4], &[0, 1]), &[1, 2, 0]),
        ([0, 11, 0, 0], vec![none, (0, 11), (11, 11), none, (11, 0)], 33)
    );
    // In turns: two hosts hold it.
    assert_eq!(
        one(data(&[0, 1], &[0, 1]), &[0, 1, 2]),
        ([11, 0, 0, 0], vec![(6, 5), (5, 6), none, none, none], 11)
    );
    // Whose rack nobody knows is in no rack.
    assert_eq!(
        one(data(&[3], &[0]), &[0, 1, 2]),
        ([0, 0, 11, 0], vec![(0, 11), none, none, (11, 0), none], 22)
    );
    // Nobody knows where.
    assert_eq!(one(data(&[], &[2]), &[0, 1, 2]), ([0, 0, 0, 11], vec![none, none, (0, 11), none, none], 22));
}

#[test]
fn more_bytes_than_there_are_overflow_nothing() {
    let data = Data { bytes: u64::MAX, holders: vec![0, 1], users: (0..20).collect() };
    let work = Work { bricks: 20, hosts: 3, racks: vec![None; 3], data: vec![data; 5], passes: vec![] };
    let places = place(&work);
    assert!(is_balanced(&work, &places));
    assert_eq!(work.traffic(&places).all_reads(false).local_bytes, u64::MAX);
}

#[test]
fn as_many_bricks_as_a_job_may_have_are_placed_better_than_in_their_order() {
    let data = |index: usize| Data {
        bytes: 1 + index as u64 % 7,
        holders: vec![index * 31 % 100, index * 17 % 100],
        users: (0..32).map(|user| (index * 13 + user * 32) % 1024).collect(),
    };
    let data = (0..2000).map(data).collect();
    let work = Work { bricks: 1024, hosts: 100, racks: vec![None; 100], data, passes: vec![] };
    let places = place(&work);
    assert!(is_balanced(&work, &places));
    assert!(work.traffic(&places).cost() < work.traffic(&work.spread()).cost());
}

fn node(text: &str) -> Node {
    text.parse().unwrap()
}

#[test]
fn hosts_are_read_with_their_racks() {
    assert_eq!(node("dn1"), Node { host: Host::new("dn1"), rack: None });
    assert_eq!(node("/dc1/r-2/dn1"), Node { host: Host::new("dn1"), rack: Some("/dc1/r-2".into()) });
    assert_eq!(node("/default-rack/dn1").rack, None, "which HDFS says of all that it has not been told of");
    assert_eq!(node("/r/10.0.0.1:9866").to_string(), "/r/10.0.0.1:9866");
    for wrong in ["", "/", "//a", "a/b", "/r/", "/r//a", "/r a/b", "a b", &format!("/{}/a", "x".repeat(255))]
    {
        assert_eq!(wrong.parse::<Node>().unwrap_err().kind(), ErrorKind::Invalid, "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_text_is_a_host_but_what_reads_back(text in "[ -~]{0,40}|/[a-z]{1,3}/[a-z/]{0,6}") {
        if let Ok(node) = text.parse::<Node>() {
            prop_assert_eq!(node.to_string().parse::<Node>().unwrap(), node);
        }
    }
}

/// A table in shards of one tile of 1000 x 1000 or so, each held by the hosts that `holders` says.
fn table(shape: (u64, u64), holders: impl Fn(u64) -> Vec<&'static str>) -> (TableSpec, Vec<ShardLocation>) {
    let spec = TableSpec::new(Extent::new(shape.0, shape.1), ElementType::F64).unwrap();
    let spec = spec.with_shard(Extent::new(1, 1)).unwrap();
    let location = |(shard, index)| {
        let replica = |name| Replica { host: Host::new(name), rack: None, bytes: 8 };
        let replicas = holders(index).into_iter().map(replica).collect();
        ShardLocation { shard, bytes: 8, replicas, source: LocationSource::Store }
    };
    let locations = spec.shards().zip(0..).map(location).collect();
    (spec, locations)
}

fn resources(peers: u64, grid: Option<Grid>) -> Resources {
    let (rates, kernel) = (Rates::default(), KernelId::Portable);
    Resources { peers, hosts: 1, memory_bytes: 1 << 30, by_reference: false, rates, kernel, grid }
}

type Located = (TableSpec, Vec<ShardLocation>);

fn operands(a: &Located, b: &Located, hosts: &[Node]) -> (Nodes, Operands) {
    let nodes = nodes(hosts, &[&a.1, &b.1]).unwrap();
    let lying = |of: &Located| Lying::table(&of.0, &of.1, &nodes);
    let operands = Operands { a: lying(a), b: lying(b) };
    (nodes, operands)
}

const NAMES: [&str; 3] = ["dn1", "dn2", "dn3"];

#[test]
fn each_host_reads_the_rows_that_it_holds() {
    // Six rows of tiles of A on three hosts in turns, and B everywhere.
    let a = table((6000, 1000), |index| vec![NAMES[index as usize % 3]]);
    let b = table((1000, 1000), |_| NAMES.to_vec());
    let problem = Problem::new(ElementType::F64, (a.0.shape, false), (b.0.shape, false)).unwrap();
    let hosts = NAMES.map(node);
    let (nodes, lying) = operands(&a, &b, &hosts);
    let grid = Some(Grid { m: 6, n: 1, k: 1 });
    let (plan, placement, _) =
        plan_on_hosts((problem, ["a", "b"]), (&resources(6, grid), MemoryOf::Host), &nodes, &lying).unwrap();
    assert_eq!(placement.reads, Reads { local_bytes: 56_000_000, ..Reads::default() });
    assert_eq!(placement.reads_unplaced.local_bytes, 8_000_000 + 2 * 8_000_000);
    let peers: Vec<_> = placement.hosts.iter().map(|share| share.peers.clone()).collect();
    assert_eq!(peers, [vec![0, 3], vec![1, 4], vec![2, 5]]);
    // B goes from who reads a third of it to those on the two other hosts.
    assert_eq!(placement.busiest_bytes, placement.hosts[0].received_bytes.max(placement.hosts[0].sent_bytes));
    assert!(plan.estimate.receive_s > 0.0 && plan.estimate.total_s.is_finite());
    let text = placement.to_string();
    assert!(text.contains("  dn2: peers 1,4 read ") && text.contains("0B remote of 53.5MiB"), "{text}");
    // In whatever order the hosts are named.
    let (nodes, lying) = operands(&a, &b, &["dn3", "dn1", "dn2"].map(node));
    assert_eq!(
        plan_on_hosts((problem, ["a", "b"]), (&resources(6, grid), MemoryOf::Host), &nodes, &lying).unwrap(),
        (plan, placement, None)
    );
}

#[test]
fn racks_count_where_they_are_known() {
    let (a, b) = (table((2000, 1000), |_| vec!["dn3"]), table((1000, 1000), |_| vec![]));
    let problem = Problem::new(ElementType::F64, (a.0.shape, false), (b.0.shape, false)).unwrap();
    let run = |hosts: &[&str]| {
        let hosts: Vec<Node> = hosts.iter().map(|text| node(text)).collect();
        let (nodes, lying) = operands(&a, &b, &hosts);
        plan_on_hosts(
            (problem, ["a", "b"]),
            (&resources(2, Some(Grid { m: 2, n: 1, k: 1 })), MemoryOf::Host),
            &nodes,
            &lying,
        )
        .unwrap()
        .1
    };
    let unknown = run(&["dn1", "dn2"]);
    let expected = Reads { remote_bytes: 16_000_000, unknown_bytes: 8_000_000, ..Reads::default() };
    assert_eq!((unknown.reads, unknown.hosts.len()), (expected, 3), "dn3 only holds");
    assert!(unknown.to_string().contains("7.7MiB nobody knows where"));
    let known = run(&["/r/dn1", "/s/dn2", "/r/dn3"]);
    assert_eq!((known.reads.local_bytes, known.reads.rack_bytes), (8_000_000, Some(8_000_000)));
    assert!(known.to_string().contains("7.7MiB in the same rack"), "{known}");
}

#[test]
fn a_copy_is_advised_where_it_makes_more_local() {
    // All of A was written by one host.
    let a = table((6000, 1000), |_| vec!["dn1"]);
    let b = table((1000, 1000), |_| NAMES.to_vec());
    let problem = Problem::new(ElementType::F64, (a.0.shape, false), (b.0.shape, false)).unwrap();
    let (nodes, lying) = operands(&a, &b, &NAMES.map(node));
    let grid = Some(Grid { m: 3, n: 1, k: 1 });
    let (plan, placement, _) =
        plan_on_hosts((problem, ["a", "b"]), (&resources(3, grid), MemoryOf::Host), &nodes, &lying).unwrap();
    assert_eq!(placement.reads.remote_bytes, 32_000_000);
    let copy = |blocking| a.0.clone().with_blocking(Some(blocking)).ok();
    let of =
        Copyable { operand: Operand::A, name: "a", both: false, bytes: 48_000_000, replicas: 1, copy: &copy };
    let advice = advice(&plan, &nodes, &lying, &placement.reads, &of).unwrap();
    assert_eq!((advice.blocks, advice.local_bytes_more, advice.pays_after), (3, 32_000_000, 4));
    assert_eq!(
        advice.to_string(),
        "a placed copy of A would make 30.6MiB more local for a rewrite of 91.6MiB: pays after 4 uses: \
         hama matrix blocking a 3 --copy --hosts dn1,dn2,dn3"
    );
    let of = Copyable {
        operand: Operand::B,
        name: "b",
        both: false,
        bytes: 8_000_000,
        replicas: 1,
        copy: &|_| Some(b.0.clone()),
    };
    assert_eq!(super::advice(&plan, &nodes, &lying, &placement.reads, &of), None, "it is local everywhere");
}

#[test]
fn hosts_that_cannot_be_are_refused() {
    for hosts in [&[][..], &[node("a"), node("b"), node("a")], &[node("/r/a"), node("/s/a")]] {
        assert_eq!(nodes(hosts, &[]).unwrap_err().kind(), ErrorKind::Invalid);
    }
    let a = table((2000, 2000), |_| vec![]);
    let problem = Problem::new(ElementType::F64, (a.0.shape, false), (a.0.shape, false)).unwrap();
    let (nodes, lying) = operands(&a, &a, &[node("a"), node("b")]);
    let tight = Resources { memory_bytes: 1 << 20, ..resources(2, None) };
    let error = plan_on_hosts((problem, ["a", "b"]), (&tight, MemoryOf::Host), &nodes, &lying).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(error.message().contains("try --memory"), "{error}");
    let wrong = resources(2, Some(Grid { m: 9, n: 9, k: 9 }));
    assert_eq!(
        plan_on_hosts((problem, ["a", "b"]), (&wrong, MemoryOf::Host), &nodes, &lying).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever the shapes and the grid: all that the plan reads is placed, never worse than without looking.
    #[test]
    fn all_that_a_plan_reads_is_somewhere(
        (m, n, k) in (1..5000u64, 1..5000u64, 1..5000u64), transposed in any::<(bool, bool)>(),
        peers in 1..9u64, hosts in 1..4usize, memory in 26..31u32, seed in 0..97u64, symmetric in any::<bool>(),
    ) {
        let stored = |rows, cols, transposed| if transposed { (cols, rows) } else { (rows, cols) };
        let n = if symmetric { m } else { n };
        let transposed = if symmetric { (transposed.0, !transposed.0) } else { transposed };
        let holders = |index: u64| match (index + seed) % 5 {
            4 => vec![],
            3 => vec!["dn1", "elsewhere"],
            one => vec![NAMES[one as usize]],
        };
        let (a, b) = (table(stored(m, k, transposed.0), holders), table(stored(k, n, transposed.1), holders));
        let problem =
            Problem::new(ElementType::F64, (a.0.shape, transposed.0), (b.0.shape, transposed.1)).unwrap();
        let problem = Problem { symmetric, ..problem };
        let (nodes, lying) = operands(&a, &b, &NAMES.map(node)[..hosts]);
        let resources = Resources { memory_bytes: 1 << memory, ..resources(peers, None) };
        let Ok((plan, placement, _)) = plan_on_hosts((problem, ["a", "b"]), (&resources, MemoryOf::Host), &nodes, &lying) else {
            prop_assert!(plan(problem, &resources).is_err() || resources.peers > 1);
            return Ok(());
        };
        let read = placement.reads.bytes() as f64;
        prop_assert!((read - plan.estimate.read_bytes).abs() <= 1e-9 * read, "{} {}", read, plan.estimate.read_bytes);
        prop_assert_eq!(placement.reads.bytes(), placement.reads_unplaced.bytes());
        prop_assert!(plan.check(&problem, plan.memory_given_bytes, false).is_ok());
        let busiest = placement.hosts.iter().map(|share| share.sent_bytes.max(share.received_bytes)).max();
        prop_assert_eq!(busiest, Some(placement.busiest_bytes));
        let mut peers: Vec<u64> = placement.hosts.iter().flat_map(|share| share.peers.clone()).collect();
        peers.sort_unstable();
        prop_assert!(peers.into_iter().eq(0..plan.grid.peer_count()));
    }
}
