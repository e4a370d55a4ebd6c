//! How a store in HDFS is reached, for those who look why it is not.

use std::path::PathBuf;

use hama_core::Result;

use super::config::{Configuration, folder};
use super::web;
use crate::store::examine::Finding;
use crate::url::{Place, StoreUrl};

/// What the URL and Hadoop's configuration come to; nothing for a store elsewhere.
pub(in crate::store) fn how_it_is_reached(url: &StoreUrl) -> Result<Vec<Finding>> {
    let Place::Hdfs(place) = url.place() else { return Ok(Vec::new()) };
    let configuration = Configuration::load(place)?;
    let mut findings = vec![read_from(folder(), &configuration)];
    let seconds = configuration.timeout.as_secs_f64();
    let address = configuration.shown_address();
    findings.push(match configuration.is_service() {
        true => Finding::good("NameNode", format!("the name service {address}, asked for up to {seconds} s")),
        false => Finding::good("NameNode", format!("{address}, asked for up to {seconds} s (--timeout)")),
    });
    let webs = web::addresses_of(&configuration);
    findings.push(match &webs[..] {
        [] => Finding::doubtful(
            "web server",
            "the configuration names none that speaks HTTP",
            "--webhdfs HOST:PORT names it; without one nobody knows where blocks lie",
        ),
        some => Finding::good("web server", some.join(", ")),
    });
    Ok(findings)
}

fn read_from(folder: Option<PathBuf>, configuration: &Configuration) -> Finding {
    let Some(folder) = folder else {
        return Finding::good("configuration", "HADOOP_CONF_DIR is not set: the URL alone says all");
    };
    match configuration.keys.len() {
        0 => Finding::doubtful(
            "configuration",
            format!("{} holds no core-site.xml and no hdfs-site.xml with anything in it", folder.display()),
            "let HADOOP_CONF_DIR be the folder of the cluster's configuration, or unset it",
        ),
        count => Finding::good("configuration", format!("{count} keys from {}", folder.display())),
    }
}
