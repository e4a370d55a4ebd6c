//! Disks that are full: of what a peer spills, of what it prints, of what a job writes. Each fails its job by name, and nothing else.

use std::path::Path;
use std::process::{Command, ExitCode};

use hama::{DenseMatrix, Hama, Seed};
use hama_core::{Error, ErrorKind};
use xtask::hdfs;

use crate::fleet::{Fit, Fleet};
use crate::jobs::{MIB, ring};
use crate::programs::{Hoard, Talks};
use crate::{Test, own};

pub(crate) const TESTS: &[Test] = &[("full_disks_fail_jobs_by_name", full_disks_fail_jobs_by_name)];

/// The word that starts this program where it may mount.
pub(crate) const INSIDE: &str = "full-disks";

fn full_disks_fail_jobs_by_name() {
    if let Err(why) = hdfs::may_make_hosts().and_then(|()| hdfs::may_mount()) {
        assert!(std::env::var_os("CI").is_none(), "full disks cannot be made: {why}");
        println!("cluster: full disks SKIPPED: {why}");
        return;
    }
    let output = hdfs::on_hosts(&std::env::current_exe().unwrap()).arg(INSIDE).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    println!("{}", said(&output.stdout));
    assert!(output.status.success(), "{}", said(&output.stderr));
}

/// What runs there. Its mounts go with it.
pub(crate) fn inside() -> ExitCode {
    let zookeeper = own(1);
    let fit = Fit { grooms: 1, slots: 1, ..Fit::default() };
    let mut fleet = Fleet::start(&zookeeper.connect_string(), &fit);
    mount(&fleet.tasks("g1"), "size=6m");
    fleet.add_groom("g1");
    fleet.wait_for_grooms(2);
    no_room_for_what_is_spilled(&fleet);
    no_room_for_what_is_printed(&fleet);
    no_room_for_results(&fleet);
    drop(fleet);
    zookeeper.stop().unwrap();
    ExitCode::SUCCESS
}

/// Makes a folder a small disk.
fn mount(folder: &Path, how: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", how, "tmpfs"]).arg(folder);
    assert!(command.status().unwrap().success());
}

/// The job failed on g1 for want of room, and the next one runs.
fn failed_there(fleet: &Fleet, error: &Error, says: &str) {
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert_eq!(error.place().unwrap().host.name(), "g1", "{error}");
    fleet.is_clean();
    runs(fleet);
}

fn runs(fleet: &Fleet) {
    assert_eq!(fleet.runner().run(&ring(3)).pool_bytes(MIB).peers(2).unwrap().supersteps, 3);
    fleet.is_clean();
}

fn no_room_for_what_is_spilled(fleet: &Fleet) {
    let hoard = Hoard { payloads: 40, bytes: MIB as usize };
    let error = fleet.runner().run(&hoard).pool_bytes(4 * MIB).peers(2).unwrap_err();
    failed_there(fleet, &error, "cannot spill");
}

fn no_room_for_what_is_printed(fleet: &Fleet) {
    let error = fleet.runner().run(&Talks { bytes: 20 << 20 }).pool_bytes(MIB).peers(2).unwrap_err();
    failed_there(fleet, &error, "cannot keep what the peer prints");
}

/// Disks that take fewer files than the table has, from almost none on: it is there as a whole or not at all.
fn no_room_for_results(fleet: &Fleet) {
    let (mut failed, mut failed_in_peers) = (0, 0);
    for files in (2..60).step_by(6) {
        let folder = tempfile::tempdir().unwrap();
        mount(folder.path(), &format!("size=64m,nr_inodes={files}"));
        let builder = Hama::builder().store(format!("file:{}", folder.path().display()));
        let hama = builder.peers(2).memory(128 * MIB).master(fleet.connect_options()).build().unwrap();
        let made = DenseMatrix::<f64>::random(&hama, "t", (1200, 1200), Seed(1))
            .and_then(|t| Ok(t.blocking_with_copy(5)?.0));
        let blocked = match made {
            Ok(t) => {
                DenseMatrix::random(&hama, "u", (1200, 1200), Seed(2)).and_then(|u| t.mult(&u)?.save("c"))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = blocked {
            println!("{files} files: {error}");
            assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{error}");
            failed += 1;
            failed_in_peers += u32::from(error.place().is_some());
            let c = DenseMatrix::<f64>::open(&hama, "c").unwrap_err();
            assert_eq!(c.kind(), ErrorKind::NotFound, "{c}");
        }
        drop(hama);
        assert!(Command::new("umount").arg("--lazy").arg(folder.path()).status().unwrap().success());
    }
    assert!(failed >= 3 && failed_in_peers >= 1, "{failed} failed, {failed_in_peers} in peers");
    fleet.is_clean();
    runs(fleet);
}
