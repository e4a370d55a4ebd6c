//! Jobs of matrices on a cluster that is rehearsed by threads: what peers get, where they are, and that the bits are those
//! of one process.

use hama_core::{Cancel, ErrorKind, Host, TransportKind};
use hama_hdfs::Table;
use hama_hdfs::store::Durability;
use hama_matrix::cluster::{Rehearsal, Started, programs};
use hama_matrix::files::{NewFile, NewFileOptions};
use hama_matrix::{DenseMatrix, Grid, Hama, KernelId, Seed, Tolerance, diff, parse_bytes, replace, verify};

use super::fixture::{check_product, fresh, on};

const HOSTS: [&str; 3] = ["dn1", "dn2", "dn3"];

/// A cluster of three hosts with two slots each, of which a slot has 256 MiB, with a store that this process has too.
fn cluster(store: &str) -> (Hama, Rehearsal) {
    let rehearsal = Rehearsal::of(&HOSTS, 2, 512 << 20);
    (Hama::builder().store(store).rehearse(rehearsal.clone()).build().unwrap(), rehearsal)
}

/// What was started of one program.
fn started(rehearsal: &Rehearsal, program: &str) -> Vec<Started> {
    rehearsal.started().into_iter().filter(|job| job.program == program).collect()
}

fn hosts_of(table: &Table) -> Vec<Host> {
    table.shards().iter().map(|record| record.host.clone()).collect()
}

