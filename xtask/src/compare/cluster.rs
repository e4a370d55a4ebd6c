//! Products on a whole cluster: beside the same by the peers of one process, and by dask distributed on local files.

use super::hdfs::{making, store, sync, there};
use super::lab::Lab;
use super::rounds::alternate_cold;
use super::row::{Aim, Found};

const ONE: &str = "one process";
const CLUSTER: &str = "cluster";
const DASK: &str = "dask distributed + zarr";

pub(super) fn run(lab: &mut Lab, found: &mut Found) -> Result<(), String> {
    let (n, count) = lab.size((8000u64, 5), (600, 1));
    lab.need_disk(20 * n * n * 8)?;
    let mut cluster = lab.cluster()?;
    lab.say(&format!("cluster: {} grooms, Hadoop {}", cluster.grooms().len(), cluster.hdfs().version()?));
    let (folder, hdfs) = (lab.folder.display().to_string(), cluster.hdfs());
    for name in ["a", "b"] {
        lab.random(name, n, n, "f64")?;
        lab.hama(&format!("matrix export {name} {name}.npy"))?;
        lab.hama(&format!("matrix copy {name} {}/{name}", store(hdfs)))?;
    }
    sync(lab)?;
    let options = there(hdfs);
    let product =
        |output: &str| format!("matrix multiply a b --output {output} --peers {} {options}", lab.threads);
    let remove = |output: &str| format!("matrix remove {output} {options}");
    let mut candidates = vec![
        making(ONE, product("c"), remove("c")),
        making(CLUSTER, format!("{} --master {}", product("d"), cluster.master()), remove("d")),
    ];
    let (workers, chunk) = (lab.threads, lab.size(2000, 200));
    candidates.extend(lab.python(DASK, &[&"dask_distributed", &folder, &chunk, &workers]));
    let title = format!("product on a cluster, N = {n}, f64, {workers} peers");
    let rounds = alternate_cold(lab, &title, candidates, count);
    lab.hama(&format!("matrix diff c d --rtol 1e-9 {options}"))?;
    cluster.stop()?;

    let case = format!("N = {n}, f64");
    for (other, name, aim) in [
        (ONE, "one process on the same HDFS", 1.2),
        (DASK, "dask distributed on local zarr, not synced", 0.75),
    ] {
        let what = format!("A cluster's product from HDFS to HDFS: time, {name} = 1");
        found.figure((&what, &case), rounds.times(CLUSTER, other), "", Some(Aim::AtMost(aim)));
    }
    Ok(())
}