#[test]
fn a_cluster_offers_its_slots_and_half_of_their_memory() {
    let (hama, _) = cluster(&fresh("memory"));
    assert_eq!((hama.peers(), hama.memory(), hama.peer_memory()), (6, 6 * (128 << 20), 128 << 20));
    assert!(hama.pool().usage().cap_bytes as u64 <= hama.memory());
    assert_eq!(hama.hosts().unwrap().len(), 3);
    let given = Hama::builder().store(fresh("memory")).peers(4).memory(1 << 30);
    let given = given.rehearse(Rehearsal::of(&HOSTS, 2, 1 << 30)).build().unwrap();
    assert_eq!((given.peers(), given.memory(), given.peer_memory()), (4, 1 << 30, 256 << 20));
    let empty = Hama::builder().store(fresh("memory")).rehearse(Rehearsal::of(&[], 0, 0)).build();
    assert_eq!(empty.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn every_job_gives_the_bits_of_one_process() {
    let (here, there) = (on(&fresh("memory"), 2, TransportKind::Memory), fresh("memory"));
    let (hama, rehearsal) = cluster(&there);
    let made = |hama: &Hama| {
        let a = DenseMatrix::<f64>::random(hama, "a", (2100, 1500), Seed(1)).unwrap();
        let b = DenseMatrix::<f64>::random_normal(hama, "b", (1500, 1100), Seed(2)).unwrap();
        (a, b)
    };
    let ((a, b), (local_a, local_b)) = (made(&hama), made(&here));
    for grid in [
        Grid { m: 1, n: 1, k: 1 },
        Grid { m: 2, n: 1, k: 1 },
        Grid { m: 3, n: 2, k: 1 },
        Grid { m: 1, n: 2, k: 2 },
    ] {
        let c = a.mult(&b).unwrap().grid(grid).save(replace("c")).unwrap();
        let local = local_a.mult(&local_b).unwrap().peers(6).unwrap().grid(grid).save(replace("c")).unwrap();
        assert_eq!(c.to_ndarray().unwrap(), local.to_ndarray().unwrap(), "{grid}");
        check_product(&a, &b, &c, "on a cluster");
        assert!(verify(&a, &b, &c).unwrap().passed);
        assert_eq!(diff(&c, &local, Tolerance::default()).unwrap().different, 0);
    }
    let half = a.t().mult(&a).unwrap().run("half").unwrap();
    let local = local_a.t().mult(&local_a).unwrap().peers(6).unwrap().grid(half.plan.grid);
    let (half, local) = (half.matrix, local.save("half").unwrap());
    assert_eq!(half.to_ndarray().unwrap(), local.to_ndarray().unwrap());
    for (program, least) in
        [("fill", 2), ("multiply-f64", 5), ("verify-f64", 4), ("diff-f64-f64", 4), ("survey", 1)]
    {
        let jobs = started(&rehearsal, program);
        assert!(jobs.len() >= least, "{program}: {jobs:?}");
        let pools = if program == "survey" { 0 } else { hama.peer_memory() };
        assert!(jobs.iter().all(|job| job.pool_bytes == pools), "{jobs:?}");
        assert!(programs().iter().any(|known| known.name() == program), "peers do not know {program}");
    }
    assert_eq!(started(&rehearsal, "survey").len(), 1, "hosts are asked once");
    assert_eq!(hama.kernel().unwrap(), KernelId::of_this_host());
}

#[test]
fn f32_runs_as_f64_does() {
    let (hama, rehearsal) = cluster(&fresh("memory"));
    let a = DenseMatrix::<f32>::random(&hama, "a", (1100, 30), Seed(1)).unwrap();
    let c = a.mult(&a.t()).unwrap().save("c").unwrap();
    assert!(verify(&a, &a.t(), &c).unwrap().passed);
    let wide = DenseMatrix::<f64>::random(&hama, "wide", (1100, 30), Seed(1)).unwrap();
    // Each type has random numbers of its own.
    let found = diff(&wide, &a, Tolerance::default()).unwrap();
    assert_eq!((found.compared, found.different > 0), (1100 * 30, true));
    for program in ["multiply-f32", "verify-f32", "diff-f64-f32"] {
        assert_eq!(started(&rehearsal, program).len(), 1, "{program}");
        assert!(programs().iter().any(|known| known.name() == program), "peers do not know {program}");
    }
}

#[test]
fn shards_are_written_where_peers_are() {
    let (hama, _) = cluster(&fresh("memory"));
    let a = DenseMatrix::<f64>::ones(&hama, "a", (9000, 3000)).unwrap();
    assert_eq!(hosts_of(a.table().unwrap()), ["dn1", "dn2"].map(Host::new));
}

#[test]
fn peers_of_a_product_prefer_the_hosts_of_what_they_read() {
    let store = fresh("memory");
    let (hama, rehearsal) = cluster(&store);
    let a = DenseMatrix::<f64>::random(&hama, "a", (6000, 1000), Seed(1)).unwrap();
    let (a, copied) = a.blocking_with_copy(3).unwrap();
    assert!(copied.shards >= 3);
    let copies = started(&rehearsal, "copy-tiles");
    let preferred: Vec<_> = copies[0].preferred.iter().flatten().map(Host::name).collect();
    assert!(HOSTS.iter().all(|name| preferred.contains(name)), "blocks belong to all hosts: {preferred:?}");
    let placed = a.table().unwrap().through_copy().unwrap().unwrap();
    let written = hosts_of(&placed);
    let b = DenseMatrix::<f64>::random(&hama, "b", (1000, 10), Seed(2)).unwrap();
    let product = a.mult(&b).unwrap().grid(Grid { m: 3, n: 1, k: 1 });
    let placement = product.plan_on(&hama.hosts().unwrap()).unwrap().placement;
    let reads = placement.reads;
    assert_eq!(reads.local_bytes, 6000 * 1000 * 8 + 1000 * 10 * 8);
    assert_eq!(reads.bytes(), reads.local_bytes);
    check_product(&a, &b, &product.save("c").unwrap(), "placed");
    let job = started(&rehearsal, "multiply-f64").remove(0);
    // Rows 2000 r .. of A are in block row r of the copy.
    for (peer, host) in job.preferred.iter().enumerate() {
        let spec = placed.spec();
        let first = peer as u64 * 2 / spec.shard.rows;
        let at = placed.shards().iter().position(|record| record.shard.row == first).unwrap();
        assert_eq!(host.as_ref(), Some(&written[at]), "peer {peer}");
    }
    assert_eq!(job.peers, 3);
}

#[test]
fn an_update_is_copied_again_by_who_owns_the_block() {
    let (hama, rehearsal) = cluster(&fresh("memory"));
    let a = DenseMatrix::<f64>::random(&hama, "a", (3000, 20), Seed(1)).unwrap();
    let (a, _) = a.blocking_with_copy(3).unwrap();
    let before = hosts_of(&a.table().unwrap().through_copy().unwrap().unwrap());
    let (a, copied) = a.set(1500, 3, 7.0).unwrap().copy().unwrap();
    assert_eq!((copied.shards, copied.of), (3, 3), "the table is one shard");
    assert_eq!(hosts_of(&a.table().unwrap().through_copy().unwrap().unwrap()), before);
    let again = started(&rehearsal, "copy-tiles").pop().unwrap();
    assert!(again.preferred.iter().flatten().all(|host| before.contains(host)), "{again:?}");
    assert_eq!(a.read(1500..1501, 3..4).unwrap()[(0, 0)], 7.0);
}

#[test]
fn too_little_memory_is_told_before_and_what_would_do_does() {
    let store = fresh("memory");
    let (hama, _) = cluster(&store);
    let a = DenseMatrix::<f64>::random(&hama, "a", (2048, 2048), Seed(1)).unwrap();
    let with = |memory: u64| {
        let rehearsal = Rehearsal::of(&HOSTS, 2, 1 << 30);
        Hama::builder().store(&store).memory(memory).rehearse(rehearsal).build().unwrap()
    };
    let tried = |error: hama_core::Error| {
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        let size = error.message().rsplit("--memory ").next().unwrap().to_owned();
        parse_bytes(size.split(' ').next().unwrap()).unwrap()
    };
    let small = with(6 << 20);
    let of_small = a.in_hama(&small);
    let needed = tried(of_small.mult(&of_small).unwrap().plan().unwrap_err());
    let fitting = a.in_hama(&with(needed));
    let c = fitting.mult(&fitting).unwrap().save("c").unwrap();
    let needed = tried(verify(&of_small, &of_small, &c).unwrap_err());
    let judged = with(needed);
    let [a, c] = [a.in_hama(&judged), c.in_hama(&judged)];
    assert!(verify(&a, &a, &c).unwrap().passed);
    let needed = tried(diff(&of_small, &of_small, Tolerance::default()).unwrap_err());
    let enough = a.in_hama(&with(needed));
    assert_eq!(diff(&enough, &enough, Tolerance::default()).unwrap().different, 0);
    let needed = tried(DenseMatrix::<f64>::ones(&small, "d", (2048, 2048)).unwrap_err());
    DenseMatrix::<f64>::ones(&with(needed), "d", (2048, 2048)).unwrap();
}

#[test]
fn a_saved_plan_runs_again_where_peers_have_as_much() {
    let store = fresh("memory");
    let (hama, _) = cluster(&store);
    let a = DenseMatrix::<f64>::random(&hama, "a", (1100, 1100), Seed(1)).unwrap();
    let product = a.mult(&a).unwrap();
    let plan = product.plan().unwrap();
    assert!(!plan.by_reference);
    let again = product.plan_again(&plan).unwrap();
    assert_eq!((again.grid, again.piece, again.kernel), (plan.grid, plan.piece, plan.kernel));
    check_product(&a, &a, &product.run_plan(again, "c").unwrap().matrix, "again");
    let here = a.in_hama(&on(&store, 6, TransportKind::Memory));
    let shared = here.mult(&here).unwrap().plan().unwrap();
    assert_eq!(product.run_plan(shared, "d").unwrap_err().kind(), ErrorKind::Invalid);
    let unknown = KernelId::ALL.into_iter().find(|kernel| !kernel.runs_here()).unwrap();
    let foreign = hama_matrix::Plan { kernel: unknown, ..plan };
    assert_eq!(product.run_plan(foreign, "d").unwrap_err().kind(), ErrorKind::Invalid);
    assert!(DenseMatrix::<f64>::open(&hama, "d").is_err(), "there is nothing");
}

#[test]
fn what_peers_cannot_reach_is_refused() {
    let (hama, rehearsal) = cluster(&fresh("memory"));
    let a = DenseMatrix::<f64>::ones(&hama, "a", (20, 20)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.npy");
    let new = NewFile::beside(&path, NewFileOptions::export(false, Durability::None)).unwrap();
    let product = a.mult(&a).unwrap();
    let before = rehearsal.started().len();
    let error = product.run_plan_to_npy(product.plan().unwrap(), &new).unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.message().contains("c.npy"), "{error}");
    assert!(started(&rehearsal, "multiply-f64").is_empty() && rehearsal.started().len() <= before + 1);
    drop(new);
    assert!(!path.exists());
    let error = Hama::connect("127.0.0.1:1").unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[test]
fn a_request_to_end_ends_jobs() {
    let cancel = Cancel::new();
    let builder = Hama::builder().store(fresh("memory")).cancel(cancel.clone());
    let hama = builder.rehearse(Rehearsal::of(&HOSTS, 2, 1 << 30)).build().unwrap();
    let a = DenseMatrix::<f64>::ones(&hama, "a", (20, 20)).unwrap();
    let product = a.mult(&a).unwrap();
    let plan = product.plan().unwrap();
    cancel.cancel();
    assert_eq!(product.run_plan(plan, "c").unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(DenseMatrix::<f64>::ones(&hama, "b", (20, 20)).unwrap_err().kind(), ErrorKind::Cancelled);
}
